"""Since when a thing is out of use: the terms of its personal fields run from there. Of things that were switched off
before, nobody wrote down when: their terms begin with this migration, so nothing is deleted early."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0005_devices")]

    operations = [
        migrations.AddField("entity", "inactive_since", models.DateTimeField(null=True)),
        migrations.AddIndex(
            "entity",
            models.Index(
                fields=["inactive_since"], condition=models.Q(active=False), name="registry_entity_out_of_use"
            ),
        ),
        migrations.RunSQL(
            "UPDATE registry_entity SET inactive_since = now() WHERE NOT active", migrations.RunSQL.noop
        ),
        # The planner's samples of a column are rows of another table: personal fields must not lie there too.
        migrations.RunSQL(
            "ALTER TABLE registry_entity ALTER COLUMN fields SET STATISTICS 0", migrations.RunSQL.noop
        ),
    ]
