"""What a district changed of its packs without touching their files: a rule's text, a parameter's dated values.

    changed(packs, changes) -> (PackSet, changes left out)        texts with the changes that fit them
    with_text(packs, kind, subject, region, text)                  one text tried out
    rule_text(rule), parameter_text(parameter)                    what can be changed of them, as JSON

A change says which text of the pack it was signed on (`base`). Where the pack's text is another one by now, or gone,
the change is left out and told, never applied: nobody signed what it would mean there. The last change of a subject
that fits counts; `after` holds the whole text, so that one may be taken back by signing the former text again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from pydantic import TypeAdapter

from zhiwan.kernel.packs.models import InForce, Pack, Parameter, Rule
from zhiwan.kernel.packs.packset import LocalMark, PackSet

#: What of a rule may be changed where it runs. Everything else (what it watches, its words) is the pack's.
JUDGED = ("when", "where", "clear", "lasting", "clear_lasting", "absent", "level")
#: What a changed rule stands on besides: another watched property or scale makes it another rule.
_GROUND = ("watch", "scale", "latched")
Kind = Literal["rule", "parameter"]
Text = dict[str, Any]


@dataclass(frozen=True)
class LocalChange:
    """One signed change. `serial` counts all changes of the house; `region` is that of a parameter."""

    serial: int
    kind: Kind
    subject: str  # global id of the rule or parameter
    region: str
    base: Text
    after: Text
    signed_at: datetime

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.subject, self.region


def rule_text(rule: Rule) -> Text:
    """What may be changed of a rule, as written: durations with their unit, None where it has none."""
    return rule.model_dump(mode="json", include=set(JUDGED))


def rule_base(rule: Rule) -> Text:
    """The text that a change of a rule is signed on."""
    return rule.model_dump(mode="json", include={*JUDGED, *_GROUND})


def parameter_text(parameter: Parameter) -> Text:
    """All dated values of a parameter, earliest first."""
    entries = parameter.model_dump(mode="json", by_alias=True, exclude_defaults=True, include={"in_force"})
    return {"in_force": entries["in_force"]}


def parameter_base(parameter: Parameter) -> Text:
    """The text that a change of a parameter is signed on."""
    return parameter_text(parameter) | {"unit": parameter.unit}


def changed_rule(rule: Rule, after: Mapping[str, Any]) -> Rule:
    """The rule with another text. Raises pydantic's ValidationError for what no rule may say."""
    wanted = {key: after[key] for key in JUDGED if key in after}
    return Rule.model_validate(rule.model_dump(mode="json") | wanted)


def entries_of(text: Mapping[str, Any]) -> list[InForce]:
    """The dated values of a parameter's text."""
    return _ENTRIES.validate_python(text["in_force"])


_ENTRIES = TypeAdapter(list[InForce])


def changed(packs: PackSet, changes: Iterable[LocalChange]) -> tuple[PackSet, tuple[LocalChange, ...]]:
    """The packs with the changes in the order of their serials, and those that fit no text of today."""
    last: dict[tuple[str, str, str], LocalChange] = {}
    left_out: dict[tuple[str, str, str], LocalChange] = {}
    for change in sorted(changes, key=lambda one: one.serial):
        if base_now(packs, change) == change.base:
            last[change.key] = change
            left_out.pop(change.key, None)  # signed anew on today's text
        else:
            left_out[change.key] = change
    marks: dict[str, LocalMark] = {}
    for change in last.values():
        mark = LocalMark(change.serial, change.signed_at)
        marks[change.subject] = max(mark, marks.get(change.subject, mark), key=lambda one: one.serial)
    texts = {key: change.after for key, change in last.items()}
    found = [_pack(pack, texts) for pack in packs.packs]
    return PackSet(found, marks), tuple(sorted(left_out.values(), key=lambda one: one.serial))


def with_text(packs: PackSet, kind: Kind, subject: str, region: str, text: Text) -> PackSet:
    """The packs with one text of a rule or parameter in place of the one they have: to try it out."""
    return PackSet((_pack(pack, {(kind, subject, region): text}) for pack in packs.packs), packs.local)


def base_now(packs: PackSet, change: LocalChange) -> Text | None:
    """What the pack says today of a change's subject; None when it is gone."""
    for pack in packs.packs:
        for rule in pack.rules if change.kind == "rule" else ():
            if f"{pack.id}.{rule.id}" == change.subject:
                return rule_base(rule)
        for one in pack.parameters if change.kind == "parameter" else ():
            if (f"{pack.id}.{one.id}", one.region) == (change.subject, change.region):
                return parameter_base(one)
    return None


def _pack(pack: Pack, texts: Mapping[tuple[str, str, str], Text]) -> Pack:
    rules = [
        changed_rule(one, text) if (text := texts.get(("rule", f"{pack.id}.{one.id}", ""))) else one
        for one in pack.rules
    ]
    parameters = [
        one.model_copy(update={"in_force": entries_of(text)})
        if (text := texts.get(("parameter", f"{pack.id}.{one.id}", one.region)))
        else one
        for one in pack.parameters
    ]
    return pack.model_copy(update={"rules": rules, "parameters": parameters})
