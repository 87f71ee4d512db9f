"""Rotation with an overlap, and when a credential changed last: the door cuts connections by it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("registry", "0004_scopes")]

    operations = [
        migrations.AddField("device", "previous_hash", models.BinaryField(max_length=32, null=True)),
        migrations.AddField("device", "previous_until", models.DateTimeField(null=True)),
        migrations.AddField("device", "changed_at", models.DateTimeField(db_index=True, null=True)),
    ]
