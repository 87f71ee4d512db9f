"""Python's decision and the database's rows agree, for random posts over random rows: one axis forgotten on one side
would show here. What a post may read is what it sees; what it may change is what the database lets it update."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhiwan.city.cases.models import Case, CaseStep
from zhiwan.city.people import guard
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.models import Organisation, Post
from zhiwan.city.people.reach import reach_of
from zhiwan.city.plans.models import Response, Task
from zhiwan.city.registry.models import Device, Entity, Relation
from zhiwan.city.watch.models import Alarm, AlarmEvent, LatestValue, SetAside, Warning, WarningReceipt, WarningStep
from zhiwan.kernel.guard.people import Reach, Subject, lines_of

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 7, 1, tzinfo=UTC)
TOWNS = ("990101001", "990101002", "990101003")
VILLAGES = tuple(f"{town}00{n}" for town in TOWNS for n in (1, 2))
AREAS = ("990101", *TOWNS, *VILLAGES, *(f"{village}001" for village in VILLAGES))
ZONES = ("river-a", "park-b")
CLASSES, BODIES = ("life.air", "governance.flood"), ("", "bureau", "station", "firm-x", "firm-y")
STATES = ("draft", "published", "lifted")
ROLES, POSTS = ("patrol", "crew"), ("p1", "p2", "p3")


def town_of(area: str) -> str:
    return area[:9] if len(area) >= 9 else ""


@pytest.fixture
def rows(transactional_db: None) -> None:
    """Sixty things and as many alarms, cases, warnings and tasks, anywhere and of anybody."""
    pick = random.Random(20260701)
    with acting_system("cli"):
        office = Organisation.objects.create(id="office", name_zh="所", name_en="office", area="990101")
        Post.objects.bulk_create(
            Post(id=id, role=pick.choice(ROLES), title_zh=id, title_en=id, organisation=office, scope="district")
            for id in POSTS
        )
        for n in range(60):
            area, class_, owner = pick.choice(AREAS), pick.choice(CLASSES), pick.choice(BODIES)
            zones = pick.sample(ZONES, pick.randint(0, 2))
            thing = Entity.objects.create(
                id=f"e{n}", type="Gauge", name=f"e{n}", town=town_of(area), area=area, zones=zones, owner=owner,
                line=f"{class_}@{owner}",
            )  # fmt: skip
            _with_thing(thing, n, pick)
            _common(n, pick)


def _with_thing(thing: Entity, n: int, pick: random.Random) -> None:
    Device.objects.create(id=f"d{n}", entity=thing, town=thing.town, secret_hash=b"0" * 32, created_at=AT)
    Relation.objects.create(from_entity=thing, link="beside", to_entity=thing, town=thing.town)
    LatestValue.objects.create(
        entity=thing, property="level", observed_at=AT, value=n, quality=0, source="x", recorded_at=AT, town=thing.town
    )
    SetAside.objects.create(
        seq=n, stream="s", device=f"d{n}", entity=thing.id, town=thing.town, raw="x", code="X", reason_zh="x",
        reason_en="x", received_at=AT,
    )  # fmt: skip
    alarm = Alarm.objects.create(
        id=f"a{n}", rule="governance.flood.x", rule_version="1", entity=thing, property="level", town=thing.town,
        area=thing.area, level="x", rank=1, peak_rank=1, tone="red", state="open", opened_at=AT, changed_at=AT,
        recorded_at=AT, message_zh="x", message_en="x",
    )  # fmt: skip
    AlarmEvent.objects.create(id=f"a{n}-1", alarm=alarm, town=thing.town, kind="opened", at=AT, recorded_at=AT)
    about = thing if pick.random() < 0.8 else None
    area = thing.area
    case = Case.objects.create(
        kind=f"{pick.choice(CLASSES)}.look", title_zh="x", title_en="x", town=town_of(area), area=area, entity=about,
        role=pick.choice(ROLES), handler_id=pick.choice((None, *POSTS)), opened_at=AT, due_take=AT, due_handle=AT,
    )  # fmt: skip
    CaseStep.objects.create(case=case, town=case.town, step="open", at=AT, actor="x")


def _common(n: int, pick: random.Random) -> None:
    town = pick.choice(("", *TOWNS))
    class_ = pick.choice(CLASSES)
    warning = Warning.objects.create(
        kind=f"{class_}.storm", level="x", rank=1, tone="red", town=town, area=town or "990101",
        state=pick.choice(STATES),
        title_zh="x", title_en="x", text_zh="x", text_en="x", created_at=AT,
    )  # fmt: skip
    WarningStep.objects.create(warning=warning, town=town, step="draft", at=AT, actor="x")
    WarningReceipt.objects.create(warning=warning, post_id=pick.choice(POSTS), town=town, sent_at=AT)
    response = Response.objects.create(
        plan=f"{class_}.plan", level="x", rank=1, tone="red", town=town, area=f"{town or '990101'}{n}"[:15], since=AT,
        changed_at=AT,
    )  # fmt: skip
    Task.objects.create(
        response=response, plan_task="t", level="x", role=pick.choice(ROLES), post_id=pick.choice((None, *POSTS)),
        text_zh="x", text_en="x", town=town, issued_at=AT, receipt_due=AT,
    )  # fmt: skip


def some(values: Iterable[str], least: int = 1) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(sorted(values)), min_size=least, max_size=3, unique=True)


@st.composite
def posts(draw: Callable[..., Any]) -> Post:
    """A post of any role that fits its scope; lines worked out as lines.py would."""
    scope = draw(st.sampled_from(("district", "towns", "zones", "own", "none")))
    base = {"own": "firm", "none": "system_admin"}.get(scope, "department_handler")
    post = Post(id=draw(st.sampled_from(POSTS)), role=draw(st.sampled_from(ROLES)), base_role=base, scope=scope)
    post.organisation_id = draw(st.sampled_from(BODIES[3:]))
    if scope in ("towns", "zones"):
        post.towns = draw(some(TOWNS, 1 if scope == "towns" else 0))
    if scope == "zones":
        post.zones = draw(some((*ZONES, *VILLAGES, f"{VILLAGES[0]}001")))
    if scope in ("district", "towns", "zones") and draw(st.booleans()):
        post.classes, post.bodies = draw(some(CLASSES)), draw(some(BODIES[1:], 0))
        post.lines = sorted(lines_of(post.classes, post.bodies or BODIES))
    return post


#: Tables with their own axes: name, rows, the id that raw SQL gives.
OWN_AXES: dict[str, Any] = {
    "registry_entity": Entity,
    "watch_alarm": Alarm,
    "cases_case": Case,
    "watch_warning": Warning,
    "plans_response": Response,
    "plans_task": Task,
}
#: Child table → (its parent's table, the column that names the parent).
CHILDREN = {
    "registry_device": ("registry_entity", "entity_id"),
    "registry_relation": ("registry_entity", "from_entity_id"),
    "watch_latestvalue": ("registry_entity", "entity_id"),
    "watch_setaside": ("registry_entity", "entity"),
    "watch_alarmevent": ("watch_alarm", "alarm_id"),
    "cases_casestep": ("cases_case", "case_id"),
    "watch_warningstep": ("watch_warning", "warning_id"),
}
#: What a town's post may change of a table (watch and cases, migrations 0002): any column will do.
CHANGE = {
    "watch_alarm": "score = score",
    "cases_case": "note = note",
    "watch_warning": "text_zh = text_zh",
    "plans_task": "note = note",
}


def seen(statement: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return {str(row[0]) for row in cursor.fetchall()}


def changed(table: str) -> set[str]:
    """Ids that an update without any condition changes; undone."""
    with transaction.atomic():
        found = seen(f"UPDATE {table} SET {CHANGE[table]} RETURNING id")
        transaction.set_rollback(True)
    return found


def ids(rows: dict[str, Subject], fits: Callable[[Subject], bool]) -> set[str]:
    return {id for id, subject in rows.items() if fits(subject)}


@pytest.mark.mission("E3")
def test_what_python_allows_is_what_the_database_shows(rows: None) -> None:
    with acting_system("cli"):
        subjects = {
            table: {str(row.pk): guard.subject_of(row) for row in model.objects.all()}
            for table, model in OWN_AXES.items()
        }
        parents = {
            table: {str(id): str(parent) for id, parent in _pairs(table, key)} for table, (_, key) in CHILDREN.items()
        }
    kinds: set[str] = set()
    cut: dict[str, int] = dict.fromkeys(OWN_AXES, 0)

    @settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
    @given(post=posts())
    def agree(post: Post) -> None:
        reach: Reach = reach_of(post)
        kinds.add(reach.kind)
        if post.scope == "none":  # the administrators: nothing of the city, not even what is said to all
            with acting(post):
                assert all(seen(f"SELECT id FROM {table}") == set() for table in OWN_AXES)
            return
        with acting(post):
            for table, wanted in subjects.items():
                expected = ids(wanted, reach.sees)
                assert seen(f"SELECT id FROM {table}") == expected, (table, reach)
                cut[table] += 0 < len(expected) < len(wanted)
                if table in CHANGE and not (reach.kind == "area" and table == "watch_warning"):
                    assert changed(table) == ids(wanted, reach.covers), (table, reach)
            for table, (parent, _) in CHILDREN.items():
                visible = ids(subjects[parent], reach.sees)
                expected = {id for id, of in parents[table].items() if of in visible}
                assert seen(f"SELECT {_key(table)} FROM {table}") == expected, (table, reach)

    agree()
    assert kinds == {"district", "line", "area", "scoped"}
    assert min(cut.values()) > 5  # the posts told rows apart: neither all nor none


def _key(table: str) -> str:
    return "entity_id" if table == "watch_latestvalue" else "id"


def _pairs(table: str, key: str) -> list[tuple[Any, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_key(table)}, {key} FROM {table}")
        return list(cursor.fetchall())
