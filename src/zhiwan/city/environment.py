"""How the environment becomes settings: database URLs, origins, the time zone of the place. No Django here."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ruamel.yaml import YAML


def database(url: str, role: str | None = None) -> dict[str, Any]:
    """A Django database from `postgresql://user:password@host:port/name?host=/socket/folder`.

    `role` becomes the role of every new session (the login role holds nothing by itself). An empty URL gives a
    database that cannot be reached: enough for type checks and makemigrations, and told plainly when used.
    """
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    options: dict[str, Any] = {"application_name": "zhiwan"}
    flags = ["-c client_min_messages=warning"]
    if role:
        flags.append(f"-c role={role}")
    options["options"] = " ".join(flags)
    if "sslmode" in query:
        options["sslmode"] = query["sslmode"]
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "zhiwan",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.get("host") or unquote(parts.hostname or ""),
        "PORT": str(query.get("port") or parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def origin(url: str) -> str:
    """Scheme, host and port of a URL, as a Content-Security-Policy names them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else ""


def place_time_zone(place: Path | None, default: str) -> str:
    """The `zone` of a place's place.yml; the default where no place is configured."""
    return str(_place_file(place).get("zone", default))


def place_tiles(place: Path | None) -> list[str]:
    """The address of the place's base map, if it is one outside: pages must be allowed to fetch from there."""
    url = (_place_file(place).get("base_map") or {}).get("url")
    return [str(url)] if url else []


def _place_file(place: Path | None) -> dict[str, Any]:
    if place is None or not (file := place / "place.yml").exists():
        return {}
    return YAML(typ="safe", pure=True).load(file.read_text(encoding="utf-8")) or {}
