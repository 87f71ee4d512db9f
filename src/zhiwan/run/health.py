"""Ask a running Zhiwan how it is: the client side of /healthz, for `zhiwan up`, `zhiwan health` and tests."""

from __future__ import annotations

import functools
import json
import ssl
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, OpenerDirector, ProxyHandler, build_opener

from rich.console import Console
from rich.table import Table

from zhiwan.city.api.health_words import WELL

_PATIENCE = 3.0  # seconds
_UNTOLD = frozenset({"state", "says_zh"})


@functools.cache
def _direct(ca: str | None) -> OpenerDirector:
    """Our own parts: never through a proxy of the environment. `ca`: the authority that --lan made."""
    return build_opener(ProxyHandler({}), HTTPSHandler(context=ssl.create_default_context(cafile=ca)))


@dataclass(frozen=True)
class Health:
    answered: bool
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def unwell(self) -> tuple[str, ...]:
        if not self.answered:
            return ("web",)
        return tuple(name for name, part in self.parts.items() if part.get("state") not in WELL)

    def has_readings_since(self, began: datetime) -> bool:
        """Whether a value arrived that was recorded after `began`."""
        newest = self.parts.get("worker", {}).get("latest_reading_at")
        return newest is not None and datetime.fromisoformat(newest) >= began


def ask(url: str, *, ca: Path | str | None = None) -> Health:
    """What /healthz says; a part that is not well still counts as an answer (HTTP 503 with the same body)."""
    try:
        with _direct(str(ca) if ca else None).open(f"{url}/healthz", timeout=_PATIENCE) as answer:
            body = answer.read()
    except HTTPError as answer:
        body = answer.read()
    except (URLError, OSError):
        return Health(answered=False)
    try:
        parts = json.loads(body)["parts"]
    except (ValueError, KeyError, TypeError):
        return Health(answered=False)
    return Health(answered=True, parts=parts)


def print_health(url: str) -> int:
    """Prints each part with its state; 0 when all are well."""
    health = ask(url)
    console = Console()
    if not health.answered:
        console.print(f"no answer from {url}; is it running? (bin/up)")
        return 1
    table = Table("part", "state", "what it says")
    for name, part in health.parts.items():
        said = ", ".join(
            f"{key} {value}" for key, value in part.items() if key not in _UNTOLD and value not in (None, "")
        )
        table.add_row(name, str(part.get("state")), said)
    console.print(table)
    return 1 if health.unwell else 0
