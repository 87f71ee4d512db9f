"""One-time links that a phone on the LAN may use."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("people", "0003_audit_space")]

    operations = [
        migrations.AddField(
            model_name="signinlink",
            name="anywhere",
            field=models.BooleanField(default=False),
        ),
    ]
