"""Devices as the page of their thing shows them: connection, secret, commands.

device_cards(entity_id) -> list[DeviceCard]      entity_of(device_id) -> str | None
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from zhiwan.city.registry.commands import declared
from zhiwan.city.registry.models import Device, DeviceCommand, DeviceConnection
from zhiwan.kernel.facts.declared import Text
from zhiwan.kernel.packs.models import CommandDecl

SHOWN = 5
OPEN = ("asked", "sent", "delivered")


@dataclass(frozen=True)
class CommandRow:
    title: Text
    argument: Text | None
    state: str
    ok: bool | None
    says: str
    asked_at: datetime
    expires_at: datetime
    delivered_at: datetime | None
    answered_at: datetime | None


@dataclass(frozen=True)
class DeviceCard:
    id: str
    enabled: bool
    created_at: datetime
    secret_at: datetime | None
    old_until: datetime | None  # while the secret before still opens
    revoked_at: datetime | None
    revoked_why: str
    since: datetime | None  # of the last connection
    last: datetime | None  # when that ended
    commands: list[CommandRow]
    waiting: bool  # something of it may still change

    @property
    def connected(self) -> bool:
        return self.since is not None and self.last is None


def entity_of(device_id: str) -> str | None:
    """What a device reports for; None when there is none that the post may see."""
    return Device.objects.filter(id=device_id).values_list("entity_id", flat=True).first()


def device_cards(entity_id: str) -> list[DeviceCard]:
    """All devices of a thing."""
    found = list(Device.objects.filter(entity=entity_id).select_related("entity").order_by("id"))
    connections = DeviceConnection.objects.in_bulk([one.id for one in found]) if found else {}
    return [_card(one, connections.get(one.id)) for one in found]


def _card(device: Device, connection: DeviceConnection | None) -> DeviceCard:
    known = declared(device.entity.type)
    commands = list(DeviceCommand.objects.filter(device=device).order_by("-id")[:SHOWN])
    old = device.old_until if device.old_until and device.old_until > timezone.now() else None
    return DeviceCard(
        id=device.id,
        enabled=device.enabled,
        created_at=device.created_at,
        secret_at=device.secret_at,
        old_until=old,
        revoked_at=device.revoked_at,
        revoked_why=device.revoked_why,
        since=connection.since if connection else None,
        last=connection.until if connection else None,
        commands=[_command(one, known.get(one.command)) for one in commands],
        waiting=any(one.state in OPEN for one in commands),
    )


def _command(row: DeviceCommand, decl: CommandDecl | None) -> CommandRow:
    title = decl.title if decl else Text(zh=row.command, en=row.command)
    return CommandRow(
        title=title,
        argument=_argument(row.argument, decl),
        state=row.state,
        ok=row.ok,
        says=row.says,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        delivered_at=row.delivered_at,
        answered_at=row.answered_at,
    )


def _argument(value: object, decl: CommandDecl | None) -> Text | None:
    if value is None:
        return None
    given = decl.argument if decl else None
    for choice in given.choices if given else ():
        if choice.id == value:
            return choice.title
    unit = given.unit if given and given.unit != "1" else None
    shown = f"{value:g}" if isinstance(value, int | float) else str(value)
    text = f"{shown} {unit}" if unit else shown
    return Text(zh=text, en=text)
