"""Rules as a page shows them: declared text, the parameters it may use with their history, and how it scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import Count, Q

from zhiwan.city.packs_loaded import in_force, packs, region
from zhiwan.city.watch.models import Alarm, AlarmState, RuleScore
from zhiwan.city.watch.queries.words import LevelWords, level_words, rule_or_none, scale_of
from zhiwan.kernel.packs.models import Parameter, Text, print_duration
from zhiwan.kernel.packs.parameters import ParameterNotInForce


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
class UsedByRule:
    """A parameter with its global id and all its dated values."""

    id: str
    declared: Parameter


@dataclass(frozen=True)
class RuleFacts:
    id: str
    pack: str
    pack_title: Text
    version: str  # of the pack, with the district's last change: 0.1.0+local.3
    title: Text
    watch: str
    watch_title: Text
    when: str | None
    where: str | None
    clear: str | None
    lasting: str
    clear_lasting: str
    absent: str | None
    level: str
    levels: list[LevelWords]
    message: Text
    advice: Text
    latched: bool
    raises: str | None
    proposes: str | None
    parameters: list[UsedByRule]
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
        version=in_force().book.rule(rule_id).version,
        title=rule.title,
        watch=rule.watch,
        watch_title=watched.title,
        when=rule.when,
        where=rule.where,
        clear=rule.clear,
        lasting=print_duration(rule.lasting),
        clear_lasting=print_duration(rule.clear_lasting),
        absent=print_duration(rule.absent) if rule.absent else None,
        level=rule.level,
        levels=[level_words(scale, one.id) for one in scale.levels] if scale else [],
        message=rule.message,
        advice=rule.advice,
        latched=rule.latched,
        raises=rule.raises,
        proposes=rule.proposes.warning if rule.proposes else None,
        parameters=parameters_of(rule_id),
        scores=[
            RuleScores(one.rule_version, one.hit, one.false_alarm, one.miss)
            for one in RuleScore.objects.filter(rule=rule_id).order_by("-rule_version")
        ],
        recent=_recent(rule_id, recent) if recent else [],
    )


def rules_using(parameter: str) -> list[RuleRow]:
    """Rules that are held against a parameter, or quote it."""
    using = {rule.id for rule in in_force().book.rules if parameter in rule.parameters}
    return [row for row in rules() if row.id in using]


def _recent(rule_id: str, limit: int) -> list[Any]:
    from zhiwan.city.watch.queries.alarms import alarms  # alarms shows rules, rules show alarms

    return alarms(rule=rule_id, size=limit).rows


def parameters_of(rule_id: str) -> list[UsedByRule]:
    """The parameters that the rule is held against or quotes, as they hold in this region."""
    book = packs().parameters
    found = []
    for id in in_force().book.rule(rule_id).parameters:
        try:
            found.append(UsedByRule(id, book.history(id, region())))
        except ParameterNotInForce:
            continue
    return found
