"""A proposed text, checked as the pack's own would be: by the models of the format and by the judge's own parser.

    rule_after(rule_id, given) -> Text              given: the fields of a form, as typed
    entry_after(parameter, given, today) -> Text    a new dated value joins those that are there
    corrected_after(parameter, entry, given) -> Text
    rule_fields(rule) -> the fields that a rule has, in the order of a form

All raise TextRefused with every field's own error: its code, what is wrong, and the next step.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from zhiwan.city.amendments.errors import DateRefused, DurationRefused, SourceMissing, TextRefused, ValueRefused
from zhiwan.city.packs_loaded import packs
from zhiwan.kernel.facts.errors import CityError, PackBroken
from zhiwan.kernel.judge import ExpressionRefused, RuleBook
from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.local_changes import Text, changed_rule, entries_of, parameter_text, rule_text
from zhiwan.kernel.packs.models import InForce, Pack, Parameter, Rule, parse_duration, print_duration
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.proof.checks.parameters import parameter_faults
from zhiwan.kernel.proof.subject import Spot

DURATIONS = ("lasting", "clear_lasting", "absent")
_OF_CONDITION = ("when", "where", "clear", "lasting", "clear_lasting", "level")
#: What a rule remembers and looks back on is bounded by a month, as the spans of its windows are.
LONGEST = timedelta(days=31)


@dataclass(frozen=True)
class GivenEntry:
    """A dated value as typed."""

    value: str
    from_: str
    source: str
    verify: bool


def rule_fields(rule: Rule) -> tuple[str, ...]:
    """What of a rule can be changed: what it has. One that only watches for silence has no condition."""
    silent = ("absent",) if rule.absent is not None else ()
    return (*_OF_CONDITION, *silent) if rule.when is not None else ("where", *silent, "level")


def rule_after(rule_id: str, given: Mapping[str, str]) -> Text:
    """The rule's text with what was typed. An empty condition is none; an empty span is the shortest."""
    pack, rule = _owner(rule_id)
    fields = rule_fields(rule)
    problems: dict[str, CityError] = {}
    after = rule_text(rule)
    for key in fields:
        if key in given:
            text = re.sub(r"\s*\n\s*", " ", given[key]).strip()
            if key in DURATIONS:
                after[key] = _span(key, text, rule, problems)
            else:
                after[key] = text or None
    if after["level"] is None:
        after["level"] = ""  # the judge says what is wrong with nothing
    problems |= _uncompiled(pack, rule, after, fields)
    if problems:
        raise TextRefused(problems)
    return after


def _span(key: str, text: str, rule: Rule, problems: dict[str, CityError]) -> str | None:
    try:
        span = parse_duration(text or ("" if key == "absent" else "0s"))
        if span > LONGEST:
            raise ValueError
        if key == "absent" and not span:
            raise ValueError
    except (ValueError, OverflowError):
        problems[key] = DurationRefused(given=text)
        kept: str | None = rule_text(rule)[key]
        return kept
    return print_duration(span)


def _uncompiled(pack: Pack, rule: Rule, after: Text, fields: Sequence[str]) -> dict[str, CityError]:
    """What the judge refuses of each field; a refused one is put back, so that none hides another."""
    problems: dict[str, CityError] = {}
    trial = dict(after)
    before = rule_text(rule)
    for _ in fields:
        try:
            compiled(pack, changed_rule(rule, trial))
        except PackBroken as problem:
            key = problem.key if isinstance(problem, ExpressionRefused) else _key_of(trial)
            if key not in trial or trial[key] == before[key]:
                return problems | {key or "when": problem}
            problems[key], trial[key] = problem, before[key]
        else:
            break
    return problems


def _key_of(trial: Text) -> str:
    """The field behind a refusal of the rule as a whole: no condition at all, or a level the scale does not have."""
    return "when" if trial["when"] is None and trial["absent"] is None else "level"


def compiled(pack: Pack, rule: Rule) -> RuleBook:
    """The judge's book of this one rule among the packs in force. Raises PackBroken."""
    found = packs()
    mine = pack.model_copy(update={"rules": [rule]})
    others = [one for one in found.packs if one.id != pack.id]
    return RuleBook.of_rules(PackSet([mine, *others], found.local), {f"{pack.id}.{rule.id}"})


