"""Who may read and write amendments. What is decided stays as it is, and no amendment is ever deleted."""

from django.db import migrations

from zhiwan.city.sql.rights import guarded_table, open_table
from zhiwan.city.sql.spaces import by_space

DECIDED_STAYS = [
    """
    CREATE FUNCTION amendments_decided_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'a decided amendment stays as it is: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
    END $$
    """,
    """
    CREATE TRIGGER decided_stays BEFORE UPDATE ON amendments_amendment FOR EACH ROW
    WHEN (OLD.state <> 'proposed') EXECUTE FUNCTION amendments_decided_stays()
    """,
    """
    CREATE TRIGGER text_stays BEFORE UPDATE OF kind, subject, region, rule, base, before, after, note, proposed_by_id,
        proposed_post_id, proposed_at ON amendments_amendment FOR EACH ROW
    WHEN (ROW(OLD.kind, OLD.subject, OLD.region, OLD.base, OLD.before, OLD.after, OLD.note, OLD.proposed_by_id)
          IS DISTINCT FROM
          ROW(NEW.kind, NEW.subject, NEW.region, NEW.base, NEW.before, NEW.after, NEW.note, NEW.proposed_by_id))
    EXECUTE FUNCTION amendments_decided_stays()
    """,
]


class Migration(migrations.Migration):
    dependencies = [("amendments", "0001_tables"), ("people", "0002_rights"), ("registry", "0002_rights")]

    operations = [
        # Every process judges by what is signed, and everyone may see what a rule was, is, and shall become.
        open_table("amendments_amendment", district="SELECT, INSERT, UPDATE"),
        open_table("amendments_preview"),
        # Which things would alarm is seen where those things are.
        guarded_table("amendments_previewday"),
        guarded_table("amendments_previewdifference"),
        by_space("amendments_previewday"),
        by_space("amendments_previewdifference"),
        migrations.RunSQL(tuple(DECIDED_STAYS), ["DROP FUNCTION amendments_decided_stays CASCADE"]),
    ]
