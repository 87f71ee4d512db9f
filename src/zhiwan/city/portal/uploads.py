"""Lists between their upload and the person's decision, and secrets until they are fetched: private files, soon gone.

They hold names of people and secrets of devices, so they lie in files that only this account may read, belong to one
person, and are deleted when they were used, or an hour later.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings

from zhiwan.city.files import private_file
from zhiwan.kernel.sense.sheets import Row, RowProblem, Sheet

_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}")
KEPT_SECONDS = 3600


def keep_sheet(sheet: Sheet, *, kind: str, user: int, name: str) -> str:
    """A token under which the list is found again by the same person."""
    return _keep({"kind": kind, "user": user, "name": name, "sheet": asdict(sheet)})


def kept_sheet(token: str, *, kind: str, user: int) -> tuple[str, Sheet] | None:
    """The file's name and its list; None when it is gone, or another's."""
    body = _read(token, kind, user)
    if body is None or "sheet" not in body:
        return None
    sheet = body["sheet"]
    rows = [Row(row["number"], row["cells"]) for row in sheet["rows"]]
    return body["name"], Sheet(sheet["header"], rows, [RowProblem(**one) for one in sheet["problems"]])


def keep_result(result: dict[str, Any], *, kind: str, user: int) -> str:
    """What came of a list, with its secrets."""
    return _keep({"kind": kind, "user": user, "result": result})


def kept_result(token: str, *, kind: str, user: int) -> dict[str, Any] | None:
    body = _read(token, kind, user)
    return body.get("result") if body else None


def take_secrets(token: str, *, kind: str, user: int) -> dict[str, Any] | None:
    """The result with its secrets, once: afterwards it says only that they were fetched."""
    body = _read(token, kind, user)
    if body is None or not body.get("result", {}).get("secrets"):
        return None
    result: dict[str, Any] = body["result"]
    private_file(_file(token), json.dumps({**body, "result": {**result, "secrets": [], "fetched": True}}))
    return result


def drop(token: str) -> None:
    if _TOKEN.fullmatch(token):
        _file(token).unlink(missing_ok=True)


def forget_old() -> None:
    """Remove what is older than its hour; also asked for every hour, since uploads may stop coming."""
    if _folder().is_dir():
        for path in _folder().glob("*.json"):
            if time.time() - path.stat().st_mtime > KEPT_SECONDS:
                path.unlink(missing_ok=True)


def _keep(body: dict[str, Any]) -> str:
    forget_old()
    token = secrets.token_urlsafe(16)
    private_file(_file(token), json.dumps(body, ensure_ascii=False))
    return token


def _read(token: str, kind: str, user: int) -> dict[str, Any] | None:
    if _TOKEN.fullmatch(token) is None:
        return None
    try:
        body: dict[str, Any] = json.loads(_file(token).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return body if (body["kind"], body["user"]) == (kind, user) else None


def _folder() -> Path:
    return Path(settings.ZHIWAN_DATA) / "uploads"


def _file(token: str) -> Path:
    return _folder() / f"{token}.json"
