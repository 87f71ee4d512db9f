"""Zones, lines of duty and owners on things, and the policies of who sees by them."""

from django.db import migrations, models

from zhiwan.city.sql.rights import run_all
from zhiwan.city.sql.scopes import Axes, child_table, line_field, may_look, scoped_table, share_rights, texts_field

#: An area as zones: its village and its grid, so that a post of a village is one of a zone.
AREA_ZONES = """
CREATE FUNCTION registry_area_zones(area text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN length(area) >= 15 THEN ARRAY[left(area, 12), left(area, 15)]
                WHEN length(area) >= 12 THEN ARRAY[left(area, 12)] ELSE '{}'::text[] END
$$
"""
#: Zones of the area follow the area; zones by polygon are those that compute_zone_members() found.
ENTITY_ZONES = [
    """
    CREATE FUNCTION registry_entity_zones() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.zones := registry_area_zones(NEW.area)
            || ARRAY(SELECT z FROM unnest(NEW.zones) z WHERE z !~ '^[0-9]+$' ORDER BY z);
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER zones BEFORE INSERT OR UPDATE OF area, zones ON registry_entity
    FOR EACH ROW EXECUTE FUNCTION registry_entity_zones()
    """,
    "UPDATE registry_entity SET zones = ARRAY(SELECT m.zone_id FROM registry_zonemember m WHERE m.entity_id = registry_entity.id ORDER BY 1)",
]


class Migration(migrations.Migration):
    dependencies = [("registry", "0003_spaces"), ("people", "0008_scopes")]

    operations = [
        migrations.AddField("entity", "zones", texts_field()),
        migrations.AddField("entity", "owner", models.CharField(blank=True, db_default="", default="", max_length=64)),
        migrations.AddField("entity", "line", line_field()),
        run_all(
            [
                "ALTER TABLE registry_entity ADD COLUMN own text[] GENERATED ALWAYS AS"
                " (CASE WHEN owner = '' THEN '{}'::text[] ELSE ARRAY['body:' || owner] END) STORED",
                AREA_ZONES,
                *ENTITY_ZONES,
                "CREATE INDEX registry_entity_zones ON registry_entity USING gin (zones) WHERE zones <> '{}'",
                "CREATE INDEX registry_entity_line ON registry_entity (line, id)",
                "CREATE INDEX registry_entity_own ON registry_entity USING gin (own) WHERE own <> '{}'",
            ]
        ),
        share_rights(["registry_"]),
        scoped_table("registry_entity", Axes(zones=True, line=True, own=True)),
        child_table("registry_relation", "registry_entity", "from_entity_id"),
        child_table("registry_device", "registry_entity", "entity_id"),
        child_table("registry_zonemember", "registry_entity", "entity_id"),
        may_look(["registry_place", "registry_area", "registry_zone", "registry_space", "registry_entity",
                  "registry_device", "registry_relation", "registry_zonemember"]),
    ]
