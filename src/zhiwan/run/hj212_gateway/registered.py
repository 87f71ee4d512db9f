"""Which devices may speak at this door: MN is the device's id, PW its secret (kept as SHA-256, as for MQTT)."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from zhiwan.city.people.acting import acting_system
from zhiwan.city.registry.models import Device
from zhiwan.kernel.sense import DeviceInfo
from zhiwan.kernel.sense.decoders.hj212 import Packet

FRESH_SECONDS = 2.0  # a changed password or a disabled device counts after so long
_MOST_REMEMBERED = 50_000


@dataclass(frozen=True)
class Known:
    """What the registry knows of a device."""

    secret_hash: bytes
    enabled: bool
    info: DeviceInfo
    old_hash: bytes | None = None  # of the secret before a rotation, good until `old_until`
    old_until: datetime | None = None


class Registered:
    """Devices by MN, remembered for a few seconds. `infos` is what an Intake reads."""

    def __init__(self, find: Callable[[str], Awaitable[Known | None]]) -> None:
        self._find = find
        self._known: dict[str, tuple[float, Known | None]] = {}
        self.infos: dict[str, DeviceInfo] = {}

    async def refusal(self, packet: Packet) -> str | None:
        """The code of why this packet is not taken; None: it is from who it says. Raises when nobody can tell."""
        known = await self._get(packet.mn)
        given = hashlib.sha256(packet.pw.encode()).digest()
        right = hmac.compare_digest(given, known.secret_hash if known else bytes(32))
        if known and known.old_hash and known.old_until and datetime.now(UTC) < known.old_until:
            right |= hmac.compare_digest(given, known.old_hash)
        if known is None:
            return "UNKNOWN_DEVICE"
        if not right:
            return "WRONG_PASSWORD"
        return None if known.enabled else "DEVICE_DISABLED"

    async def _get(self, mn: str) -> Known | None:
        held = self._known.get(mn)
        if held and time.monotonic() - held[0] < FRESH_SECONDS:
            return held[1]
        found = await self._find(mn)
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
            self.infos.clear()
        self._known[mn] = (time.monotonic(), found)
        if found is not None:
            self.infos[mn] = found.info
        return found


def find_device(mn: str) -> Known | None:
    """A device of the registry. Blocking."""
    with acting_system("door"):
        row = (
            Device.objects.filter(id=mn)
            .values_list(
                "secret_hash", "enabled", "entity_id", "entity__type", "entity__active", "old_hash", "old_until"
            )
            .first()
        )
    if row is None:
        return None
    digest, enabled, entity, type_name, active, old, until = row
    info = DeviceInfo(entity, type_name)
    return Known(bytes(digest), bool(enabled and active), info, bytes(old) if old else None, until)
