"""The audit says in which space something was done; it is one chain for all of them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0002_rights")]

    operations = [
        migrations.AddField("auditrecord", "space", models.CharField(default="live", max_length=16)),
    ]
