"""Rules as a page shows them: declared text, the parameters it may use with their history, and how it scored."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q

from zhiwan.city.packs_loaded import packs, region
from zhiwan.city.watch.models import Alarm, AlarmState, RuleScore
from zhiwan.city.watch.queries.words import LevelWords, level_words, pack_of, rule_or_none, scale_of
from zhiwan.kernel.packs.models import Parameter, Rule, Text, print_duration
from zhiwan.kernel.packs.parameters import ParameterNotInForce, ParameterUnknown


@dataclass(frozen=True)
class RuleScores:
    """What people said of the alarms of one version."""

    rule_version: str
    hit: int
    false_alarm: int
    miss: int

    @property
    def precision(self) -> float | None:
        """Share of hits among the judged alarms; None before anyone judged."""
        judged = self.hit + self.false_alarm
        return self.hit / judged if judged else None


@dataclass(frozen=True)
class RuleRow:
    id: str
    title: Text
    pack: str
    pack_title: Text
    watch: str
    open: int
    total: int


@dataclass(frozen=True)
class RuleFacts:
    id: str
    pack: str
    pack_title: Text
    pack_version: str
    title: Text
    watch: str
    watch_title: Text
    when: str | None
    where: str | None
    clear: str | None
    lasting: str
    absent: str | None
    level: str
    levels: list[LevelWords]
    message: Text
    advice: Text
    latched: bool
    raises: str | None
    proposes: str | None
    parameters: list[Parameter]
    scores: list[RuleScores]
    recent: list[Any] = field(default_factory=list)  # AlarmRow


def rules() -> list[RuleRow]:
    """All rules of all packs with the number of their alarms."""
    counted = {
        rule: (total, open_)
        for rule, total, open_ in Alarm.objects.values_list("rule").annotate(
            total=Count("id"), open=Count("id", filter=~Q(state__in=AlarmState.ended()))
        )
    }
    return [
        RuleRow(
            id=(id := f"{pack.id}.{rule.id}"),
            title=rule.title,
            pack=pack.id,
            pack_title=pack.manifest.title,
            watch=rule.watch,
            open=counted.get(id, (0, 0))[1],
            total=counted.get(id, (0, 0))[0],
        )
        for pack, rule in packs().rules
    ]


def rule_facts(rule_id: str, recent: int = 20) -> RuleFacts | None:
    """One rule as declared now; None when no loaded pack declares it."""
    rule = rule_or_none(rule_id)
    if rule is None:
        return None
    pack = packs().owner(rule_id)
    scale = scale_of(pack.id, rule.scale)
    watched = packs().property(rule.watch)
    return RuleFacts(
        id=rule_id,
        pack=pack.id,
        pack_title=pack.manifest.title,
        pack_version=pack.manifest.version,
        title=rule.title,
        watch=rule.watch,
        watch_title=watched.title,
        when=rule.when,
        where=rule.where,
        clear=rule.clear,
        lasting=print_duration(rule.lasting),
        absent=print_duration(rule.absent) if rule.absent else None,
        level=rule.level,
        levels=[level_words(scale, one.id) for one in scale.levels] if scale else [],
        message=rule.message,
        advice=rule.advice,
        latched=rule.latched,
        raises=rule.raises,
        proposes=rule.proposes.warning if rule.proposes else None,
        parameters=parameters_of(rule_id, rule),
        scores=[
            RuleScores(one.rule_version, one.hit, one.false_alarm, one.miss)
            for one in RuleScore.objects.filter(rule=rule_id).order_by("-rule_version")
        ],
        recent=_recent(rule_id, recent) if recent else [],
    )


def _recent(rule_id: str, limit: int) -> list[Any]:
    from zhiwan.city.watch.queries.alarms import alarms  # alarms shows rules, rules show alarms

    return alarms(rule=rule_id, size=limit).rows


def parameters_of(rule_id: str, rule: Rule) -> list[Parameter]:
    """The parameters named in the rule's expressions (`:name`, local first), with all their dated values."""
    pack = pack_of(rule_id)
    texts = " ".join(filter(None, (rule.when, rule.where, rule.clear, rule.level)))
    book = packs().parameters
    found = []
    for name in dict.fromkeys(re.findall(r"(?<!:):([a-z][a-z0-9_.]*)", texts)):
        try:
            found.append(book.history(book.resolve(pack, name), region()))
        except (ParameterNotInForce, ParameterUnknown):
            continue
    return found
