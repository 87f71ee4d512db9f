"""The preview: which past days would differ, alarm by alarm, on the rows that the lake has."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from django.utils import timezone

from zhiwan.city import packs_loaded
from zhiwan.city.amendments import actions
from zhiwan.city.amendments.models import Amendment, Preview, PreviewDay, PreviewDifference
from zhiwan.city.amendments.previewing import compute_preview
from zhiwan.city.amendments.tests.conftest import FAST, LIMIT, RULE, As
from zhiwan.city.amendments.texts import GivenEntry
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.watch.tests import surge
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA

NOON = timezone.localtime().replace(hour=12, minute=0, second=0, microsecond=0)


def at(days_ago: int, minutes: float) -> datetime:
    return NOON - timedelta(days=days_ago) + timedelta(minutes=minutes)


def keep(*rows: tuple[str, str, datetime, float], seq: int = 1) -> None:
    frame = pl.DataFrame(
        [
            {"entity": entity, "property": name, "observed_at": when, "value": float(value), "source": "mqtt",
             "recorded_at": when, "quality": 0, "seq": seq + number}
            for number, (entity, name, when, value) in enumerate(rows)
        ],
        schema=OBSERVATION_SCHEMA,
    )  # fmt: skip
    packs_loaded.lake().append(frame, f"t{seq}", seq + len(rows))


def a_week() -> None:
    """Limit 3.3 at both gauges: a high day at the east one, a middling one at both."""
    keep(
        ("gauge-e", "level", at(3, 0), 3.0), ("gauge-e", "level", at(3, 5), 4.5), ("gauge-e", "level", at(3, 10), 3.0),
        ("gauge-e", "level", at(2, 0), 3.5), ("gauge-w", "level", at(2, 5), 3.5), ("gauge-w", "level", at(2, 9), 3.4),
        ("gauge-e", "level", at(2, 10), 3.0), ("gauge-w", "level", at(2, 15), 3.0),
        ("gauge-e", "level", at(20, 0), 3.5), ("gauge-e", "level", at(20, 5), 3.0),
    )  # fmt: skip


def proposed(as_: As, days: int = 7, **given: str) -> Amendment:
    with as_("lin"):
        return actions.propose_rule(rule_id=RULE, given=given, note="x", days=days)


def computed(one: Amendment) -> Preview:
    with acting_system("web"):
        pk = one.previews.latest("id").pk
    compute_preview(preview_id=pk)
    with acting_system("web"):
        return Preview.objects.get(pk=pk)


def days(preview: Preview) -> dict[int, dict[str, int]]:
    """Days ago → what differs."""
    with acting_system("web"):
        rows = list(PreviewDay.objects.filter(preview=preview))
    found: dict[int, dict[str, int]] = {}
    for one in rows:
        kinds = {kind: getattr(one, kind) for kind in ("opened", "gone", "level", "moved") if getattr(one, kind)}
        ago = (NOON.date() - one.day).days
        found[ago] = {key: found.get(ago, {}).get(key, 0) + kinds.get(key, 0) for key in {*kinds, *found.get(ago, {})}}
    return found


def listed(preview: Preview) -> list[tuple[Any, ...]]:
    with acting_system("web"):
        rows = PreviewDifference.objects.filter(preview=preview).order_by("day", "id")
        return [(one.kind, one.entity_id, one.before_level, one.after_level) for one in rows]


def test_a_higher_limit_shows_which_alarms_would_not_have_been(as_: As) -> None:
    a_week()
    preview = computed(proposed(as_, when="value > limit + 1"))
    assert days(preview) == {2: {"gone": 2}}
    assert listed(preview) == [("gone", "gauge-e", "iii", ""), ("gone", "gauge-w", "iii", "")]
    assert (preview.state, preview.part, preview.rules) == ("done", 1.0, [RULE])
    assert (preview.rows, preview.entities, preview.alarms_before, preview.alarms_after) == (8, 2, 3, 1)
    assert preview.since == at(7, -720)
    assert preview.until == preview.as_of


def test_a_lower_limit_shows_what_would_have_been_and_at_which_level(as_: As) -> None:
    a_week()
    level = "CASE WHEN value > 4 THEN 'ii' ELSE 'iii' END"
    preview = computed(proposed(as_, when="value > limit - 0.2", clear="value < 3.05", level=level))
    assert days(preview) == {3: {"level": 1}}


def test_more_days_show_more(as_: As) -> None:
    a_week()
    one = proposed(as_, days=30, lasting="1h")
    assert days(computed(one)) == {20: {"gone": 1}, 3: {"gone": 1}, 2: {"gone": 2}}
    with as_("lin"):
        actions.look_back(amendment_id=one.pk, days=0)
    assert days(computed(one)).keys() == {20, 3, 2}
    assert computed(one).since == at(20, -720)


def test_a_new_value_is_looked_at_as_if_it_had_held(as_: As) -> None:
    keep(("gauge-e", "flow", at(2, 0), 18), ("gauge-e", "flow", at(2, 5), 10))
    later = (timezone.localdate() + timedelta(days=40)).isoformat()
    with as_("lin"):
        one = actions.propose_entry(
            rule_id=FAST, parameter=LIMIT, given=GivenEntry("15", later, "order 2", False), note="x", days=7
        )
    preview = computed(one)
    assert (preview.rules, days(preview)) == ([FAST], {2: {"opened": 1}})


def test_a_correction_is_looked_at_by_its_dates(as_: As) -> None:
    keep(("gauge-e", "flow", at(5, 0), 18), ("gauge-e", "flow", at(5, 5), 10))
    keep(("gauge-e", "flow", at(2, 0), 18), ("gauge-e", "flow", at(2, 5), 10), seq=100)
    given = GivenEntry("15", (timezone.localdate() - timedelta(days=3)).isoformat(), "order 1", False)
    with as_("lin"):
        one = actions.propose_correction(
            rule_id=FAST, parameter=LIMIT, entry=packs_loaded.packs().parameters.history(LIMIT).in_force[0].from_,
            given=given, note="x", days=7,
        )  # fmt: skip
    # Before its first day the parameter now has no value: 18 is above nothing.
    assert days(computed(one)) == {2: {"opened": 1}}


def test_a_town_sees_what_differs_in_it(as_: As) -> None:
    a_week()
    preview = computed(proposed(as_, lasting="1h"))
    with acting(surge.post("west")):
        assert [one.entity_id for one in PreviewDifference.objects.filter(preview=preview)] == ["gauge-w"]
        assert sum(one.gone for one in PreviewDay.objects.filter(preview=preview)) == 1


def test_an_empty_lake_differs_in_nothing(as_: As) -> None:
    preview = computed(proposed(as_, lasting="1h"))
    assert (preview.state, preview.rows, days(preview)) == ("done", 0, {})


def test_a_look_back_that_fails_says_so_and_is_computed_again(as_: As, monkeypatch: pytest.MonkeyPatch) -> None:
    one = proposed(as_, lasting="1h")

    def broken() -> None:
        raise OSError("disk")

    with monkeypatch.context() as patch:
        patch.setattr("zhiwan.city.amendments.previewing.lake", broken)
        with pytest.raises(OSError, match="disk"):
            computed(one)
    with acting_system("web"):
        failed = one.previews.latest("id")
    assert (failed.state, failed.problem) == ("failed", "OSError")
    assert computed(one).state == "done"


def test_what_came_after_the_look_began_is_not_in_it(as_: As) -> None:
    """The lake grows while it is read: rows recorded later than `as_of` would count for one text and not the other."""
    keep(("gauge-e", "level", timezone.now() + timedelta(minutes=1), 9.0))
    assert computed(proposed(as_, when="value > limit + 1")).rows == 0
