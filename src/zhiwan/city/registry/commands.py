"""Commands to devices: what a type declares, asked by a person. The door sends them (run/broker_door/commands.py).

command(device_id, command, argument) -> DeviceCommand
declared(type_name) -> dict[id, CommandDecl]
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import audit, guard
from zhiwan.city.registry.models import Device, DeviceCommand
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.packs.models import CommandArgument, CommandDecl


class CommandRefused(InputRefused):
    """A command that the device's type does not declare, or with an argument outside its limits."""

    code = "REG-005"
    fact = 'the command to "{id}" is refused'
    detail = "{problem}"
    hint = "Choose a command of the type, with an argument within its limits; nothing was sent."


def declared(type_name: str) -> Mapping[str, CommandDecl]:
    """The commands of a type."""
    kind = packs().types.get(type_name)
    return kind.commands if kind is not None else {}


@transaction.atomic
def command(*, device_id: str, command: str, argument: str = "", at: datetime | None = None) -> DeviceCommand:
    """Ask the device to do it. It is sent when the device is there, until the time of the command is over."""
    device = Device.objects.select_related("entity").filter(id=device_id).first()
    actor = guard.require("device.command", on=device.entity if device is not None else None)
    if device is None:
        raise CommandRefused(id=device_id, problem="It is not registered.")
    if not device.enabled:
        raise CommandRefused(id=device_id, problem="It is revoked or switched off.")
    wanted = declared(device.entity.type).get(command)
    if wanted is None:
        raise CommandRefused(id=device_id, problem=f'Its type declares no command "{command}".')
    now, value = at or timezone.now(), _value(device_id, wanted.argument, argument.strip())
    made = DeviceCommand.objects.create(
        device=device,
        town=device.town,
        command=command,
        argument=value,
        asked_by=actor.post.id if actor.post is not None else actor.name,
        asked_at=now,
        expires_at=now + wanted.within,
    )
    after = {"command": command, "argument": value, "number": made.pk, "until": made.expires_at.isoformat()}
    audit.record("device.command", f"device:{device_id}", at=now, after=after)
    return made


def _value(id: str, wanted: CommandArgument | None, given: str) -> float | str | None:
    if wanted is None:
        return None
    if wanted.choices:
        if given not in {one.id for one in wanted.choices}:
            raise CommandRefused(id=id, problem=f"{wanted.title.en}: choose one of the list.")
        return given
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    low, high = wanted.range or (-math.inf, math.inf)
    if not low <= number <= high:  # also for what is no number
        raise CommandRefused(id=id, problem=f"{wanted.title.en}: a number from {low:g} to {high:g}.")
    return number
