"""Which days of which things would differ is seen by whoever sees the town, by whatever role of the database."""

from django.db import migrations

from zhiwan.city.sql.scopes import Axes, may_look, scoped_table, share_rights


class Migration(migrations.Migration):
    dependencies = [("amendments", "0002_rights"), ("people", "0008_scopes")]

    operations = [
        share_rights(["amendments_"]),
        scoped_table("amendments_previewday", Axes()),
        scoped_table("amendments_previewdifference", Axes()),
        # By what limits an administrator works (sessions, audit) may stand in a changed parameter.
        may_look(["amendments_amendment", "amendments_preview"]),
    ]
