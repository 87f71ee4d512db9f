"""Areas and zones are public knowledge; entities, relations and devices are guarded by town."""

from django.db import migrations

from zhiwan.city.sql.rights import guarded_table, open_table


class Migration(migrations.Migration):
    dependencies = [("registry", "0001_tables"), ("people", "0002_rights")]

    operations = [
        open_table("registry_place"),
        open_table("registry_area"),
        open_table("registry_zone"),
        open_table("registry_connectionrefusal"),
        guarded_table("registry_zonemember"),
        guarded_table("registry_entity"),
        guarded_table("registry_relation"),
        guarded_table("registry_device"),
    ]
