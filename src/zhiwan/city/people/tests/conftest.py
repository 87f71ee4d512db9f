"""People of the tests (a desk, a data steward who needs a second factor, the three administrators, a resident), and an
audit to work on: a data folder of its own, the owner's connection, records that look as if of other months.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.actions import create_user
from zhiwan.city.people.models import AuditChain, Organisation, Post, User
from zhiwan.city.people.ways_in import phones, residents
from zhiwan.kernel.guard.chain import ZERO, Entry, Link, link, to_row

#: When things happen in tests that carry a clock.
AT = datetime(2026, 7, 1, 8, tzinfo=UTC)
PASSWORD = "Long-pass-phrase-1"
Staff = Callable[..., User]
COLUMNS = (
    "form", "chain", "seq", "recorded_at", "at", "user_id", "account", "actor", "post", "organisation", "action",
    "subject", "before", "after", "purpose", "address", "space", "previous", "hash",
)  # fmt: skip


class Intruder:
    """Whoever owns the database, or took its files: every trigger can be put aside."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    @contextmanager
    def unhindered(self) -> Iterator[psycopg.Connection[Any]]:
        """Without the triggers; afterwards everything looks as before."""
        tables = [name for (name,) in self._connection.execute(
            "SELECT relname FROM pg_class WHERE relname ~ '^people_auditrecord(_rest|_[0-9]{4}_[0-9]{2})?$'"
        ).fetchall()]  # fmt: skip
        with self._connection.transaction():
            for table in tables:
                self._connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            yield self._connection
            for table in tables:
                if self._connection.execute("SELECT to_regclass(%s)", [table]).fetchone() != (None,):
                    self._connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")

    def put(self, made: Link) -> None:
        """A row with this content, its own hash or not."""
        row = to_row(made) | {"user_id": made.entry.user, "previous": made.previous, "hash": made.hash}
        values = [json.dumps(row[name]) if name in ("before", "after") else row[name] for name in COLUMNS]
        marks = ", ".join(["%s"] * len(COLUMNS))
        self._connection.execute(f"INSERT INTO people_auditrecord ({', '.join(COLUMNS)}) VALUES ({marks})", values)

    def mend_head(self, chain: str) -> None:
        """The head row as the last record of the chain has it."""
        self._connection.execute(
            "UPDATE people_auditchain c SET seq = r.seq, hash = r.hash FROM (SELECT seq, hash FROM people_auditrecord"
            " WHERE chain = %s ORDER BY seq DESC LIMIT 1) r WHERE c.chain = %s",
            [chain, chain],
        )

    def grow(self, chain: str, count: int, since: datetime, every: timedelta) -> None:
        """Records as they would be there had they been made at other times; the months for them too."""
        head = self._connection.execute("SELECT seq, hash FROM people_auditchain WHERE chain = %s", [chain]).fetchone()
        seq, previous = (head[0], bytes(head[1])) if head else (0, ZERO)
        for number in range(count):
            at = since + number * every
            self._connection.execute("SELECT people_audit_make_month(%s)", [at.date()])
            seq += 1
            made = link(previous, entry(chain, seq, at))
            previous = made.hash
            self.put(made)
        self._connection.execute(
            "INSERT INTO people_auditchain (chain, seq, hash, recorded_at) VALUES (%s, %s, %s, now())"
            " ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash",
            [chain, seq, previous],
        )


def entry(chain: str, seq: int, at: datetime) -> Entry:
    return Entry(
        chain=chain, seq=seq, recorded_at=at, at=at, user=None, account="li", actor="李", post="desk",
        organisation="a", action="test.write", subject=f"x:{seq}", before=None, after={"n": seq}, purpose="",
        address=None, space="live",
    )  # fmt: skip


@pytest.fixture
def intruder(migrated: Any, transactional_db: None) -> Iterator[Intruder]:
    """The owner's connection; the months a test made are dropped at its end."""
    with psycopg.connect(migrated.owner, autocommit=True) as connection:
        before = _months(connection)
        yield Intruder(connection)
        for month in _months(connection) - before:
            connection.execute(f"DROP TABLE {month}")


def _months(connection: psycopg.Connection[Any]) -> set[str]:
    found = "SELECT relname FROM pg_class WHERE relname ~ '^people_auditrecord_[0-9]{4}_[0-9]{2}$'"
    return {name for (name,) in connection.execute(found).fetchall()}


@pytest.fixture
def data(settings: Any, tmp_path: Path) -> Path:
    """Where this audit's key and signed heads lie."""
    settings.ZHIWAN_DATA = tmp_path
    return tmp_path


def seq_of(chain: str) -> int:
    return AuditChain.objects.get(chain=chain).seq


@pytest.fixture
def quick_hashes(settings: Any) -> None:
    """Passwords are hashed at once: how slow a real hash is, is Django's affair."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def staff(db: None, quick_hashes: None) -> Staff:
    """staff("security_admin") → an account that holds a post of the role; staff("operator", password=None)."""

    def make(role: str = "operator", name: str = "", password: str | None = PASSWORD) -> User:
        with acting_system("cli"):
            office, _made = Organisation.objects.get_or_create(
                id="office", defaults={"name_zh": "所", "name_en": "office", "area": "990101"}
            )
            post, _made = Post.objects.get_or_create(
                id=role.replace("_", "-"),
                defaults={
                    "role": role,
                    "title_zh": role,
                    "title_en": role,
                    "organisation": office,
                    "scope": "district",
                },
            )
            return create_user(name=name or role, display_name=name or role, password=password, posts=[post])

    return make


@pytest.fixture
def outbox(db: None, settings: Any, tmp_path: Path) -> Callable[[], list[dict[str, str]]]:
    """What the file adapter wrote."""
    settings.ZHIWAN_DATA = tmp_path
    settings.ZHIWAN_SMS = "file"

    def read() -> list[dict[str, str]]:
        file = tmp_path / "sms" / "outbox.jsonl"
        return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []

    return read


@pytest.fixture
def resident(db: None) -> Callable[[str], User]:
    """The account of a phone whose holder has proved it."""

    def make(number: str) -> User:
        return residents.account_of(phones.read(number), AT)

    return make


def post_of(user: User) -> Post:
    """The post that an account holds."""
    return Post.objects.get(holding__user=user)
