"""Short messages: one small port, three adapters. Which one is used says ZHIWAN_SMS.

file       (default) appends each message to <data>/sms/outbox.jsonl, readable by this account only: for a
           demonstration, a test, or an office that has no gateway yet
console    writes it to the log of the web process
https://…  a gateway: POST {"phone", "text", "id"} as JSON with `Authorization: Bearer <key>`, the key from the file
           ZHIWAN_SMS_KEY_FILE. 2xx means taken. It is asked once more after a failure on the way, with the same id.
"""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Protocol

from django.conf import settings

from zhiwan.city.people.ways_in.errors import MessageNotSent

log = logging.getLogger(__name__)
PATIENCE = 5.0  # seconds that a person waits for a gateway
ATTEMPTS = 2


class Gateway(Protocol):
    """Takes a message for a phone. Raises MessageNotSent."""

    def send(self, number: str, text: str) -> None: ...


class FileGateway:
    """Messages of a machine that is connected to no gateway."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def send(self, number: str, text: str) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "phone": number, "text": text}
        self.file.touch(mode=0o600)
        with self.file.open("a", encoding="utf-8") as outbox:
            outbox.write(json.dumps(line, ensure_ascii=False) + "\n")


class ConsoleGateway:
    """Messages in the log of the web process."""

    def send(self, number: str, text: str) -> None:
        log.warning("short message to %s: %s", number, text)


class HttpGateway:
    """A gateway that takes JSON over HTTPS (HTTP only on this machine)."""

    def __init__(self, url: str, key: str) -> None:
        if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
            raise MessageNotSent(why="ZHIWAN_SMS names a gateway without HTTPS; a code would travel in plain words.")
        self.url, self.key = url, key

    def send(self, number: str, text: str) -> None:
        body = json.dumps({"phone": number, "text": text, "id": str(uuid.uuid4())}, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        problem: Exception | None = None
        for _attempt in range(ATTEMPTS):
            request = urllib.request.Request(self.url, body, headers)  # noqa: S310 - checked in __init__
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310
                    answer.read(4096)
                return
            except urllib.error.HTTPError as refused:
                problem = refused
                if refused.code < 500:
                    break  # it has understood and does not want: again would be the same
            except OSError as away:
                problem = away
        log.error("the SMS gateway did not take a message: %s", problem)
        raise MessageNotSent(why=f"The gateway answered: {problem}.")


def gateway() -> Gateway:
    """The adapter that the settings name."""
    return _made(settings.ZHIWAN_SMS, settings.ZHIWAN_SMS_KEY_FILE, str(settings.ZHIWAN_DATA))


def stays_here() -> bool:
    """Whether messages leave this machine at all; if not, the page says where they are."""
    return settings.ZHIWAN_SMS in ("file", "console")


@cache
def _made(which: str, key_file: str, data: str) -> Gateway:
    if which == "file":
        return FileGateway(Path(data) / "sms" / "outbox.jsonl")
    if which == "console":
        return ConsoleGateway()
    try:
        key = Path(key_file).read_text(encoding="utf-8").strip() if key_file else ""
    except OSError as problem:
        raise MessageNotSent(why=f"The key file of the gateway cannot be read: {problem.strerror}.") from problem
    return HttpGateway(which, key)
