"""The decision: every no has its reason, and nothing that nobody declared is allowed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhiwan.kernel.guard.actions import Action, ActionBook, ActionTwice
from zhiwan.kernel.guard.decide import Decision, Obligation, Reason, decide, may_attempt
from zhiwan.kernel.guard.people import EVERYWHERE, NOBODY, NOWHERE, Person, Reach, Subject
from zhiwan.kernel.guard.purposes import Purpose, PurposeBook
from zhiwan.kernel.guard.roles import RoleBook, RolesFile, RoleWrong

AT = datetime(2026, 7, 1, 8, tzinfo=UTC)
EAST, WEST = "990101001", "990101002"


def words(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def action(id: str, sort: str = "write", **more: Any) -> dict[str, Any]:
    return {"id": id, "title": words(id), "sort": sort, **more}


ACTIONS = ActionBook(
    Action.model_validate(one)
    for one in (
        action("way.enter", "way", to="anyone"),
        action("way.choose", "way", to="account"),
        action("case.read", "read"),
        action("case.close", given=True, needs="case.read"),
        action("case.open", system=True),
        action("warning.sign"),
        action("field.reveal", "reveal", logged=True, reason=True),
        action("list.export", "export", logged=True),
        action("key.turn", second_factor=True),
    )
)


def role(id: str, **more: Any) -> dict[str, Any]:
    base = {"id": id, "title": words(id), "job": words(id), "sort": "business", "scopes": ["district", "towns"]}
    return base | more


FILE: dict[str, Any] = {
    "sets": {"see": ["case.read"]},
    "roles": [
        role("desk", holds=["see"], may=["warning.sign", "field.reveal", "list.export", "key.turn"], reveals=4),
        role("worker", holds=["see"], aliases=["operator"], on_duty=True),
        role("looker", holds=["see"]),
        role("passer", may=["way.enter"]),
        role("keeper", sort="administrator", second_factor=True, alone=True, scopes=["none"], may=["key.turn"]),
        role("auditor", sort="administrator", alone=True, scopes=["none"]),
        role("author", excludes=["desk"]),
    ],
}
BOOK = RoleBook([RolesFile.model_validate(FILE)], ACTIONS)


def person(role: str = "desk", **more: Any) -> Person:
    facts: dict[str, Any] = {"account": "a", "post": "p", "duty": role, "reach": EVERYWHERE}
    return Person(role=role, **facts | more)


PURPOSES = PurposeBook(
    [
        Purpose.model_validate(
            {"id": "duty", "title": words("duty"), "basis": words("a law"), "fields": ["Gauge.keeper", "Gauge.phone"],
             "roles": ["desk"], "keep_days": 30, "since": "2026-07-01", "until": "2026-08-01"}
        )
    ],
    "Asia/Shanghai",
)  # fmt: skip


def asked(
    who: Person,
    what: str,
    subject: Subject | None = None,
    *,
    purpose: str = "",
    given: bool = False,
    at: datetime = AT,
    under: str = "duty",
) -> Decision:
    return decide(who, what, subject, purpose, at, book=BOOK, given=given, under=under, purposes=PURPOSES)


@pytest.mark.mission("E3")
@pytest.mark.parametrize(
    ("who", "what", "reason"),
    [
        (person(), "case.read", Reason.ALLOWED),
        (person(), "case.delete", Reason.UNDECLARED),
        (NOBODY, "case.read", Reason.NOBODY),
        (NOBODY, "way.enter", Reason.ALLOWED),
        (NOBODY, "way.choose", Reason.NOBODY),
        (Person(account="a"), "way.choose", Reason.ALLOWED),
        (Person(account="a"), "case.read", Reason.NO_POST),
        (person("worker"), "warning.sign", Reason.NOT_HELD),
        (person("operator"), "case.read", Reason.ALLOWED),  # a former name of the worker
        (person("stranger"), "case.read", Reason.ROLE_UNKNOWN),
        (person(since=AT + timedelta(seconds=1)), "case.read", Reason.NOT_YET),
        (person(until=AT), "case.read", Reason.ENDED),
        (person(since=AT, until=AT + timedelta(seconds=1)), "case.read", Reason.ALLOWED),
        (person("keeper"), "key.turn", Reason.SECOND_FACTOR),
        (person("keeper", second_factor=True), "key.turn", Reason.ALLOWED),
        (person(), "key.turn", Reason.SECOND_FACTOR),  # the action demands it, whatever the role
        (Person(process=True, reach=EVERYWHERE), "case.open", Reason.ALLOWED),
        (Person(process=True, reach=EVERYWHERE), "warning.sign", Reason.NOT_HELD),  # no machine signs
    ],
)
def test_what(who: Person, what: str, reason: Reason) -> None:
    decision = asked(who, what)
    assert (decision.reason, decision.allow) == (reason, reason is Reason.ALLOWED)


def test_where_and_whose_both_hold_or_the_row_is_ones_own() -> None:
    water = person(reach=Reach(towns=frozenset({EAST}), lines=frozenset({"flood@bureau"}), own=frozenset({"post:p"})))
    flood, air = "flood@bureau", "air@bureau"
    assert asked(water, "case.read", Subject(town=EAST, line=flood))
    assert asked(water, "case.read", Subject(town=WEST, line=flood)).reason is Reason.OUT_OF_REACH
    assert asked(water, "case.read", Subject(town=EAST, line=air)).reason is Reason.OUT_OF_REACH
    assert asked(water, "case.read", Subject(town=WEST, line=air, own=frozenset({"post:p"})))


def test_a_zone_reaches_across_towns() -> None:
    chief = person(reach=Reach(zones=frozenset({"river"})))
    assert asked(chief, "case.read", Subject(town=WEST, zones=frozenset({"river", "park"})))
    assert asked(chief, "case.read", Subject(town=EAST)).reason is Reason.OUT_OF_REACH


def test_what_is_said_to_all_is_read_by_all_and_changed_by_those_it_belongs_to() -> None:
    east = person(reach=Reach(towns=frozenset({EAST})))
    for town, reads, writes in (("", True, False), (EAST, True, True), (WEST, False, False)):
        subject = Subject(town=town, common=True)
        assert asked(east, "case.read", subject).allow is reads
        assert asked(east, "warning.sign", subject).allow is writes


def test_a_pack_gives_an_action_only_to_who_may_see_its_subject() -> None:
    assert asked(person("worker"), "case.close", given=True)
    assert asked(person("worker"), "case.close").reason is Reason.NOT_HELD
    assert asked(person("passer"), "case.close", given=True).reason is Reason.NOT_HELD
    assert asked(person("looker"), "case.close", given=True).reason is Reason.NOT_HELD  # sees it, is not on duty
    # What is not declared to be given is not, whoever says so.
    assert asked(person("worker"), "warning.sign", given=True).reason is Reason.NOT_HELD


def test_at_the_door_of_a_page_what_may_be_given_passes_and_nothing_else() -> None:
    assert may_attempt(person("worker"), "case.close", AT, book=BOOK)
    assert not may_attempt(person("worker"), "warning.sign", AT, book=BOOK)
    assert may_attempt(person(), "field.reveal", AT, book=BOOK)
    assert not may_attempt(person("worker"), "field.reveal", AT, book=BOOK)


def test_a_reveal_needs_a_reason_a_grade_and_for_the_highest_a_second_factor() -> None:
    desk = person()
    three, four, five = (Subject(grade=grade, field="Gauge.keeper") for grade in (3, 4, 5))
    assert asked(desk, "field.reveal", three).reason is Reason.REASON_MISSING
    assert asked(desk, "field.reveal", three, purpose="  ").reason is Reason.REASON_MISSING
    assert asked(desk, "field.reveal", three, purpose="to call").obligations == {Obligation.LOG}
    assert asked(desk, "field.reveal", four, purpose="to call").reason is Reason.SECOND_FACTOR
    assert asked(person(second_factor=True), "field.reveal", four, purpose="to call")
    assert asked(person(second_factor=True), "field.reveal", five, purpose="x").reason is Reason.GRADE


@pytest.mark.mission("E4")
@pytest.mark.parametrize(
    ("field", "under", "at", "reads"),
    [
        ("Gauge.keeper", "duty", AT, True),
        ("Gauge.keeper", "", AT, False),
        ("Gauge.keeper", "census", AT, False),  # declared nowhere
        ("Gauge.home", "duty", AT, False),  # outside the purpose
        ("", "duty", AT, False),
        # Days of the place: July begins at 16:00 UTC of the day before, and ends so.
        ("Gauge.keeper", "duty", datetime(2026, 6, 30, 15, 59, tzinfo=UTC), False),
        ("Gauge.keeper", "duty", datetime(2026, 6, 30, 16, 0, tzinfo=UTC), True),
        ("Gauge.keeper", "duty", datetime(2026, 7, 31, 15, 59, tzinfo=UTC), True),
        ("Gauge.keeper", "duty", datetime(2026, 7, 31, 16, 0, tzinfo=UTC), False),
    ],
)
def test_a_personal_field_is_read_for_a_purpose_in_force_that_covers_it(
    field: str, under: str, at: datetime, reads: bool
) -> None:
    decision = asked(person(), "field.reveal", Subject(grade=3, field=field), purpose="to call", under=under, at=at)
    assert decision.reason is (Reason.ALLOWED if reads else Reason.NO_PURPOSE)


def test_a_purpose_lets_its_roles_only_and_what_is_not_personal_needs_none() -> None:
    book = RoleBook(
        [RolesFile.model_validate(FILE | {"roles": [*FILE["roles"], role("other", may=["field.reveal"], reveals=3)]})],
        ACTIONS,
    )
    keeper = Subject(grade=3, field="Gauge.keeper")
    for name, subject, reason in (
        ("desk", keeper, Reason.ALLOWED),
        ("other", keeper, Reason.NO_PURPOSE),
        ("other", Subject(grade=2, field="Gauge.note"), Reason.ALLOWED),
    ):
        found = decide(person(name), "field.reveal", subject, "to call", AT, book=book, under="duty", purposes=PURPOSES)
        assert found.reason is reason, name
    assert [one.id for one in PURPOSES.covering("desk", "Gauge.phone", AT)] == ["duty"]
    assert decide(person(), "field.reveal", keeper, "x", AT, book=book, under="duty").reason is Reason.NO_PURPOSE


def test_reads_and_exports_are_masked_and_exports_are_logged() -> None:
    assert asked(person(), "case.read") == Decision(True, Reason.ALLOWED, frozenset({Obligation.MASK}), sees=2)
    assert asked(person(), "list.export").obligations == {Obligation.MASK, Obligation.LOG}


REACHES = st.builds(
    Reach,
    everywhere=st.booleans(),
    towns=st.frozensets(st.sampled_from([EAST, WEST])),
    zones=st.frozensets(st.sampled_from(["river", "park"])),
    lines=st.none() | st.frozensets(st.sampled_from(["a@x", "b@y"])),
    own=st.frozensets(st.sampled_from(["post:p", "body:x"])),
)
SUBJECTS = st.builds(
    Subject,
    town=st.sampled_from(["", EAST, WEST]),
    zones=st.frozensets(st.sampled_from(["river", "park"])),
    line=st.sampled_from(["", "a@x", "b@y"]),
    own=st.frozensets(st.sampled_from(["post:p", "body:x"])),
    common=st.booleans(),
)


@given(reach=REACHES, subject=SUBJECTS, name=st.sampled_from([*BOOK.roles, "stranger"]), what=st.text(max_size=12))
def test_nothing_undeclared_is_ever_allowed(reach: Reach, subject: Subject, name: str, what: str) -> None:
    who = person(name, reach=reach, second_factor=True)
    if what not in ACTIONS:
        assert asked(who, what, subject, purpose="x", given=True).reason is Reason.UNDECLARED


@given(reach=REACHES, subject=SUBJECTS)
def test_who_reaches_nothing_does_nothing_and_more_reach_never_takes_away(reach: Reach, subject: Subject) -> None:
    assert not NOWHERE.covers(subject)
    assert EVERYWHERE.covers(subject)
    if reach.covers(subject):
        wider = Reach(everywhere=True, lines=reach.lines, own=reach.own)
        assert wider.covers(subject)
        assert reach.sees(subject)
    assert asked(person(reach=reach), "warning.sign", subject).allow is reach.covers(subject)
    assert asked(person(reach=reach), "case.read", subject).allow is reach.sees(subject)


@given(names=st.lists(st.sampled_from([*BOOK.roles, "operator", "stranger"]), max_size=4))
def test_an_administrator_stands_alone_in_every_combination(names: list[str]) -> None:
    """Any two roles of which one is an administrator conflict, in whatever order and under whatever name."""
    known = {role.id if (role := BOOK.role(name)) else name for name in names}
    admins = known & {"keeper", "auditor"}
    expected = bool(admins and len(known) > 1) or {"author", "desk"} <= known
    assert (BOOK.conflict(names) is not None) is expected


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"roles": [role("a", may=["case.reed"])]}, r"case\.reed"),
        ({"roles": [role("a", holds=["sea"])]}, "sea"),
        ({"roles": [role("a"), role("b", aliases=["a"])]}, "taken"),
        ({"roles": [role("a", excludes=["z"])]}, "excludes"),
    ],
)
def test_a_role_that_points_at_nothing_stops_the_start(change: dict[str, Any], said: str) -> None:
    with pytest.raises(RoleWrong, match=said):
        RoleBook([RolesFile.model_validate(change)], ACTIONS)


@pytest.mark.parametrize(
    "wrong",
    [
        action("a.b", "export"),  # an export is logged
        action("a.b", "reveal", logged=True),  # a reveal asks for a reason
        action("a.b", given=True),  # given without what it needs
        action("a.b", to="anyone"),  # nobody writes without a post
        action("reveal_all"),
    ],
)
def test_an_action_that_does_not_hold_together_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Action.model_validate(wrong)


def test_an_action_is_declared_once() -> None:
    with pytest.raises(ActionTwice):
        ActionBook([Action.model_validate(action("a.b")), Action.model_validate(action("a.b"))])