def entry_after(parameter: Parameter, given: GivenEntry, *, today: date) -> Text:
    """All dated values with a new one, which holds from today or later: what was in force stays as it was."""
    problems: dict[str, CityError] = {}
    entry = _entry(given, problems)
    if entry is not None and entry.from_ < today:
        problems["from"] = _refused_date(
            given.from_, "早于今天，会改写已经生效的数值", "it is past, and what was in force then would be rewritten",
            "请填今天或以后的日期；若原有数值录错了，请用“更正”",
            "Take today or later, or correct the value that is wrong",
        )  # fmt: skip
    elif entry is not None and any(one.from_ == entry.from_ for one in parameter.in_force):
        problems["from"] = _refused_date(
            given.from_, "这一天已有数值", "another value begins on that day",
            "请另选日期，或更正那一条", "Take another day, or correct that value",
        )  # fmt: skip
    if problems or entry is None:
        raise TextRefused(problems)
    entries = sorted([*parameter.in_force, entry], key=lambda one: one.from_)
    return _checked(parameter, entries)


def corrected_after(parameter: Parameter, entry_from: date, given: GivenEntry) -> Text:
    """All dated values with one of them put right."""
    problems: dict[str, CityError] = {}
    entry = _entry(given, problems)
    if problems or entry is None:
        raise TextRefused(problems)
    entries = [
        one.model_copy(update=entry.model_dump(exclude={"to", "table"})) if one.from_ == entry_from else one
        for one in parameter.in_force
    ]
    return _checked(parameter, entries)


def _entry(given: GivenEntry, problems: dict[str, CityError]) -> InForce | None:
    value, since = _number(given.value), _day(given.from_)
    if value is None:
        problems["value"] = ValueRefused(given=given.value)
    if since is None:
        problems["from"] = _refused_date(
            given.from_, "不是日期", "it is no date", "请按 2026-07-01 填写", "Write it as 2026-07-01"
        )
    if not given.source.strip():
        problems["source"] = SourceMissing()
    if value is None or since is None or problems:
        return None
    return InForce.model_validate(
        {"from": since, "value": value, "source": given.source.strip(), "verify": given.verify}
    )


def _checked(parameter: Parameter, entries: list[InForce]) -> Text:
    """The check that the parameters of packs pass."""
    changed = parameter.model_copy(update={"in_force": entries})
    problems: dict[str, CityError] = {}
    for fault in parameter_faults(_at_a_field, Spot("", (), parameter.id), changed):
        problems.setdefault(fault.where.rpartition(".")[2], fault)
    known = {"from", "value", "source"}
    if problems:
        raise TextRefused({(key if key in known else "from"): fault for key, fault in problems.items()})
    return parameter_text(changed)


def _at_a_field(kind: type[PackFault], spot: Spot, /, **values: Any) -> PackFault:
    """A fault of a form: it stands in no file."""
    return kind(where=spot.name, **values)


def _number(text: str) -> float | None:
    try:
        value = float(text.strip())
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def _refused_date(given: str, zh: str, en: str, advice_zh: str, advice_en: str) -> DateRefused:
    return DateRefused(given=given or "—", problem_zh=zh, problem_en=en, advice_zh=advice_zh, advice_en=advice_en)


def _owner(rule_id: str) -> tuple[Pack, Rule]:
    return packs().owner(rule_id), packs().rule(rule_id)


def differing(before: Text, after: Text) -> Iterator[tuple[str, Any, Any]]:
    """Each field of a rule's text that differs: key, before, after."""
    for key in after:
        if before.get(key) != after[key]:
            yield key, before.get(key), after[key]


def differing_entries(before: Text, after: Text) -> Iterator[tuple[InForce | None, InForce | None]]:
    """Each dated value that came, went or became another, by its first day."""
    old = {one.from_: one for one in entries_of(before)}
    new = {one.from_: one for one in entries_of(after)}
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    if len(gone) == len(come) == 1:  # corrected to another first day
        yield old[gone.pop()], new[come.pop()]
        gone, come = set(), set()
    for day in sorted(gone | come | {day for day in old.keys() & new.keys() if old[day] != new[day]}):
        yield old.get(day), new.get(day)
