"""Processes without a page of their own (worker, door) tell that they live."""

from django.db import migrations, models

from zhiwan.city.sql.rights import open_table


class Migration(migrations.Migration):
    dependencies = [("watch", "0002_rights")]

    operations = [
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("process", models.CharField(max_length=24, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("body", models.JSONField(default=dict)),
            ],
        ),
        open_table("watch_heartbeat"),
    ]
