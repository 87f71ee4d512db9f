"""Row security with raw SQL: a filter forgotten in Python returns no foreign row, and nothing leaks to the next."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from zhiwan.city.people import audit
from zhiwan.city.people.acting import acting, acting_system, current_actor
from zhiwan.city.people.models import Organisation, Post
from zhiwan.city.registry.models import Entity

pytestmark = pytest.mark.django_db(transaction=True)
EAST, WEST = "990101001", "990101002"


@pytest.fixture
def posts() -> dict[str, Post]:
    with acting_system("cli"):
        office = Organisation.objects.create(id="office", name_zh="所", name_en="office", area="990101")
        for id, town in (("e1", EAST), ("w1", WEST), ("d1", "")):
            Entity.objects.create(id=id, type="Gauge", name=id, town=town, area=town or "990101")
        made = [
            Post(id=id, role="operator", title_zh=id, title_en=id, organisation=office, scope=scope, towns=towns)
            for id, scope, towns in (
                ("desk", "district", []),
                ("east", "towns", [EAST]),
                ("both", "towns", [EAST, WEST]),
            )
        ]
        Post.objects.bulk_create(made)
    return {one.id: one for one in made}


def seen() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM registry_entity ORDER BY id")
        return [id for (id,) in cursor.fetchall()]


def role() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, coalesce(current_setting('zhiwan.towns', true), '')")
        return tuple(cursor.fetchone())


@pytest.mark.mission("E3")
def test_each_post_sees_the_rows_of_its_towns(posts: dict[str, Post]) -> None:
    found = {}
    for id, post in posts.items():
        with acting(post):
            found[id] = seen()
    assert found == {"desk": ["d1", "e1", "w1"], "east": ["e1"], "both": ["e1", "w1"]}


def test_without_acting_no_guarded_row_is_seen(posts: dict[str, Post]) -> None:
    assert role() == ("zhiwan_area", "")
    assert seen() == []


def test_nothing_is_left_for_the_next_user_of_the_connection(posts: dict[str, Post]) -> None:
    with acting(posts["east"]):
        assert role() == ("zhiwan_area", EAST)
    assert role() == ("zhiwan_area", "")
    with pytest.raises(ZeroDivisionError), acting(posts["desk"]):
        raise ZeroDivisionError
    assert role() == ("zhiwan_area", "")
    assert current_actor() is None


def test_acting_nests_and_comes_back(posts: dict[str, Post]) -> None:
    with acting(posts["east"]):
        with acting_system("jobs"):
            assert seen() == ["d1", "e1", "w1"]
        assert seen() == ["e1"]
        with pytest.raises(ZeroDivisionError), acting_system("jobs"):
            raise ZeroDivisionError
        assert role() == ("zhiwan_area", EAST)
        with pytest.raises(ProgrammingError), acting_system("jobs"), connection.cursor() as cursor:
            cursor.execute("SELECT nonsense")
        assert seen() == ["e1"]


def test_a_town_cannot_write_into_another(posts: dict[str, Post]) -> None:
    insert = (
        "INSERT INTO cases_case (kind, title_zh, title_en, town, area, state, role, opened_at, due_take, due_handle,"
        " outcome, note) VALUES ('k', '', '', %s, '', 'open', 'r', now(), now(), now(), '', '')"
    )
    with acting(posts["east"]), connection.cursor() as cursor:
        cursor.execute(insert, [EAST])
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            cursor.execute(insert, [WEST])
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            cursor.execute("UPDATE cases_case SET town = %s", [WEST])


def test_a_town_cannot_write_the_registry(posts: dict[str, Post]) -> None:
    for statement in (
        "UPDATE registry_entity SET name = 'x'",
        "DELETE FROM registry_entity",
        "DELETE FROM watch_alarm",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), acting(posts["east"]):
            run(statement)


CHANGES = ("UPDATE people_auditrecord SET actor = 'x'", "DELETE FROM people_auditrecord")


def run(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("statement", [*CHANGES, "TRUNCATE people_auditrecord"])
def test_nobody_changes_the_audit(statement: str, migrated: Any) -> None:
    with acting_system("cli"):
        audit.record("test.write", "x:1", at=timezone.now())
    with pytest.raises(ProgrammingError, match="permission denied"), acting_system("cli"):
        run(statement)
    with psycopg.connect(migrated.owner) as owner, pytest.raises(psycopg.Error, match="append-only"):
        owner.execute(statement)


def test_every_table_with_a_town_is_guarded(migrated: object) -> None:
    """A new guarded table that forgets its policy fails here, a table without any right fails in use."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, c.relrowsecurity, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'town'
            WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1
            """
        )
        rows = cursor.fetchall()
    assert len(rows) > 10
    assert [name for name, enabled, policies in rows if not enabled or policies < 4] == []


def test_the_login_role_holds_nothing_by_itself(migrated: object) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL ROLE zhiwan_login")
        with pytest.raises(ProgrammingError, match="permission denied"):
            cursor.execute("SELECT 1 FROM registry_entity")
