"""The axis of spaces."""

from django.db import migrations

from zhiwan.city.sql.spaces import add_column, by_space, space_field


def space_column(table: str) -> migrations.SeparateDatabaseAndState:
    """The column, with the rows that are there in the live space."""
    state = migrations.AddField(table, "space", space_field())
    return migrations.SeparateDatabaseAndState([migrations.RunSQL(tuple(add_column(f"cases_{table}")))], [state])


class Migration(migrations.Migration):
    dependencies = [("cases", "0002_rights"), ("registry", "0003_spaces")]

    operations = [
        space_column("casestep"),
        migrations.AlterField("case", "space", space_field()),
        by_space("cases_case"),
        by_space("cases_casestep"),
    ]
