"""People of the tests: a desk, a data steward who needs a second factor, the three administrators, a resident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.actions import create_user
from zhiwan.city.people.models import Organisation, Post, User
from zhiwan.city.people.ways_in import phones, residents

#: When things happen in tests that carry a clock.
AT = datetime(2026, 7, 1, 8, tzinfo=UTC)
PASSWORD = "Long-pass-phrase-1"
Staff = Callable[..., User]


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
    import json

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
