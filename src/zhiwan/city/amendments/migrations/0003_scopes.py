"""Which days of which things would differ is seen by whoever sees the town, by whatever role of the database."""

from django.db import migrations

from zhiwan.city.sql.scopes import Axes, scoped_table, share_rights


class Migration(migrations.Migration):
    dependencies = [("amendments", "0002_rights"), ("people", "0008_scopes")]

    operations = [
        share_rights(["amendments_"]),
        scoped_table("amendments_previewday", Axes()),
        scoped_table("amendments_previewdifference", Axes()),
    ]
