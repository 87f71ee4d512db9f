"""What there is: areas, zones, entities with their relations, and the devices that report for them.

Areas are code prefixes (6 district, 9 town, 12 village, 15 grid). Guarded rows carry `town` (first nine digits, empty
for what belongs to the district as a whole) and `space`; things carry their zones and their line of duty too.
"""

from __future__ import annotations

from django.db import models

from zhiwan.city.sql.scopes import line_field, texts_field
from zhiwan.city.sql.spaces import space_field

LIVE = "live"


class Space(models.Model):
    """A space beside the live one: a story, a drill, a test. It has its own clock; all of it may be dropped at once."""

    id = models.SlugField(primary_key=True, max_length=16)
    kind = models.CharField(max_length=8, default="story")  # story, test
    title_zh = models.CharField(max_length=80)
    title_en = models.CharField(max_length=120)
    clock = models.JSONField()  # spans [our time, its time, speed]; see kernel/facts/spaces.py
    state = models.CharField(max_length=8, default="running")  # running, ended, dropping
    told = models.JSONField(default=dict)  # how far its story is, for the story page


class Place(models.Model):
    """The district this installation serves (one row)."""

    code = models.CharField(primary_key=True, max_length=6)
    name_zh = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120)
    lon = models.FloatField()
    lat = models.FloatField()
    bounds = models.JSONField()  # [west, south, east, north]
    outline = models.JSONField(null=True)  # GeoJSON geometry, WGS 84
    base_map = models.JSONField(null=True)  # {kind, url, attribution, approval}; None: no base map
    settings = models.JSONField(default=dict)  # what else place.yml says and a page shows


class Area(models.Model):
    """An administrative area."""

    code = models.CharField(primary_key=True, max_length=15)
    level = models.CharField(max_length=8)  # district, town, village, grid
    name = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120, blank=True)
    parent = models.CharField(max_length=15, blank=True, db_index=True)
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    geometry = models.JSONField(null=True)
    synthetic = models.BooleanField(default=False)  # placed by us, not surveyed: screens say so

    class Meta:
        indexes = [models.Index(fields=["level", "code"], name="registry_area_level")]


class Zone(models.Model):
    """A polygon that crosses areas (park, polder, river reach), with its version."""

    id = models.SlugField(primary_key=True, max_length=64)
    title_zh = models.CharField(max_length=120)
    title_en = models.CharField(max_length=160)
    kind = models.CharField(max_length=48, blank=True)
    polygon = models.JSONField()
    version = models.IntegerField(default=1)


class ZoneMember(models.Model):
    """An entity inside a zone, computed once per version."""

    zone = models.ForeignKey(Zone, on_delete=models.CASCADE, related_name="members")
    entity = models.ForeignKey("Entity", on_delete=models.CASCADE)
    town = models.CharField(max_length=9, blank=True)
    space = space_field()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["zone", "entity"], name="registry_zonemember_once")]


class Entity(models.Model):
    """A thing of the city with a type, a place and declared fields."""

    id = models.CharField(primary_key=True, max_length=64)
    type = models.CharField(max_length=48)
    name = models.CharField(max_length=120)
    name_en = models.CharField(max_length=160, blank=True)
    town = models.CharField(max_length=9, blank=True)
    area = models.CharField(max_length=15)
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    fields = models.JSONField(default=dict)
    space = space_field()
    simulated = models.BooleanField(default=False, db_default=False)
    active = models.BooleanField(default=True, db_default=True)
    inactive_since = models.DateTimeField(null=True)  # terms of personal fields run from here
    zones = texts_field()  # zones by polygon, village and grid by code; the last two are kept by the database
    owner = models.CharField(max_length=64, blank=True, default="", db_default="")  # body that answers for it
    line = line_field()

    class Meta:
        indexes = [
            models.Index(fields=["type", "town"], name="registry_entity_type_town"),
            models.Index(fields=["town"], name="registry_entity_town"),
            models.Index(fields=["area"], name="registry_entity_area"),
            models.Index(
                fields=["inactive_since"], condition=models.Q(active=False), name="registry_entity_out_of_use"
            ),
        ]

    @property
    def own(self) -> list[str]:
        """Whose own it is, as the database works it out of the owner."""
        return [f"body:{self.owner}"] if self.owner else []


class Relation(models.Model):
    """A declared link between two entities; `town` is that of the first."""

    from_entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="links_out")
    link = models.CharField(max_length=48)
    to_entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="links_in")
    town = models.CharField(max_length=9, blank=True)
    space = space_field()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["from_entity", "link", "to_entity"], name="registry_relation_once")
        ]


class Device(models.Model):
    """A credential that reports for one entity. Only the SHA-256 of its secret is kept."""

    id = models.CharField(primary_key=True, max_length=64)
    entity = models.ForeignKey(Entity, on_delete=models.CASCADE, related_name="devices")
    town = models.CharField(max_length=9, blank=True)
    space = space_field()
    secret_hash = models.BinaryField(max_length=32)
    enabled = models.BooleanField(default=True)
    simulated = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    secret_at = models.DateTimeField(null=True)  # of the last rotation
    old_hash = models.BinaryField(max_length=32, null=True)  # of the secret before, while it still opens
    old_until = models.DateTimeField(null=True)
    cut_at = models.DateTimeField(null=True)  # connections that began before are cut: its secret is compromised
    revoked_at = models.DateTimeField(null=True)
    revoked_why = models.CharField(max_length=120, blank=True, default="", db_default="")


class DeviceConnection(models.Model):
    """The last MQTT connection of a device, as the door heard of it. No key to Device: it is kept by the door alone."""

    device_id = models.CharField(primary_key=True, max_length=64)
    server = models.CharField(max_length=64)
    cid = models.BigIntegerField()  # the server's number of the connection
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)  # None: it is connected


class DeviceCommand(models.Model):
    """What a person asked a device to do, and what became of it. The door sends it while it is wanted."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="commands")
    town = models.CharField(max_length=9, blank=True)
    space = space_field()
    command = models.CharField(max_length=48)  # as the type declares it
    argument = models.JSONField(null=True)
    asked_by = models.CharField(max_length=64)  # the post
    asked_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=10, default="asked")  # asked, sent, delivered, answered, expired
    seq = models.BigIntegerField(null=True)  # its message in the broker's stream
    server = models.CharField(max_length=64, blank=True, default="")
    cid = models.BigIntegerField(null=True)  # the connection it was sent to
    delivered_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    ok = models.BooleanField(null=True)
    says = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        indexes = [
            models.Index(fields=["device", "-id"], name="registry_command_device"),
            models.Index(
                fields=["id"],
                condition=models.Q(state__in=("asked", "sent", "delivered")),
                name="registry_command_open",
            ),
        ]


class ConnectionRefusal(models.Model):
    """Refused connections per hour and reason (the last device named is kept to find the culprit)."""

    hour = models.DateTimeField()
    code = models.CharField(max_length=32)
    device = models.CharField(max_length=64, blank=True)  # the last one
    count = models.BigIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["hour", "code"], name="registry_refusal_once")]
