"""Rights on accounts, audit, Django's own tables and the job queue. The audit becomes append-only here."""

from django.db import migrations

from zhiwan.city.sql.rights import open_table, run_all

AUDIT_IS_APPEND_ONLY = [
    """
    CREATE FUNCTION people_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'audit records are append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
    END $$
    """,
    """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON people_auditrecord
    FOR EACH ROW EXECUTE FUNCTION people_audit_is_append_only()
    """,
    """
    CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON people_auditrecord
    FOR EACH STATEMENT EXECUTE FUNCTION people_audit_is_append_only()
    """,
]


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0001_tables"),
        ("sessions", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        run_all(["GRANT USAGE ON SCHEMA public TO zhiwan_area, zhiwan_district"]),
        # A signed-in person may be looked up before the post is known; accounts are kept at district level.
        open_table("people_user", area="SELECT, UPDATE (last_login, password, language)"),
        open_table("people_organisation"),
        open_table("people_post"),
        open_table("people_holding"),
        open_table("people_signinlink", area="SELECT, UPDATE (used_at)"),
        open_table("people_apitoken"),
        # RETURNING id needs the right to read the id; the records themselves are read at district level only.
        open_table("people_auditrecord", district="SELECT, INSERT", area="INSERT, SELECT (id)"),
        open_table("people_user_groups"),
        open_table("people_user_user_permissions"),
        open_table("auth_group"),
        open_table("auth_group_permissions"),
        open_table("auth_permission"),
        open_table("django_content_type"),
        open_table("django_migrations", district="SELECT"),
        open_table("django_session", area="SELECT, INSERT, UPDATE, DELETE"),
        open_table("procrastinate_jobs", area="SELECT, INSERT"),
        open_table("procrastinate_events", area="SELECT, INSERT"),
        open_table("procrastinate_periodic_defers", area=None),
        open_table("procrastinate_workers", area=None),
        run_all(
            [
                "GRANT USAGE ON SEQUENCE procrastinate_jobs_id_seq, procrastinate_events_id_seq TO zhiwan_area",
                "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO zhiwan_district",
            ]
        ),
        migrations.RunSQL(
            tuple(AUDIT_IS_APPEND_ONLY), ["DROP FUNCTION people_audit_is_append_only CASCADE"]
        ),
    ]
