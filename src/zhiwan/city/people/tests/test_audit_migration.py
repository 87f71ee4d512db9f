"""What was recorded before there were chains is in them afterwards, in its order, and whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from zhiwan.run.embedded.postgres import Urls

ROWS = """
INSERT INTO people_organisation VALUES ('centre', '中心', 'Centre', '990101');
INSERT INTO people_post (id, role, title_zh, title_en, scope, towns, organisation_id)
    VALUES ('desk', 'operator', '台', 'Desk', 'district', '{}', 'centre');
INSERT INTO people_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
                         date_joined, display_name, language)
    VALUES (1, '', false, 'li', '', '', '', false, true, now(), '李', '');
INSERT INTO people_auditrecord (at, user_id, post_id, actor, action, subject, before, after, address, space) VALUES
    ('2026-03-31 23:59:59.999999+00', 1, NULL, '李', 'people.sign_in', 'user:li', NULL, '{"how": 1}', '::1', 'live'),
    ('2026-05-01 00:00:00+00', 1, 'desk', '李', 'c.take', 'case:1', '{"n": 1.50}', '{"n": 2.0}', '10.0.0.7', 'live'),
    ('2024-09-18 14:00:00+00', NULL, 'desk', '推演人员', 'c.close', 'case:9', NULL, NULL, NULL, 'typhoon'),
    ('2026-04-30 00:00:00+00', 1, 'desk', '李', 'c.close', 'case:1', NULL, '{"a": [1e3, null]}', NULL, 'live'),
    ('2026-05-02 00:00:00+00', NULL, NULL, 'system:jobs', 'c.open', 'case:2', NULL, NULL, NULL, 'live'),
    ('2026-05-02 00:00:00+00', NULL, NULL, 'nobody', 'x.y', 'z:1', NULL, NULL, NULL, 'live');
"""


def migrations() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The one that makes the chains, and what it follows."""
    graph = MigrationExecutor(connections["before"]).loader.graph
    after = next(key for key in graph.nodes if key[0] == "people" and key[1].endswith("_audit_chain"))
    before = [key.key for key in graph.node_map[after].parents if key.key[0] == "people"]
    return before, [after]


@pytest.fixture
def before(migrated: Urls, django_db_blocker: Any) -> Iterator[str]:
    """A database of its own, as it was before the chains, with records; the login role's address of it."""
    with psycopg.connect(migrated.owner, autocommit=True) as owner:
        owner.execute("CREATE DATABASE before")
    connections.settings["before"] = connections.settings["owner"] | {"NAME": "before"}
    with django_db_blocker.unblock():
        MigrationExecutor(connections["before"]).migrate(migrations()[0])
        with connections["before"].cursor() as cursor:
            cursor.execute(ROWS)
        yield migrated.login.replace("/zhiwan?", "/before?")
        connections["before"].close()
    del connections.settings["before"]
    with psycopg.connect(migrated.owner, autocommit=True) as owner:
        owner.execute("DROP DATABASE before WITH (FORCE)")


def asked(query: str) -> list[tuple[Any, ...]]:
    with connections["before"].cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def test_earlier_records_are_chained_in_their_order(before: str) -> None:
    MigrationExecutor(connections["before"]).migrate(migrations()[1])
    fields = "chain, seq, account, subject, recorded_at = at"
    assert asked(f"SELECT {fields} FROM people_auditrecord ORDER BY chain, seq") == [
        ("accounts", 1, "li", "user:li", True),
        ("accounts", 2, "nobody", "z:1", True),
        ("org:centre", 1, "li", "case:1", True),
        ("org:centre", 2, "推演人员", "case:9", False),
        ("org:centre", 3, "li", "case:1", False),
        ("system:cli", 1, "system:cli", "audit:records", True),
        ("system:jobs", 1, "system:jobs", "case:2", True),
    ]
    months = asked("SELECT DISTINCT tableoid::regclass::text FROM people_auditrecord")
    assert ("people_auditrecord_2026_03",) in months
    assert ("people_auditrecord_rest",) not in months
    code, report = verify(before)
    # Nothing was ever signed there, and it says so.
    assert (code, report["findings"], report["records"]) == (3, [], 7)
    assert report["cannot_see"][0]["code"] == "no_heads"


def verify(url: str) -> tuple[int, Any]:
    """`zhiwan audit verify`, as one would after an upgrade."""
    environment = {**os.environ, "ZHIWAN_DATABASE_URL": url, "ZHIWAN_DATA": "/nonexistent-zhiwan"}
    command = [sys.executable, "-m", "zhiwan.run.cli", "audit", "verify", "--json"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert told.stdout, told.stderr
    return told.returncode, json.loads(told.stdout)
