"""tests/*.yml: every rule is replayed four ways, and each replay does what its label says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.replays import Arriving, Expectation, Replay, ReplayEntity, ReplayKind
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.checks.fields import fields
from zhiwan.kernel.proof.subject import Spot, Subject, listed, spot


def replays(subject: Subject) -> Iterator[PackFault]:
    """Names in replays, labels, and the four kinds of every rule."""
    seen: set[tuple[str, str]] = set()
    for here, replay in subject.replays():
        yield from _names(subject, here, replay)
        yield from _label(subject, here, replay)
        if replay.rule is not None:
            seen.add((replay.rule, replay.kind))
    for number, rule in enumerate(subject.pack.rules):
        missing = [kind for kind in get_args(ReplayKind) if (rule.id, kind) not in seen]
        if missing:
            here = spot("rules.yml", number, rule.id, "rules")
            yield subject.fault(faults.ReplayMissing, here, kinds=", ".join(missing), rule=rule.id)


def _names(subject: Subject, here: Spot, replay: Replay) -> Iterator[PackFault]:
    rules, steps = [rule.id for rule in subject.pack.rules], [step.id for step in subject.pack.derives]
    named = [("rule", replay.rule, rules), ("derive", replay.derive, steps)]
    for key, name, known in named:
        if name is not None and name not in known:
            thing = "derive step" if key == "derive" else key
            yield subject.fault(faults.RuleUnknown, here.into(key), thing=thing, name=name, known=listed(known))
    for number, expectation in enumerate(replay.expect):
        for name in expectation.open or ():
            if name not in rules:
                at = here.into("expect", number, "open")
                yield subject.fault(faults.RuleUnknown, at, thing="rule", name=name, known=listed(rules))
    yield from _levels(subject, here, replay)
    entities = {entity.id: entity for entity in (replay.entity, *replay.others)}
    for key, entity in [("entity", replay.entity), *(("others", other) for other in replay.others)]:
        yield from _entity(subject, here.into(key), entity)
    feeds = {*replay.feeds, *(name for one in replay.expect for name in one.values)}
    for name in sorted(feeds):
        yield from _feed(subject, here.into("feeds", name), replay, name, entities)
    for number, link in enumerate(replay.links):
        for end in (link.from_, link.to):
            if end not in entities:
                yield subject.fault(faults.EntityUnknown, here.into("links", number), name=end, known=listed(entities))


def _levels(subject: Subject, here: Spot, replay: Replay) -> Iterator[PackFault]:
    rule = next((rule for rule in subject.pack.rules if rule.id == replay.rule), None)
    scale = subject.scale(rule.scale) if rule else None
    if scale is None:
        return
    known = [level.id for level in scale.levels]
    for number, expectation in enumerate(replay.expect):
        if expectation.level is not None and expectation.level not in known:
            at = here.into("expect", number, "level")
            fault = faults.LevelUnknown
            yield subject.fault(fault, at, scale=scale.id, name=expectation.level, known=", ".join(known))


def _entity(subject: Subject, here: Spot, entity: ReplayEntity) -> Iterator[PackFault]:
    kind = subject.type(entity.type)
    if kind is None:
        known = listed(subject.packs.types)
        yield subject.fault(faults.TypeUnknown, here.into("type"), name=entity.type, known=known)
        return
    yield from fields(subject, here, kind, {name: [value] for name, value in entity.fields.items()})


def _feed(
    subject: Subject, here: Spot, replay: Replay, name: str, entities: dict[str, ReplayEntity]
) -> Iterator[PackFault]:
    who, _, property_name = name.rpartition(".")
    entity = entities.get(who) if who else replay.entity
    if entity is None:
        yield subject.fault(faults.EntityUnknown, here, name=who, known=listed(entities))
        return
    kind = subject.type(entity.type)
    if kind is None:  # told at the entity
        return
    declared = kind.properties.get(property_name)
    if declared is None:
        known = listed(kind.properties)
        yield subject.fault(
            faults.PropertyUnknown, here, type=kind.id, thing="property", name=property_name, known=known
        )
    elif declared.derived and name in replay.feeds:
        yield subject.fault(faults.DerivedIsFed, here, name=f"{kind.id}.{property_name}")


def _label(subject: Subject, here: Spot, replay: Replay) -> Iterator[PackFault]:
    items = [item for feed in replay.feeds.values() for item in feed]
    late = any(isinstance(item, Arriving) for item in items)
    rule = next((rule for rule in subject.pack.rules if rule.id == replay.rule), None)
    wrong: tuple[str, str] | None = None
    if replay.kind == "fires" and replay.rule and not any(_fires(one, replay.rule) for one in replay.expect):
        wrong = ("no expectation sees the rule open", f"Expect `open: [{replay.rule}]` or `raised: 1` at some moment.")
    elif replay.kind == "silent" and replay.rule and any(_fires(one, replay.rule) for one in replay.expect):
        wrong = ("an expectation sees the rule open", "Label it fires, or expect `open: []`.")
    elif replay.kind == "late" and not late:
        wrong = ("no reading arrives late", "Write one as {value: 3.4, after: 40min}.")
    elif replay.kind == "missing" and not (None in items or not items or (rule and rule.absent)):
        wrong = ("no reading is missing", "Leave one out with ~.")
    if wrong:
        fault = faults.ReplayMislabelled
        yield subject.fault(fault, here.into("kind"), kind=replay.kind, problem=wrong[0], advice=wrong[1])


def _fires(expectation: Expectation, rule: str) -> bool:
    return rule in (expectation.open or ()) or bool(expectation.raised) or expectation.level is not None
