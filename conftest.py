"""What every test may ask for: the real servers, and a migrated database acting with the login role's few rights.

Tests talk to the database as the product does: `default` is the login role, tables belong to the owner. So Django's
own test database is not used; each test process has a server of its own (tests/servers.py).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent / "tests"))  # `servers` and other helpers of the tests

from servers import SERVERS
from zhiwan.run.embedded.nats import Address
from zhiwan.run.embedded.postgres import Urls

#: Filled by migrations and needed by them; everything else is emptied after a transaction test.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def pytest_configure() -> None:
    """Static files come from their sources: what a `bin/up` of this checkout collected may be older than they are."""
    import hypothesis
    from django.conf import settings

    # A busy machine makes no test fail: how long an example may take is no property of the code.
    hypothesis.settings.register_profile("zhiwan", deadline=None)
    hypothesis.settings.load_profile("zhiwan")
    settings.WHITENOISE_USE_FINDERS = True
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }


def pytest_unconfigure() -> None:
    SERVERS.stop()


@pytest.fixture(scope="session")
def postgres() -> Urls:
    """The database server of this test process: urls of the owner and of the login role."""
    return SERVERS.postgres()


@pytest.fixture(scope="session")
def nats() -> Address:
    """The bus of this test process, with its streams."""
    return SERVERS.nats()


@pytest.fixture(scope="session")
def migrated(postgres: Urls, django_db_blocker: Any) -> Urls:
    """The database with all tables, roles' rights and policies."""
    from django.core.management import call_command

    _point_django_at(postgres)
    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0, interactive=False)
    return postgres


@pytest.fixture(scope="session")
def django_db_setup(migrated: Urls) -> None:
    """Replaces pytest-django's: no `test_` database, the migrated one is this process's own."""


@pytest.fixture(scope="session", autouse=True)
def _emptied_by_the_owner() -> Iterator[None]:
    """After a transaction test Django empties all tables; the login role may not, so the owner does."""
    from django.test import TransactionTestCase

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: empty_tables(SERVERS.postgres()))
        yield


def empty_tables(urls: Urls) -> None:
    """Remove all rows that tests wrote."""
    with psycopg.connect(urls.owner) as connection:
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        names = sorted({name for (name,) in found} - KEPT)
        audit = [name for name in names if name.startswith("people_auditrecord")]
        filled = [name for name in audit if _has_rows(connection, name)]
        # Partitions of the audit refuse to be emptied, by triggers that only their owner can put aside.
        for name in filled:
            connection.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        # Not through their parent: that would make new files for all indexes of every month.
        emptied = [*(name for name in names if name not in audit), *filled]
        connection.execute(f"TRUNCATE {', '.join(emptied)} RESTART IDENTITY CASCADE")
        for name in filled:
            connection.execute(f"ALTER TABLE {name} ENABLE TRIGGER USER")


def _has_rows(connection: psycopg.Connection[Any], table: str) -> bool:
    """Whether a partition has rows; the parent itself never has."""
    if table == "people_auditrecord":
        return False
    query = f"SELECT 1 FROM {table} LIMIT 1"  # noqa: S608 - a name out of pg_tables
    return connection.execute(query).fetchone() is not None


def _point_django_at(urls: Urls) -> None:
    """Settings were read before the server existed; the same function makes the same databases of its URLs."""
    from django.conf import settings
    from django.db import connections

    from zhiwan.city.environment import database

    settings.DATABASES = {
        "default": database(urls.login, role="zhiwan_area"),
        "owner": database(urls.owner),
    }
    for alias in ("default", "owner"):
        if hasattr(connections._connections, alias):
            delattr(connections._connections, alias)
    connections._settings = None
    connections.__dict__.pop("settings", None)


@pytest.fixture(autouse=True)
def _names_of_areas_are_those_of_this_test() -> Iterator[None]:
    """They are remembered for a minute; the next test may have another city."""
    yield
    if (queries := sys.modules.get("zhiwan.city.registry.queries")) is not None:
        queries._names = (0.0, {})  # type: ignore[attr-defined]
