"""Zones, lines and own on alarms (taken from the thing when it opens), warnings by their kind's class, children by parent."""

from django.db import migrations

from zhiwan.city.sql.rights import run_all
from zhiwan.city.sql.scopes import OWN, Axes, child_table, line_field, may_look, scoped_table, share_rights, texts_field

ALARM_SCOPE = [
    """
    CREATE FUNCTION watch_alarm_scope() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE thing record;
    BEGIN
        SELECT e.zones, e.line, e.own INTO thing FROM registry_entity e WHERE e.id = NEW.entity_id;
        NEW.zones := coalesce(thing.zones, '{}');
        NEW.line := coalesce(thing.line, '');
        NEW.own := coalesce(thing.own, '{}');
        RETURN NEW;
    END $$
    """,
    "CREATE TRIGGER scope BEFORE INSERT ON watch_alarm FOR EACH ROW EXECUTE FUNCTION watch_alarm_scope()",
    """
    CREATE FUNCTION watch_alarm_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE watch_alarm a SET zones = n.zones, line = n.line, own = n.own
          FROM new n JOIN old o ON o.id = n.id
         WHERE a.entity_id = n.id AND (n.zones, n.line, n.own) IS DISTINCT FROM (o.zones, o.line, o.own);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER alarms_follow AFTER UPDATE ON registry_entity REFERENCING OLD TABLE AS old NEW TABLE AS new
    FOR EACH STATEMENT EXECUTE FUNCTION watch_alarm_follows()
    """,
    "UPDATE watch_alarm a SET zones = e.zones, line = e.line, own = e.own FROM registry_entity e WHERE e.id = a.entity_id",
]
#: A kind of warning belongs to its pack; no body owns a warning.
WARNING_LINE = (
    "ALTER TABLE watch_warning ADD COLUMN line varchar(140) GENERATED ALWAYS AS"
    " (regexp_replace(kind, '\\.[^.]*$', '') || '@') STORED"
)
RECEIPT_OWN = f"('post:' || post_id) = ANY ({OWN})"


class Migration(migrations.Migration):
    dependencies = [("watch", "0009_state_in_blocks"), ("registry", "0004_scopes")]

    operations = [
        migrations.AddField("alarm", "zones", texts_field()),
        migrations.AddField("alarm", "line", line_field()),
        migrations.AddField("alarm", "own", texts_field()),
        run_all(
            [
                *ALARM_SCOPE,
                WARNING_LINE,
                "CREATE INDEX watch_alarm_zones ON watch_alarm USING gin (zones) WHERE zones <> '{}'",
                "CREATE INDEX watch_alarm_line ON watch_alarm (line, opened_at DESC)",
                "CREATE INDEX watch_alarm_own ON watch_alarm USING gin (own) WHERE own <> '{}'",
            ]
        ),
        share_rights(["watch_"]),
        scoped_table("watch_alarm", Axes(zones=True, line=True, own=True)),
        scoped_table(
            "watch_warning",
            Axes(line=True, common=True, published="state IN ('published', 'changed', 'lifted')"),
        ),
        child_table("watch_latestvalue", "registry_entity", "entity_id"),
        child_table("watch_alarmevent", "watch_alarm", "alarm_id"),
        child_table("watch_setaside", "registry_entity", "entity"),
        child_table("watch_warningstep", "watch_warning", "warning_id"),
        child_table("watch_warningreceipt", "watch_warning", "warning_id", write=RECEIPT_OWN),
        may_look(["watch_alarm", "watch_alarmevent", "watch_latestvalue", "watch_setaside", "watch_warning",
                  "watch_warningstep", "watch_warningreceipt"]),
    ]
