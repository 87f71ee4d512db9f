"""The tree of bodies, posts by role, scope and line, the roles of the database for them, administrators that stand alone."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

from zhiwan.city.sql.rights import run_all
from zhiwan.city.sql.scopes import share_rights

ALONE = "'system_admin', 'security_admin', 'audit_admin'"
#: In the database too: whichever way a holding comes to be, no account has an administrator's role and another.
ADMINISTRATORS_STAND_ALONE = [
    f"""
    CREATE FUNCTION people_administrators_stand_alone() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE account bigint;
    BEGIN
        IF TG_TABLE_NAME = 'people_holding' THEN
            SELECT h.user_id INTO account FROM people_holding h JOIN people_post p ON p.id = h.post_id
             WHERE h.user_id = NEW.user_id GROUP BY h.user_id
            HAVING count(DISTINCT coalesce(nullif(p.base_role, ''), p.role)) > 1
               AND bool_or(coalesce(nullif(p.base_role, ''), p.role) IN ({ALONE}));
        ELSE
            SELECT h.user_id INTO account FROM people_holding h JOIN people_post p ON p.id = h.post_id
             WHERE h.user_id IN (SELECT user_id FROM people_holding WHERE post_id = NEW.id) GROUP BY h.user_id
            HAVING count(DISTINCT coalesce(nullif(p.base_role, ''), p.role)) > 1
               AND bool_or(coalesce(nullif(p.base_role, ''), p.role) IN ({ALONE}));
        END IF;
        IF account IS NOT NULL THEN
            RAISE EXCEPTION 'the account % would hold an administrator''s role beside another', account
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER administrators_stand_alone AFTER INSERT OR UPDATE ON people_holding
    FOR EACH ROW EXECUTE FUNCTION people_administrators_stand_alone()
    """,
    """
    CREATE TRIGGER administrators_stand_alone AFTER UPDATE OF role, base_role ON people_post
    FOR EACH ROW EXECUTE FUNCTION people_administrators_stand_alone()
    """,
]
NEW = "zhiwan_line, zhiwan_scoped, zhiwan_accounts"


def texts(size: int) -> "django.contrib.postgres.fields.ArrayField[list[str], list[str]]":
    return django.contrib.postgres.fields.ArrayField(
        base_field=models.CharField(max_length=size), blank=True, db_default=[], default=list, size=None
    )


class Migration(migrations.Migration):
    dependencies = [("people", "0007_ways_in_rights")]

    operations = [
        migrations.AddField("organisation", "kind", models.CharField(
            choices=[("district_office", "District Office"), ("town", "Town"), ("village", "Village"), ("service", "Service"), ("firm", "Firm")],
            db_default="district_office", default="district_office", max_length=16,
        )),
        migrations.AddField("organisation", "parent", models.ForeignKey(
            null=True, on_delete=django.db.models.deletion.PROTECT, related_name="below", to="people.organisation"
        )),
        migrations.AddField("organisation", "valid_from", models.DateField(null=True)),
        migrations.AddField("organisation", "valid_to", models.DateField(null=True)),
        migrations.AddField("post", "base_role", models.CharField(blank=True, db_default="", default="", max_length=48)),
        migrations.AddField("post", "zones", texts(64)),
        migrations.AddField("post", "classes", texts(64)),
        migrations.AddField("post", "bodies", texts(64)),
        migrations.AddField("post", "lines", texts(140)),
        migrations.AlterField("post", "scope", models.CharField(
            choices=[("district", "District"), ("towns", "Towns"), ("zones", "Zones"), ("own", "Own"), ("none", "None")], max_length=8
        )),
        run_all([f"GRANT USAGE ON SCHEMA public TO {NEW}"]),
        share_rights(["people_", "auth_", "django_", "procrastinate_"]),
        share_rights(["people_"], giver="zhiwan_district", takers=["zhiwan_accounts"]),
        share_rights(["auth_", "django_", "procrastinate_"], takers=["zhiwan_accounts"]),
        run_all([f"GRANT USAGE ON SEQUENCE procrastinate_jobs_id_seq, procrastinate_events_id_seq TO {NEW}"]),
        migrations.RunSQL(
            tuple(ADMINISTRATORS_STAND_ALONE), ["DROP FUNCTION people_administrators_stand_alone CASCADE"]
        ),
    ]
