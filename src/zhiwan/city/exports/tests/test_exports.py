"""Personal data leaves with two persons, for a purpose, once, and only what the asking post reaches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from zhiwan.city import packs_loaded
from zhiwan.city.exports import actions, errors, queries
from zhiwan.city.exports.models import PersonalExport, State
from zhiwan.city.people import guard
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.models import AuditRecord, Organisation, Post, User
from zhiwan.city.registry.models import Area, Entity
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.guard.purposes import Purpose, PurposeBook
from zhiwan.kernel.packs.models import Pack, Text
from zhiwan.kernel.packs.packset import PackSet

pytestmark = pytest.mark.django_db
EAST, WEST, PHONE = "990101001", "990101002", "13755501234"
WORDS = {"zh": "x", "en": "x"}
KIND = {
    "id": "Pump",
    "title": WORDS,
    "fields": {
        "keeper_phone": {"title": WORDS, "type": "text", "grade": 3, "kind": "phone"},
        "home": {"title": WORDS, "type": "text", "grade": 4, "kind": "address"},
        "power": {"title": WORDS, "unit": "kW"},
    },
}
MANIFEST = {
    "id": "life.pumps", "version": "1.0.0", "title": WORDS, "summary": WORDS, "owner": WORDS, "mission": [],
    "abilities": [],
}  # fmt: skip


@dataclass
class People:
    """Two chiefs, a steward and a dispatcher, each an account with a post."""

    posts: dict[str, Post]
    users: dict[str, User]

    @contextmanager
    def act(self, name: str) -> Iterator[None]:
        with acting(self.posts[name], user=self.users[name]):
            yield


def purposes(**changes: Any) -> PurposeBook:
    words = Text(zh="x", en="x")
    one = Purpose(
        id="duty", title=words, basis=words, fields=["Pump.keeper_phone", "Pump.home"], keep_days=1,
        roles=["duty_chief", "data_steward"], since=date(2020, 1, 1),
    )  # fmt: skip
    return PurposeBook([one.model_copy(update=changes)])


@pytest.fixture
def people(monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    pack = Pack.model_validate({"manifest": MANIFEST, "types": [KIND]})
    monkeypatch.setattr(packs_loaded, "load_packs", lambda roots: PackSet.of([pack]))
    monkeypatch.setattr(guard, "purpose_book", purposes)
    packs_loaded.forget()
    with acting_system("cli"):
        office = Organisation.objects.create(id="o", name_zh="o", name_en="o", area="990101")
        roles = {"ann": "duty_chief", "ben": "duty_chief", "dan": "data_steward", "eve": "dispatcher"}
        posts = {
            name: Post.objects.create(
                id=name, role=role, title_zh=role, title_en=role, organisation=office, scope="district"
            )
            for name, role in roles.items()
        }
        users = {name: User.objects.create(username=name) for name in roles}
        for town in (EAST, WEST):
            Area.objects.create(code=town, level="town", name=town)
        for id, town, fields in (
            ("p1", EAST, {"keeper_phone": PHONE, "power": 5}),
            ("p2", WEST, {"keeper_phone": "=cmd", "home": "x"}),
            ("p3", EAST, {"power": 5}),
        ):
            Entity.objects.create(id=id, type="Pump", name=id, name_en=id, town=town, area=town, fields=fields)
    yield People(posts, users)
    packs_loaded.forget()


def asked(people: People, by: str = "ann", **changes: Any) -> PersonalExport:
    wanted = {"type": "Pump", "fields": ["keeper_phone"], "purpose": "duty", "reason": "call all keepers"} | changes
    with people.act(by):
        return actions.ask(**wanted)


def test_two_persons_one_file_and_the_audit_knows_both(people: People) -> None:
    one = asked(people)
    assert one.rows == 2, "things without such a field are not counted"
    with people.act("dan"):
        assert queries.waiting() == 1
        actions.decide(id=one.pk, approve=True, note="for the flood")
        assert queries.waiting() == 0
    with people.act("ann"):
        taken = actions.fetch(id=one.pk)
        assert [(id, values) for id, _name, _area, values in taken.rows] == [("p1", [PHONE]), ("p2", ["=cmd"])]
        assert taken.mark.startswith("ann · duty_chief · ")
        assert taken.mark.endswith(f"#{one.pk}")
        with pytest.raises(errors.StepRefused, match="fetched"):
            actions.fetch(id=one.pk)
    with acting_system("cli"):
        trail = AuditRecord.objects.filter(subject=f"export:{one.pk}").order_by("at")
        assert [(row.account, row.action) for row in trail] == [
            ("ann", "personal.ask"), ("dan", "personal.decide"), ("ann", "personal.export"),
        ]  # fmt: skip
        assert PHONE not in str([(row.before, row.after, row.purpose) for row in trail])
        assert PHONE not in str(PersonalExport.objects.values())


def test_nobody_lets_the_own_request_go_whatever_post_he_takes(people: People) -> None:
    one = asked(people)
    people.posts["ann"] = people.posts["dan"]
    with people.act("ann"), pytest.raises(errors.SecondPersonNeeded):
        actions.decide(id=one.pk, approve=True)
    with people.act("eve"), pytest.raises(guard.ActionForbidden):
        actions.decide(id=one.pk, approve=True)
    with people.act("ben"), pytest.raises(errors.ExportUnknown):
        actions.fetch(id=one.pk)
    with people.act("ann"), pytest.raises(errors.StepRefused, match="asked"):
        actions.fetch(id=one.pk)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"reason": " "}, guard.ReasonNeeded),
        ({"purpose": "other"}, guard.PurposeNeeded),
        ({"fields": []}, errors.NothingToTake),
        ({"fields": ["power"]}, errors.NothingToTake),  # not personal: the ordinary list has it
        ({"fields": ["keeper_phone", "nothing"]}, errors.NothingToTake),
        ({"type": "Nothing"}, errors.NothingToTake),
        ({"area": "990101009"}, errors.NothingToTake),
        ({"fields": ["home"]}, guard.GradeTooHigh),  # a home is above what the role may see
        ({"by": "eve"}, guard.ActionForbidden),
    ],
)
def test_what_may_not_leave_is_not_even_asked_for(
    people: People, changes: dict[str, Any], problem: type[InputRefused]
) -> None:
    with pytest.raises(problem):
        asked(people, **changes)
    with acting_system("cli"):
        assert not PersonalExport.objects.exists()


def test_a_purpose_that_ended_meanwhile_stops_the_file(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    one = asked(people)
    with people.act("ben"):
        actions.decide(id=one.pk, approve=True)
    monkeypatch.setattr(guard, "purpose_book", lambda: purposes(until=date(2021, 1, 1)))
    with people.act("ann"), pytest.raises(guard.PurposeNeeded):
        actions.fetch(id=one.pk)


def test_requests_grow_old(people: People) -> None:
    one, now = asked(people), timezone.now()
    with people.act("ben"):
        with pytest.raises(errors.StepRefused, match="too old"):
            actions.decide(id=one.pk, approve=True, at=now + timedelta(days=8))
        actions.decide(id=one.pk, approve=True)
    with people.act("ann"):
        with pytest.raises(errors.StepRefused, match="too old"):
            actions.fetch(id=one.pk, at=now + timedelta(hours=25))
        assert [view.state for view in queries.requests().rows] == ["approved"]


def test_withdrawn_refused_and_too_many(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = asked(people), asked(people, area=EAST)
    with people.act("ann"):
        actions.withdraw(id=one.pk)
    with people.act("ben"):
        with pytest.raises(errors.StepRefused, match="withdrawn"):
            actions.decide(id=one.pk, approve=True)
        actions.decide(id=two.pk, approve=False, note="not needed")
        assert PersonalExport.objects.get(pk=two.pk).state == State.REJECTED
        assert [view.may_decide for view in queries.requests().rows] == [False, False]
    monkeypatch.setattr(actions, "MOST_ROWS", 1)
    with pytest.raises(errors.TooMuch):
        asked(people)
    for _ in range(actions.MOST_OPEN):
        asked(people, area=EAST)
    with pytest.raises(errors.AskedTooOften):
        asked(people, area=EAST)


def test_what_is_offered_is_what_a_purpose_covers_for_the_post(people: People) -> None:
    with people.act("ann"):
        (offer,) = queries.offers()
        assert list(offer.fields) == ["keeper_phone"], "a home is above what the role may see"
        assert list(offer.purposes) == ["duty"]
    with people.act("eve"):
        assert queries.offers() == []
