"""Where sessions are kept: Django's store of the database, with who, where and until when in columns of its own.

The key in the cookie is kept as a digest: whoever reads the table cannot take over a session. Whether a session still
holds (ended, idle, too old) is decided where it is loaded, so that no view can forget to ask.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone

from zhiwan.city.people.ways_in import limits
from zhiwan.city.people.ways_in.models import Session

#: Where a session's own facts stand in its data; written by sessions.enter().
FACTS = "ways_in"
GONE, IDLE, OLD = "gone", "idle", "old"


def over(row: Session, at: datetime) -> str:
    """Why a session does not hold any more; empty when it does."""
    if row.ended_at is not None:
        return row.ended_why
    rules = limits.at(at)
    if at >= row.expire_date or (row.user_id is not None and at >= row.created_at + rules.session):
        return OLD
    if row.user_id is not None and not row.wall and at >= row.seen_at + rules.idle:
        return IDLE
    return ""


class SessionStore(DatabaseStore):
    """See the module. `row` is the loaded session, `ended` why the one of the cookie is over."""

    row: Session | None = None
    ended = ""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def _get_session_from_db(self) -> Session | None:
        self.row = Session.objects.filter(session_key=kept(self.session_key)).first()
        self.ended = GONE if self.row is None else over(self.row, timezone.now())
        if self.ended:
            self.row = None
            self._session_key = None
        return self.row

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(session_key=kept(session_key)).exists()

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            Session.objects.filter(session_key=kept(key)).delete()

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        facts, now = data.get(FACTS) or {}, timezone.now()
        second_at = facts.get("second_at")
        return Session(
            session_key=kept(self._get_or_create_session_key()),  # type: ignore[attr-defined]
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=data.get(SESSION_KEY),
            created_at=now,
            seen_at=now,
            address=facts.get("address") or None,
            agent=facts.get("agent", ""),
            how=facts.get("how", ""),
            second_at=datetime.fromisoformat(second_at) if second_at else None,
            wall=bool(facts.get("wall")),
        )

    def save(self, must_create: bool = False) -> None:
        """A session that was ended meanwhile is not brought back by a request that was still on its way."""
        if self.session_key is None or must_create:
            super().save(must_create=must_create)
            return
        made = self.create_model_instance(self._get_session(no_load=False))  # type: ignore[attr-defined]
        kept_fields = ("session_data", "expire_date", "user_id", "address", "agent", "how", "second_at", "wall")
        values = {name: getattr(made, name) for name in kept_fields}
        if Session.objects.filter(session_key=made.session_key, ended_at=None).update(**values) != 1:
            raise UpdateError


def kept(session_key: str | None) -> str:
    """What the table holds of a key."""
    return hashlib.sha256((session_key or "").encode()).hexdigest()[:40]
