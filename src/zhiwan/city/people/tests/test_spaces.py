"""Spaces with raw SQL: no statement of one space reads, changes, deletes or counts a row of another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from zhiwan.city.people.acting import acting, acting_system, current_space, use_space
from zhiwan.city.people.models import Organisation, Post
from zhiwan.city.registry.models import Device, Entity
from zhiwan.city.sql.spaces import EVERY

pytestmark = pytest.mark.django_db(transaction=True)
TOWN = "990101001"


@pytest.fixture
def posts() -> dict[str, Post]:
    with acting_system("cli"):
        office = Organisation.objects.create(id="office", name_zh="所", name_en="office", area="990101")
        posts = {
            id: Post.objects.create(
                id=id, role="operator", title_zh=id, title_en=id, organisation=office, scope=scope, towns=towns
            )
            for id, scope, towns in (("desk", "district", []), ("east", "towns", [TOWN]))
        }
    for space in ("live", "drill"):
        with acting_system("cli", space=space):
            entity = Entity.objects.create(id=f"{space}-1", type="Gauge", name="x", town=TOWN, area=TOWN)
            digest = b"0" * 32
            Device.objects.create(
                id=f"{space}-1", entity=entity, town=TOWN, secret_hash=digest, created_at=timezone.now()
            )
    return posts


def rows(statement: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, list(values))
        return [row[0] for row in cursor.fetchall()] if cursor.description else [cursor.rowcount]


@pytest.mark.parametrize("post", ["desk", "east"])
def test_a_post_sees_the_rows_of_one_space_only(posts: dict[str, Post], post: str) -> None:
    with acting(posts[post]):
        assert rows("SELECT id FROM registry_entity") == ["live-1"]
    with acting(posts[post], space="drill"):
        assert rows("SELECT id FROM registry_entity") == ["drill-1"]
        assert rows("SELECT space FROM registry_device") == ["drill"]


def test_what_is_written_lies_where_one_acts_and_cannot_be_moved(posts: dict[str, Post]) -> None:
    with acting_system("worker", space="drill"):
        assert rows("SELECT space FROM registry_entity WHERE id = 'drill-1'") == ["drill"]
        assert rows("UPDATE registry_entity SET name = 'y'") == [1]
        for statement in (
            "UPDATE registry_entity SET space = 'live'",
            "INSERT INTO watch_doorcounter (hour, door, code, count, space) VALUES (now(), 'mqtt', 'x', 1, 'live')",
        ):
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                rows(statement)
        assert rows("DELETE FROM registry_device") == [1]
    with acting_system("worker"):
        assert rows("SELECT name FROM registry_entity") == ["x"]
        assert rows("SELECT id FROM registry_device") == ["live-1"]


def test_counts_and_scores_of_one_space_stay_there(posts: dict[str, Post]) -> None:
    count = (
        "INSERT INTO watch_doorcounter AS c (hour, door, code, count) VALUES ('2026-07-01', 'mqtt', 'taken', %s)"
        " ON CONFLICT (space, hour, door, code) DO UPDATE SET count = c.count + excluded.count"
    )
    score = (
        "INSERT INTO watch_rulescore AS s (rule, rule_version, hit, false_alarm, miss) VALUES ('r', '1', %s, 0, 0)"
        " ON CONFLICT (space, rule, rule_version) DO UPDATE SET hit = s.hit + excluded.hit"
    )
    for space, number in (("live", 5), ("drill", 70), ("drill", 7)):
        with acting_system("worker", space=space):
            rows(count, number)
            rows(score, number)
    found = {}
    for space in ("live", "drill"):
        with acting_system("worker", space=space):
            found[space] = rows("SELECT count FROM watch_doorcounter") + rows("SELECT hit FROM watch_rulescore")
    assert found == {"live": [5, 5], "drill": [77, 77]}


def test_the_doors_read_devices_of_every_space_and_change_none(posts: dict[str, Post]) -> None:
    with acting_system("door", space=EVERY):
        assert sorted(rows("SELECT id FROM registry_device")) == ["drill-1", "live-1"]
        assert rows("SELECT id FROM registry_entity") == []
        assert rows("DELETE FROM registry_device") == [0]


def test_a_space_is_inherited_and_left_again(posts: dict[str, Post]) -> None:
    setting = "SELECT coalesce(current_setting('zhiwan.space', true), '')"
    with acting(posts["desk"], space="drill"):
        with acting_system("jobs"):
            assert (current_space(), rows(setting)) == ("drill", ["drill"])
        with acting_system("jobs", space="live"):
            assert rows("SELECT id FROM registry_entity") == ["live-1"]
        assert rows(setting) == ["drill"]
    assert (current_space(), rows(setting)) == ("live", [""])


@pytest.fixture
def drilling() -> Iterator[None]:
    use_space("drill")
    yield
    use_space("live")


def test_a_process_of_a_space_acts_there(posts: dict[str, Post], drilling: None) -> None:
    with acting_system("worker"):
        assert rows("SELECT id FROM registry_entity") == ["drill-1"]


def test_every_table_with_a_space_is_guarded_and_every_town_has_a_space(migrated: object) -> None:
    """A new table of facts that forgets its space fails here."""
    found = """
        SELECT c.relname, c.relrowsecurity AND EXISTS (
                 SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND NOT p.polpermissive) AS guarded
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = %s
        WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace ORDER BY 1
        """
    with connection.cursor() as cursor:
        cursor.execute(found, ["space"])
        spaces = dict(cursor.fetchall())
        cursor.execute(found, ["town"])
        towns = dict(cursor.fetchall())
    open_to_all = [name for name, guarded in spaces.items() if not guarded]
    # The audit is one for all spaces: its chains would have holes otherwise. Its rows lie in partitions.
    assert all(name.startswith("people_auditrecord_") for name in open_to_all)
    assert set(towns) <= set(spaces)
