"""Two persons change a rule: who may, what is refused at which field, and what is in force afterwards."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from zhiwan.city import packs_loaded
from zhiwan.city.amendments import actions, errors
from zhiwan.city.amendments.models import Amendment, Preview, State
from zhiwan.city.amendments.tests.conftest import FAST, LIMIT, RULE, As, pack, use
from zhiwan.city.amendments.texts import GivenEntry, rule_fields
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import AuditRecord
from zhiwan.city.watch.tests import surge

NOTE = "too many alarms"


def today() -> date:
    return timezone.localdate()


def entry(value: str = "15", since: str = "", source: str = "order 2", verify: bool = False) -> GivenEntry:
    return GivenEntry(value, since or today().isoformat(), source, verify)


def propose(as_: As, by: str = "lin", **given: str) -> Amendment:
    with as_(by):
        made = actions.propose_rule(rule_id=RULE, given=given or {"when": "value > limit + 1"}, note=NOTE, days=7)
    previewed(made)
    return made


def propose_limit(as_: As, given: GivenEntry | None = None) -> Amendment:
    with as_("lin"):
        made = actions.propose_entry(rule_id=FAST, parameter=LIMIT, given=given or entry(), note=NOTE, days=7)
    previewed(made)
    return made


def previewed(made: Amendment) -> None:
    """As the job leaves it; what it computes is tested beside it."""
    with acting_system("jobs"):
        Preview.objects.filter(amendment=made).update(state="done")


def approve(as_: As, made: Amendment, by: str = "zhou") -> Amendment:
    with as_(by):
        return actions.approve(amendment_id=made.pk, note="seen")


def version(rule: str = RULE) -> str:
    return packs_loaded.book().rule(rule).version


# -- who -------------------------------------------------------------------------------------------------------------


def test_a_change_is_in_force_once_another_person_signed(as_: As) -> None:
    made = propose(as_, when="value > limit + 1", lasting="10min")
    assert (packs_loaded.packs().rule(RULE).when, version()) == ("value > limit", "1.0.0")
    signed = approve(as_, made)
    rule = packs_loaded.packs().rule(RULE)
    assert (rule.when, rule.lasting, version()) == ("value > limit + 1", timedelta(minutes=10), "1.0.0+local.1")
    assert (signed.serial, str(signed.decided_by), signed.decision) == (1, "zhou", "seen")
    assert version(FAST) == "1.0.0", "a rule that nobody changed keeps its version"


def test_nobody_signs_alone(as_: As) -> None:
    made = propose(as_)
    for step in (actions.approve, actions.reject):
        with as_("lin"), pytest.raises(errors.SecondPersonNeeded):
            step(amendment_id=made.pk, note="x")
    assert packs_loaded.packs().rule(RULE).when == "value > limit"


def test_only_a_chief_in_person_changes_rules(as_: As) -> None:
    given = {"when": "value > 9"}
    with as_("desk", post="desk"), pytest.raises(ActionForbidden):
        actions.propose_rule(rule_id=RULE, given=given, note=NOTE, days=7)
    with acting(surge.post("chief")), pytest.raises(errors.PersonNeeded):  # a token acts through the post alone
        actions.propose_rule(rule_id=RULE, given=given, note=NOTE, days=7)
    with acting_system("jobs"), pytest.raises(ActionForbidden):
        actions.propose_rule(rule_id=RULE, given=given, note=NOTE, days=7)
    made = propose(as_)
    with as_("desk", post="desk"), pytest.raises(ActionForbidden):
        actions.approve(amendment_id=made.pk)


def test_in_a_story_nothing_is_changed(as_: As) -> None:
    with as_("lin", space="typhoon"), pytest.raises(errors.OnlyLive):
        actions.propose_rule(rule_id=RULE, given={"when": "value > 9"}, note=NOTE, days=7)


def test_a_refusal_has_a_reason_and_ends_it(as_: As) -> None:
    made = propose(as_)
    with as_("zhou"), pytest.raises(errors.ReasonMissing):
        actions.reject(amendment_id=made.pk, note=" ")
    with as_("zhou"):
        actions.reject(amendment_id=made.pk, note="too high")
    with pytest.raises(errors.StepRefused):
        approve(as_, made)


def test_who_proposed_takes_it_back_and_nobody_else(as_: As) -> None:
    made = propose(as_)
    with as_("zhou"), pytest.raises(errors.StepRefused):
        actions.withdraw(amendment_id=made.pk)
    with as_("lin"):
        actions.withdraw(amendment_id=made.pk)
    with pytest.raises(errors.StepRefused):
        approve(as_, made)


def test_both_persons_stand_in_the_audit(as_: As) -> None:
    made = approve(as_, propose(as_, lasting="5min"))
    with acting_system("web"):
        told = list(AuditRecord.objects.filter(subject=f"amendment:{made.pk}").order_by("recorded_at", "seq"))
    assert [(one.action, one.account) for one in told] == [("rule.propose", "lin"), ("rule.sign", "zhou")]
    assert told[1].before == {"lasting": "0s"}
    assert told[1].after is not None
    assert {"lasting": "5min", "serial": 1, "subject": RULE}.items() <= told[1].after.items()


# -- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "text", "code"),
    [
        ("when", "valu > 3", "JUDGE-001"),
        ("when", "value > ", "JUDGE-001"),
        ("when", "", "JUDGE-002"),
        ("where", "value > 3", "JUDGE-001"),
        ("clear", "value + 1", "JUDGE-001"),
        ("level", "'purple'", "JUDGE-002"),
        ("level", "", "JUDGE-001"),
        ("lasting", "ten minutes", "RULE-011"),
        ("lasting", "400d", "RULE-011"),
        ("clear_lasting", "99999999999999d", "RULE-011"),
    ],
)
def test_a_wrong_field_is_told_at_the_field(as_: As, field: str, text: str, code: str) -> None:
    with as_("lin"), pytest.raises(errors.TextRefused) as refused:
        actions.propose_rule(rule_id=RULE, given={field: text}, note=NOTE, days=7)
    assert {key: problem.code for key, problem in refused.value.problems.items()} == {field: code}


def test_every_wrong_field_is_told_at_once(as_: As) -> None:
    given = {"when": "valu > 3", "clear": "valu < 3", "lasting": "soon", "level": "'purple'"}
    with as_("lin"), pytest.raises(errors.TextRefused) as refused:
        actions.propose_rule(rule_id=RULE, given=given, note=NOTE, days=7)
    assert set(refused.value.problems) == set(given)
    assert not Amendment.objects.exists()


def test_a_proposal_needs_a_reason_and_a_difference(as_: As) -> None:
    with as_("lin"), pytest.raises(errors.NothingChanged):
        actions.propose_rule(rule_id=RULE, given={"when": " value > limit\n"}, note=NOTE, days=7)
    with as_("lin"), pytest.raises(errors.ReasonMissing):
        actions.propose_rule(rule_id=RULE, given={"when": "value > 9"}, note="", days=7)
    with as_("lin"), pytest.raises(errors.AmendmentUnknown):
        actions.propose_rule(rule_id="governance.surge.none", given={}, note=NOTE, days=7)


def test_nobody_signs_before_the_preview_is_there(as_: As) -> None:
    made = propose(as_)
    with acting_system("jobs"):
        Preview.objects.update(state="running")
    with pytest.raises(errors.PreviewMissing):
        approve(as_, made)


def test_of_two_changes_of_one_rule_the_later_signed_is_refused(as_: As) -> None:
    first, second = propose(as_, lasting="5min"), propose(as_, lasting="9min")
    approve(as_, second)
    with pytest.raises(errors.Overtaken):
        approve(as_, first)


def test_fields_are_those_that_a_rule_has() -> None:
    rules = packs_loaded.packs()
    assert rule_fields(rules.rule(RULE)) == ("when", "where", "clear", "lasting", "clear_lasting", "level")
    silent = rules.rule(RULE).model_copy(update={"when": None, "absent": timedelta(minutes=5)})
    assert rule_fields(silent) == ("where", "absent", "level")


# -- in force --------------------------------------------------------------------------------------------------------


def test_a_process_takes_up_what_another_signed(as_: As) -> None:
    approve(as_, propose(as_))
    packs_loaded.forget()
    assert version() == "1.0.0+local.1", "after a restart"
    before = packs_loaded.in_force()
    made = propose(as_, lasting="1h")
    with transaction.atomic(), as_("zhou"):
        actions.approve(amendment_id=made.pk)
        assert packs_loaded.refresh() == 2, "who asks within the transaction sees it"
    packs_loaded._taken = before  # another process, which still goes by the former text
    assert packs_loaded.refresh(every=3600) == 1, "it was asked a moment ago"
    assert packs_loaded.refresh() == 2
    assert version() == "1.0.0+local.2"
    assert packs_loaded.in_force_at(1).packs.rule(RULE).lasting == timedelta(0)


def test_with_the_database_away_the_rules_stay(as_: As, monkeypatch: pytest.MonkeyPatch) -> None:
    approve(as_, propose(as_))

    def gone() -> int:
        raise DatabaseError("gone")

    monkeypatch.setattr(packs_loaded, "_version", gone)
    assert packs_loaded.refresh() == 1
    packs_loaded.forget()
    with pytest.raises(packs_loaded.ChangesUnread):
        packs_loaded.packs()


def test_undoing_is_a_change_like_any_other(as_: As) -> None:
    made = approve(as_, propose(as_, when="value > 9"))
    with as_("zhou"):
        back = actions.propose_undo(amendment_id=made.pk, note="was right", days=7)
    assert back.undoes_id == made.pk
    previewed(back)
    approve(as_, back, by="lin")
    assert (packs_loaded.packs().rule(RULE).when, version()) == ("value > limit", "1.0.0+local.2")
    with as_("zhou"), pytest.raises(errors.StepRefused):
        actions.propose_undo(amendment_id=made.pk, note="again", days=7)


def test_the_packs_own_text_can_be_had_back(as_: As) -> None:
    for text in ("value > 8", "value > 9"):
        approve(as_, propose(as_, when=text))
    with as_("lin"):
        back = actions.propose_declared(rule_id=RULE, note="as it came", days=7)
    previewed(back)
    approve(as_, back)
    assert packs_loaded.packs().rule(RULE).when == "value > limit"


@pytest.mark.parametrize("today_", [pack(when="value >= limit"), pack(clear="value < 1"), pack(id="renamed")])
def test_a_pack_that_changed_under_a_change_keeps_its_own_text(as_: As, monkeypatch: Any, today_: Any) -> None:
    approve(as_, propose(as_, lasting="5min"))
    use(monkeypatch, today_)
    found = packs_loaded.in_force()
    assert [one.serial for one in found.left_out] == [1]
    assert all(rule.lasting == timedelta(0) for _, rule in found.packs.rules)
    assert {rule.version for rule in found.book.rules} == {"1.0.0"}


def test_a_proposal_on_a_text_that_its_pack_replaced_is_not_signed(as_: As, monkeypatch: Any) -> None:
    made = propose(as_, lasting="5min")
    use(monkeypatch, pack(when="value >= limit"))
    with pytest.raises(errors.Overtaken):
        approve(as_, made)


def test_what_is_decided_stays_as_it_is(as_: As) -> None:
    made = approve(as_, propose(as_))
    sabotage = (
        "UPDATE amendments_amendment SET after = '{}'", "UPDATE amendments_amendment SET state = 'withdrawn'",
        "DELETE FROM amendments_amendment",
    )  # fmt: skip
    for statement in sabotage:
        with pytest.raises(DatabaseError), acting_system("cli"), connection.cursor() as cursor:
            cursor.execute(statement)
    open_ = propose(as_, lasting="1h")
    with pytest.raises(DatabaseError), acting_system("cli"), connection.cursor() as cursor:
        cursor.execute("UPDATE amendments_amendment SET after = '{}' WHERE id = %s", [open_.pk])
    with pytest.raises(DatabaseError), acting_system("cli"), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE amendments_amendment SET state = 'approved', serial = 9, decided_by_id = proposed_by_id"
            " WHERE id = %s", [open_.pk],
        )  # fmt: skip
    with acting_system("web"):
        assert Amendment.objects.get(pk=made.pk).state == State.APPROVED


# -- parameters ------------------------------------------------------------------------------------------------------


def values() -> list[tuple[str, float | None, str, bool]]:
    entries = packs_loaded.packs().parameters.history(LIMIT).in_force
    return [(one.from_.isoformat(), one.value, one.source, one.verify) for one in entries]


def test_a_new_value_joins_those_that_were_in_force(as_: As) -> None:
    later = (today() + timedelta(days=30)).isoformat()
    approve(as_, propose_limit(as_, entry("15.5", later, "order 2", True)))
    assert values() == [("2012-01-01", 20, "order 1", False), (later, 15.5, "order 2", True)]
    assert (version(FAST), version(RULE)) == ("1.0.0+local.1", "1.0.0")


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        (entry("fast"), "value", "RULE-012"),
        (entry("inf"), "value", "RULE-012"),
        (entry(since="soon"), "from", "RULE-013"),
        (entry(since="2020-01-01"), "from", "RULE-013"),
        (entry(source=" "), "source", "RULE-014"),
    ],
)
def test_a_value_without_number_source_or_possible_date_is_refused(
    as_: As, given: GivenEntry, field: str, code: str
) -> None:
    with as_("lin"), pytest.raises(errors.TextRefused) as refused:
        actions.propose_entry(rule_id=FAST, parameter=LIMIT, given=given, note=NOTE, days=7)
    assert {key: problem.code for key, problem in refused.value.problems.items()} == {field: code}


def test_a_parameter_is_changed_where_a_rule_uses_it(as_: As) -> None:
    with as_("lin"), pytest.raises(errors.AmendmentUnknown):
        actions.propose_entry(rule_id=RULE, parameter=LIMIT, given=entry(), note=NOTE, days=7)


def test_a_wrong_value_is_corrected_and_says_so(as_: As) -> None:
    given = entry("25", "2013-01-01", "order 1, corrected")
    with as_("lin"):
        made = actions.propose_correction(
            rule_id=FAST, parameter=LIMIT, entry=date(2012, 1, 1), given=given, note="misread", days=7
        )
    previewed(made)
    assert approve(as_, made).kind == "correction"
    assert values() == [("2013-01-01", 25, "order 1, corrected", False)]
    with as_("lin"), pytest.raises(errors.AmendmentUnknown):
        actions.propose_correction(
            rule_id=FAST, parameter=LIMIT, entry=date(2012, 1, 1), given=given, note="misread", days=7
        )


def test_a_correction_may_not_overtake_the_value_after_it(as_: As) -> None:
    later = (today() + timedelta(days=30)).isoformat()
    approve(as_, propose_limit(as_, entry("15", later)))
    given = entry("25", (today() + timedelta(days=60)).isoformat())
    with as_("lin"), pytest.raises(errors.TextRefused) as refused:
        actions.propose_correction(
            rule_id=FAST, parameter=LIMIT, entry=date(2012, 1, 1), given=given, note="misread", days=7
        )
    assert refused.value.problems["from"].code == "PACK-035"


def test_undoing_a_value_that_was_in_force_adds_the_former_one(as_: As) -> None:
    made = approve(as_, propose_limit(as_))
    tomorrow = timezone.now() + timedelta(days=1)
    with as_("zhou"):
        back = actions.propose_undo(amendment_id=made.pk, note="back", days=7, at=tomorrow)
    previewed(back)
    approve(as_, back, by="lin")
    assert [(value, source) for _, value, source, _ in values()] == [
        (20, "order 1"), (15, "order 2"), (20, "order 1"),
    ]  # fmt: skip


def test_undoing_a_value_that_never_held_takes_it_out(as_: As) -> None:
    made = approve(as_, propose_limit(as_, entry("15", (today() + timedelta(days=30)).isoformat())))
    with as_("zhou"):
        back = actions.propose_undo(amendment_id=made.pk, note="back", days=7)
    previewed(back)
    assert approve(as_, back, by="lin").kind == "correction"
    assert values() == [("2012-01-01", 20, "order 1", False)]
