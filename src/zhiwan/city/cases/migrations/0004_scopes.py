"""Zones, lines and own on cases: of the thing the case is about, and of who handles it."""

from django.db import migrations

from zhiwan.city.sql.rights import run_all
from zhiwan.city.sql.scopes import Axes, child_table, line_field, may_look, scoped_table, share_rights, texts_field

CASE_SCOPE = [
    """
    CREATE FUNCTION cases_case_scope() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE thing record;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            SELECT e.zones, e.line, e.own INTO thing FROM registry_entity e WHERE e.id = NEW.entity_id;
            NEW.zones := coalesce(thing.zones, registry_area_zones(NEW.area));
            NEW.line := coalesce(thing.line, regexp_replace(NEW.kind, '\\.[^.]*$', '') || '@');
            NEW.own := coalesce(thing.own, '{}');
        END IF;
        -- who handles it changes with its steps; whose thing it is does not
        NEW.own := ARRAY(SELECT o FROM unnest(NEW.own) o WHERE o !~ '^(role|post):' ORDER BY o)
            || ARRAY['role:' || NEW.role]
            || CASE WHEN NEW.handler_id IS NULL THEN '{}'::text[] ELSE ARRAY['post:' || NEW.handler_id] END;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER scope BEFORE INSERT OR UPDATE OF role, handler_id, own ON cases_case
    FOR EACH ROW EXECUTE FUNCTION cases_case_scope()
    """,
    """
    CREATE FUNCTION cases_case_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE cases_case c SET zones = n.zones, line = n.line,
               own = n.own || ARRAY(SELECT x FROM unnest(c.own) x WHERE x ~ '^(role|post):')
          FROM new n JOIN old o ON o.id = n.id
         WHERE c.entity_id = n.id AND (n.zones, n.line, n.own) IS DISTINCT FROM (o.zones, o.line, o.own);
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER cases_follow AFTER UPDATE ON registry_entity REFERENCING OLD TABLE AS old NEW TABLE AS new
    FOR EACH STATEMENT EXECUTE FUNCTION cases_case_follows()
    """,
    """
    UPDATE cases_case c SET
        zones = coalesce(e.zones, registry_area_zones(c.area)),
        line = coalesce(e.line, regexp_replace(c.kind, '\\.[^.]*$', '') || '@'), own = coalesce(e.own, '{}')
    FROM cases_case n LEFT JOIN registry_entity e ON e.id = n.entity_id WHERE n.id = c.id
    """,
]


class Migration(migrations.Migration):
    dependencies = [("cases", "0003_spaces"), ("watch", "0010_scopes")]

    operations = [
        migrations.AddField("case", "zones", texts_field()),
        migrations.AddField("case", "line", line_field()),
        migrations.AddField("case", "own", texts_field()),
        run_all(
            [
                *CASE_SCOPE,
                "CREATE INDEX cases_case_zones ON cases_case USING gin (zones) WHERE zones <> '{}'",
                "CREATE INDEX cases_case_line ON cases_case (line, opened_at DESC)",
                "CREATE INDEX cases_case_own ON cases_case USING gin (own)",
            ]
        ),
        share_rights(["cases_"]),
        scoped_table("cases_case", Axes(zones=True, line=True, own=True)),
        child_table("cases_casestep", "cases_case", "case_id"),
        may_look(["cases_case", "cases_casestep"]),
    ]
