"""What a district changed over its packs: applied on the text it was signed on, left out and told on any other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from zhiwan.kernel.packs.local_changes import (
    LocalChange,
    changed,
    changed_rule,
    parameter_base,
    parameter_text,
    rule_base,
    rule_text,
)
from zhiwan.kernel.packs.models import Pack
from zhiwan.kernel.packs.packset import PackSet

SIGNED = datetime(2026, 7, 1, 8, tzinfo=UTC)
RULE, LIMIT = "life.noise.loud", "life.noise.limit"


def both(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def packs(when: str = "value > :limit", limit: float = 70, **rule: object) -> PackSet:
    body = {
        "manifest": {
            "id": "life.noise", "version": "0.1.0", "title": both("n"), "summary": both("n"), "owner": both("o"),
            "mission": ["C6"], "abilities": ["see"],
        },
        "types": [{"id": "Meter", "title": both("m"), "properties": {"db": {"title": both("d"), "unit": "dB"}}}],
        "scales": [{"id": "one", "title": both("s"), "levels": [
            {"id": "look", "title": both("l"), "rank": 1, "tone": "blue"}]}],
        "parameters": [{"id": "limit", "title": both("l"), "unit": "dB",
                        "in_force": [{"from": "2012-01-01", "value": limit, "source": "GB 3096"}]}],
        "rules": [{"id": "loud", "title": both("l"), "watch": "Meter.db", "when": when, "scale": "one",
                   "level": "'look'", "message": both("m"), "advice": both("a")} | rule],
    }  # fmt: skip
    return PackSet.of([Pack.model_validate(body)])


def rule_change(serial: int, on: PackSet, **after: object) -> LocalChange:
    rule = on.rule(RULE)
    text = rule_text(rule) | after
    return LocalChange(serial, "rule", RULE, "", rule_base(rule), text, SIGNED + timedelta(hours=serial))


def limit_change(serial: int, on: PackSet, *entries: dict[str, object]) -> LocalChange:
    parameter = on.parameters.history(LIMIT)
    after = {"in_force": list(entries)}
    return LocalChange(serial, "parameter", LIMIT, "CN", parameter_base(parameter), after, SIGNED)


def test_a_change_replaces_the_text_and_marks_the_rule() -> None:
    declared = packs()
    found, left_out = changed(declared, [rule_change(3, declared, when="value > 80", lasting="5min")])
    rule = found.rule(RULE)
    assert (rule.when, rule.lasting, rule.message.zh) == ("value > 80", timedelta(minutes=5), "m")
    assert (found.local[RULE].serial, left_out) == (3, ())
    assert declared.rule(RULE).when == "value > :limit", "the pack itself is as it was"


def test_the_last_change_counts_whatever_order_they_come_in() -> None:
    declared = packs()
    first, second = rule_change(1, declared, when="value > 80"), rule_change(2, declared, when="value > 90")
    for order in ([first, second], [second, first]):
        found, _ = changed(declared, order)
        assert (found.rule(RULE).when, found.local[RULE].serial) == ("value > 90", 2)


def test_the_former_text_signed_again_is_the_packs_own_and_still_a_change() -> None:
    declared = packs()
    back = rule_change(2, declared)
    found, _ = changed(declared, [rule_change(1, declared, when="value > 80"), back])
    assert found.rule(RULE) == declared.rule(RULE)
    assert found.local[RULE].serial == 2


@pytest.mark.parametrize(
    "today", [packs(when="value >= :limit"), packs(clear="value < 60"), packs(latched=True), PackSet([])]
)
def test_a_change_of_another_text_is_left_out_and_told(today: PackSet) -> None:
    change = rule_change(1, packs(), lasting="5min")
    found, left_out = changed(today, [change])
    assert left_out == (change,)
    assert found.rules == today.rules
    assert not found.local


def test_words_of_a_rule_may_change_under_a_change() -> None:
    change = rule_change(1, packs(), when="value > 80")
    found, left_out = changed(packs(message=both("new words"), advice=both("go there")), [change])
    assert (found.rule(RULE).when, found.rule(RULE).message.en, left_out) == ("value > 80", "new words", ())


def test_what_is_signed_anew_on_todays_text_takes_the_place_of_what_was_left_out() -> None:
    today = packs(when="value >= :limit")
    found, left_out = changed(today, [rule_change(1, packs(), when="value > 80"), rule_change(2, today, lasting="1h")])
    assert (found.rule(RULE).when, found.rule(RULE).lasting, left_out) == ("value >= :limit", timedelta(hours=1), ())


def test_a_new_value_joins_the_dated_ones() -> None:
    declared = packs()
    former = {"from": "2012-01-01", "value": 70.0, "source": "GB 3096"}
    new = {"from": "2026-08-01", "value": 65.0, "source": "notice 3", "verify": True}
    found, _ = changed(declared, [limit_change(4, declared, former, new)])
    assert found.parameters.at(LIMIT, datetime(2026, 7, 31, tzinfo=UTC)).value == 70
    at = found.parameters.at(LIMIT, datetime(2026, 8, 2, tzinfo=UTC))
    assert (at.value, at.source, at.verify) == (65, "notice 3", True)
    assert parameter_text(found.parameters.history(LIMIT)) == {"in_force": [former, new]}
    assert found.local[LIMIT].serial == 4


def test_a_parameter_whose_pack_has_other_values_by_now_keeps_the_packs() -> None:
    change = limit_change(4, packs(), {"from": "2012-01-01", "value": 65.0, "source": "x"})
    found, left_out = changed(packs(limit=72), [change])
    assert left_out == (change,)
    assert found.parameters.at(LIMIT, SIGNED).value == 72


def test_a_text_no_rule_may_have_is_refused() -> None:
    rule = packs().rule(RULE)
    with pytest.raises(ValidationError):
        changed_rule(rule, {"lasting": "ten minutes"})
