"""A town sees and works its own cases."""

from django.db import migrations

from zhiwan.city.sql.rights import guarded_table


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_tables"), ("watch", "0002_rights")]

    operations = [
        guarded_table("cases_case", area="SELECT, INSERT, UPDATE"),
        guarded_table("cases_casestep", area="SELECT, INSERT"),
    ]
