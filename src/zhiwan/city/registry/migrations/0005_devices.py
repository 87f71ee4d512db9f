"""Rotation, revocation and commands of devices. The database itself tells the doors when a device changed: a notice of
PostgreSQL leaves with the commit, whoever wrote, so no writer can forget it and no reader sees it early."""

import django.db.models.deletion
from django.db import migrations, models

from zhiwan.city.sql.rights import guarded_table, open_table, run_all
from zhiwan.city.sql.scopes import child_table, may_look, share_rights
from zhiwan.city.sql.spaces import readable_everywhere, space_field

TELL = [
    "CREATE INDEX registry_device_overlap ON registry_device (old_until) WHERE old_until IS NOT NULL",
    # registry_tell_device: channel device_changed, the id. Of a device that goes, its connection is forgotten too.
    """
    CREATE FUNCTION registry_tell_device() RETURNS trigger LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        IF TG_OP = 'DELETE' THEN
            DELETE FROM registry_deviceconnection WHERE device_id = OLD.id;
            PERFORM pg_notify('device_changed', OLD.id);
        ELSE
            PERFORM pg_notify('device_changed', NEW.id);
        END IF;
        RETURN NULL;
    END $$
    """,
    "CREATE TRIGGER tell AFTER INSERT OR DELETE ON registry_device FOR EACH ROW EXECUTE FUNCTION registry_tell_device()",
    """
    CREATE TRIGGER tell_change AFTER UPDATE ON registry_device FOR EACH ROW
    WHEN ((OLD.enabled, OLD.secret_hash, OLD.old_hash, OLD.old_until, OLD.cut_at)
          IS DISTINCT FROM (NEW.enabled, NEW.secret_hash, NEW.old_hash, NEW.old_until, NEW.cut_at))
    EXECUTE FUNCTION registry_tell_device()
    """,
    """
    CREATE FUNCTION registry_tell_command() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('device_command', '');
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER tell AFTER INSERT ON registry_devicecommand
    FOR EACH STATEMENT EXECUTE FUNCTION registry_tell_command()
    """,
]


class Migration(migrations.Migration):
    dependencies = [("registry", "0004_scopes")]

    operations = [
        migrations.CreateModel(
            name="DeviceConnection",
            fields=[
                ("device_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("server", models.CharField(max_length=64)),
                ("cid", models.BigIntegerField()),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField("device", "secret_at", models.DateTimeField(null=True)),
        migrations.AddField("device", "old_hash", models.BinaryField(max_length=32, null=True)),
        migrations.AddField("device", "old_until", models.DateTimeField(null=True)),
        migrations.AddField("device", "cut_at", models.DateTimeField(null=True)),
        migrations.AddField("device", "revoked_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "device", "revoked_why", models.CharField(blank=True, db_default="", default="", max_length=120)
        ),
        migrations.CreateModel(
            name="DeviceCommand",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("town", models.CharField(blank=True, max_length=9)),
                ("space", space_field()),
                ("command", models.CharField(max_length=48)),
                ("argument", models.JSONField(null=True)),
                ("asked_by", models.CharField(max_length=64)),
                ("asked_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("state", models.CharField(default="asked", max_length=10)),
                ("seq", models.BigIntegerField(null=True)),
                ("server", models.CharField(blank=True, default="", max_length=64)),
                ("cid", models.BigIntegerField(null=True)),
                ("delivered_at", models.DateTimeField(null=True)),
                ("answered_at", models.DateTimeField(null=True)),
                ("ok", models.BooleanField(null=True)),
                ("says", models.CharField(blank=True, default="", max_length=200)),
                (
                    "device",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="commands", to="registry.device"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["device", "-id"], name="registry_command_device"),
                    models.Index(
                        condition=models.Q(("state__in", ("asked", "sent", "delivered"))),
                        fields=["id"],
                        name="registry_command_open",
                    ),
                ],
            },
        ),
        open_table("registry_deviceconnection"),
        guarded_table("registry_devicecommand", area="SELECT, INSERT"),
        share_rights(["registry_devicec"]),
        child_table("registry_devicecommand", "registry_device", "device_id"),
        readable_everywhere("registry_devicecommand"),
        may_look(["registry_deviceconnection", "registry_devicecommand"]),
        run_all(TELL),
    ]
