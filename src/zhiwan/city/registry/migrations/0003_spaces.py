"""Spaces, and their axis of row security."""

from django.db import migrations, models

from zhiwan.city.sql.rights import open_table
from zhiwan.city.sql.spaces import add_column, by_space, readable_everywhere, space_field


def space_column(table: str) -> migrations.SeparateDatabaseAndState:
    """The column, with the rows that are there in the live space."""
    state = migrations.AddField(table, "space", space_field())
    return migrations.SeparateDatabaseAndState([migrations.RunSQL(tuple(add_column(f"registry_{table}")))], [state])


class Migration(migrations.Migration):
    dependencies = [("registry", "0002_rights")]

    operations = [
        migrations.CreateModel(
            name="Space",
            fields=[
                ("id", models.SlugField(max_length=16, primary_key=True, serialize=False)),
                ("kind", models.CharField(default="story", max_length=8)),
                ("title_zh", models.CharField(max_length=80)),
                ("title_en", models.CharField(max_length=120)),
                ("clock", models.JSONField()),
                ("state", models.CharField(default="running", max_length=8)),
                ("told", models.JSONField(default=dict)),
            ],
        ),
        open_table("registry_space"),
        space_column("zonemember"),
        space_column("relation"),
        space_column("device"),
        migrations.AlterField("entity", "space", space_field()),
        by_space("registry_zonemember"),
        by_space("registry_entity"),
        by_space("registry_relation"),
        readable_everywhere("registry_device"),
    ]
