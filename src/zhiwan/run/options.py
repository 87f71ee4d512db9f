"""What a person asks of `zhiwan up`, and what every process is told of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.run.folder import DataFolder
from zhiwan.run.ports import Wanted

CHECKOUT = Path(__file__).resolve().parents[3]


class WhichPlace(InputRefused):
    code = "UP-006"
    fact = "which district shall run here?"
    detail = "Found below places/: {places}."
    hint = "Set ZHIWAN_PLACE to the folder of one that has a place.yml."


@dataclass(frozen=True)
class Options:
    data: Path
    port: int
    mqtt_port: int
    demo: bool
    demo_speed: float
    hj212_port: int | None = None
    lan: IPv4Address | None = None  # serve HTTPS on this address instead of HTTP on loopback
    lan_mqtt: bool = False

    @property
    def url(self) -> str:
        return f"{self._origin}:{self.port}"

    @property
    def live_url(self) -> str:
        return f"{self._origin}:{self.port + 1}"

    @property
    def mqtt_host(self) -> str:
        return "0.0.0.0" if self.lan_mqtt else "127.0.0.1"  # noqa: S104 - asked for with --lan-mqtt

    @property
    def _origin(self) -> str:
        return f"https://{self.lan}" if self.lan else "http://127.0.0.1"


def wanted_ports(options: Options) -> list[Wanted]:
    """The ports that must be free."""
    return [
        Wanted(options.port, "web and live", "--port", span=2),
        *([] if os.environ.get("ZHIWAN_NATS_URL") else [Wanted(options.mqtt_port, "MQTT", "--mqtt-port")]),
        *([Wanted(options.hj212_port, "HJ 212", "--hj212-port")] if options.hj212_port else []),
    ]


def addresses(options: Options, folder: DataFolder) -> dict[str, str]:
    """What every process is told. An operator's own setting wins over the place and packs of the checkout."""
    return {
        "DJANGO_SETTINGS_MODULE": "zhiwan.city.settings",
        "ZHIWAN_DATA": str(folder.path),
        "ZHIWAN_URL": options.url,
        "ZHIWAN_LIVE_URL": options.live_url,
        "ZHIWAN_MQTT_PORT": str(options.mqtt_port),
        "ZHIWAN_SECRET_KEY_FILE": str(folder.secret_key()),
        "ZHIWAN_PLACE": os.environ.get("ZHIWAN_PLACE") or str(_only_place()),
        "PYTHONUNBUFFERED": "1",
    }


def _only_place() -> Path:
    """The district this checkout carries; with several of them a person has to choose."""
    found = sorted(path.parent for path in (CHECKOUT / "places").glob("*/place.yml"))
    if len(found) != 1:
        raise WhichPlace(places=", ".join(path.name for path in found) or "none")
    return found[0]
