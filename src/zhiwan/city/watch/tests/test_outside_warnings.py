"""Warnings of another authority: recorded as they came, in force at once, each message once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.watch import actions, queries
from zhiwan.city.watch.actions.outside import MessageRefused, NotFromOutside
from zhiwan.city.watch.models import Warning
from zhiwan.city.watch.tests.surge import AT, DISTRICT, KIND, OUTSIDE_KIND, post
from zhiwan.city.watch.tests.test_pipeline import jobs

pytestmark = pytest.mark.usefixtures("secrets")


def record(as_post: str = "flood", **changes: Any) -> Warning:
    message: dict[str, Any] = {
        "kind": OUTSIDE_KIND,
        "level": "iv",
        "area": DISTRICT,
        "message_id": "2026-17",
        "issued_at": AT,
        "at": AT,
    }
    with acting(post(as_post)):
        return actions.record_outside_warning(**message | changes)


def test_it_is_in_force_at_once_and_posts_are_asked() -> None:
    warning = record()
    with acting(post("chief")):
        detail = queries.warning_detail(warning.pk)
    assert detail is not None
    assert (detail.row.state, detail.row.message_id, detail.row.issued_at) == ("published", "2026-17", AT)
    assert detail.row.issuer is not None
    assert detail.row.issuer.en == "weather office"
    assert detail.row.signed_by is None
    assert [step.step for step in detail.steps] == ["record"]
    assert len(detail.receipts) == 6
    assert "zhiwan.plans.follow_warnings" in [name for name, _ in jobs()]
    assert "lift" in detail.may
    assert "change" not in detail.may, "only its authority changes it"


def test_the_next_message_replaces_the_one_before() -> None:
    first = record()
    second = record(message_id="2026-18", level="iii", at=AT + timedelta(hours=1))
    with acting_system("web"):
        first.refresh_from_db()
    assert (first.state, second.replaces_id) == ("changed", first.pk)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"message_id": " "}, "needs the number"),
        ({"message_id": "2026-17"}, "recorded already"),
        ({"message_id": "2026-19", "issued_at": AT + timedelta(minutes=1)}, "later than now"),
    ],
)
def test_a_message_that_cannot_be_one_is_refused(changes: dict[str, Any], problem: str) -> None:
    record()
    with pytest.raises(MessageRefused, match=problem):
        record(**changes)


def test_what_is_issued_here_does_not_come_from_outside() -> None:
    with pytest.raises(NotFromOutside):
        record(kind=KIND)


def test_only_who_may_publish_records_one() -> None:
    with pytest.raises(ActionForbidden):
        record("desk")
    record("chief")
