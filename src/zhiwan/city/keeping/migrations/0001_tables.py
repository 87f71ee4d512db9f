"""Backups, drills and receipts of deletions. Readable by whoever holds the action; none of it is a row of the city."""

import django.contrib.postgres.fields
from django.db import migrations, models

from zhiwan.city.sql.rights import open_table

KEPT = "SELECT, INSERT, UPDATE"  # a receipt is never taken back
WHEN = "id, made_at, keep_until, destroyed_at"  # enough to say how long backups hold what was deleted


class Migration(migrations.Migration):
    initial = True
    dependencies = [("people", "0008_scopes"), ("registry", "0006_out_of_use")]

    operations = [
        migrations.CreateModel(
            name="Backup",
            fields=[
                ("id", models.CharField(max_length=40, primary_key=True, serialize=False)),
                ("made_at", models.DateTimeField()),
                ("bytes", models.BigIntegerField()),
                ("archive", models.CharField(max_length=400)),
                ("key_file", models.CharField(max_length=400)),
                ("uncommitted", models.BigIntegerField(null=True)),
                ("keep_until", models.DateTimeField(null=True)),
                ("destroyed_at", models.DateTimeField(null=True)),
                ("destroyed_why", models.CharField(blank=True, db_default="", default="", max_length=200)),
            ],
            options={"indexes": [models.Index(fields=["made_at"], name="keeping_backup_made_at")]},
        ),
        migrations.CreateModel(
            name="Drill",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("held", models.BooleanField()),
                ("differences", models.IntegerField(default=0)),
                ("rto_seconds", models.FloatField(null=True)),
                ("rpo_seconds", models.FloatField(null=True)),
                ("megabytes", models.FloatField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("field", models.CharField(max_length=100)),
                (
                    "purposes",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=48), size=None),
                ),
                ("out_of_use_by", models.DateField(null=True)),
                ("things", models.IntegerField()),
                ("things_digest", models.CharField(max_length=64)),
                ("readings", models.BigIntegerField(default=0)),
                ("wiped_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, db_default="", default="", max_length=200)),
            ],
            options={"indexes": [models.Index(fields=["-at"], name="keeping_erasure_at")]},
        ),
        open_table("keeping_backup", district=KEPT, area=f"SELECT ({WHEN})", admin="SELECT"),
        open_table("keeping_drill", district=KEPT, area=None, admin="SELECT"),
        open_table("keeping_erasure", district=KEPT, admin="SELECT"),
        migrations.RunSQL(
            (
                "GRANT USAGE ON SEQUENCE keeping_drill_id_seq, keeping_erasure_id_seq TO zhiwan_district",
            ),
            migrations.RunSQL.noop,
        ),
    ]
