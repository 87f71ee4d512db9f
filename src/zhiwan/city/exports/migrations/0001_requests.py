"""Requests to take personal data out."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

from zhiwan.city.sql.rights import open_table, run_all


def person() -> models.ForeignKey[object, object]:
    return models.ForeignKey(
        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
    )


class Migration(migrations.Migration):
    initial = True
    dependencies = [("people", "0008_scopes"), ("registry", "0006_out_of_use")]

    operations = [
        migrations.CreateModel(
            name="PersonalExport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("type", models.CharField(max_length=48)),
                ("area", models.CharField(blank=True, max_length=15)),
                (
                    "fields",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=48), size=None),
                ),
                ("purpose", models.CharField(max_length=48)),
                ("reason", models.CharField(max_length=200)),
                ("rows", models.IntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "Asked"),
                            ("approved", "Approved"),
                            ("rejected", "Rejected"),
                            ("withdrawn", "Withdrawn"),
                            ("fetched", "Fetched"),
                        ],
                        default="asked",
                        max_length=10,
                    ),
                ),
                (
                    "asked_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "asked_post",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="people.post"
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("decided_by", person()),
                (
                    "decided_post",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="people.post"
                    ),
                ),
                ("decided_at", models.DateTimeField(null=True)),
                ("decision", models.CharField(blank=True, max_length=200)),
                ("until", models.DateTimeField()),
                ("fetched_at", models.DateTimeField(null=True)),
            ],
            options={"indexes": [models.Index(fields=["-asked_at"], name="exports_asked_at")]},
        ),
        open_table("exports_personalexport", district="SELECT, INSERT, UPDATE", area=None),
        run_all(["GRANT USAGE ON SEQUENCE exports_personalexport_id_seq TO zhiwan_district"]),
    ]
