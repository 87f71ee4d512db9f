"""Names in rules, derive steps, indicators, plans, cases, views, sources and demo lead to something that exists."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise

from zhiwan.kernel.facts.units import is_unit, same_dimension
from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.models import EntityType, Rule, Scale
from zhiwan.kernel.packs.parameters import ParameterUnknown
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.checks.fields import fields, possible
from zhiwan.kernel.proof.subject import Spot, Subject, listed, spot


def rules(subject: Subject) -> Iterator[PackFault]:
    """What a rule watches, its scale, the case it raises and the warning it proposes."""
    for number, scale in enumerate(subject.pack.scales):
        ranks = [level.rank for level in scale.levels]
        if len(set(ranks)) < len(ranks):
            yield subject.fault(
                faults.OrderWrong, spot("rules.yml", number, scale.id, "scales"), problem="two levels share a rank",
                advice="Give each level its own rank; the higher is the worse.",
            )  # fmt: skip
    for number, rule in enumerate(subject.pack.rules):
        here = spot("rules.yml", number, rule.id, "rules")
        type_name, _, property_name = rule.watch.partition(".")
        yield from _property(subject, here.into("watch"), type_name, property_name)
        if rule.when is None and rule.absent is None:
            yield subject.fault(faults.RuleSilent, here)
        yield from _scale(subject, here.into("scale"), rule.scale)
        yield from _raises(subject, here, rule)


def _raises(subject: Subject, here: Spot, rule: Rule) -> Iterator[PackFault]:
    packs, emits = subject.packs, subject.pack.manifest.emits
    if rule.raises is not None:
        if subject.find(packs.case_kind, rule.raises) is None:
            known = listed([one.id for one in subject.pack.case_kinds])
            yield subject.fault(faults.CaseKindUnknown, here.into("raises"), name=rule.raises, known=known)
        elif rule.raises not in emits:
            yield subject.fault(faults.EmitMissing, here.into("raises"), name=rule.raises)
    if rule.proposes is not None:
        name, at = rule.proposes.warning, here.into("proposes")
        warning = subject.find(packs.warning, name)
        if warning is None:
            known = listed([one.id for one in subject.pack.warnings])
            yield subject.fault(faults.WarningUnknown, at.into("warning"), name=name, known=known)
            return
        if name not in emits:
            yield subject.fault(faults.EmitMissing, at.into("warning"), name=name)
        own, other = subject.scale(rule.scale), scale_of_warning(subject, name)
        yield from levels_known(subject, at.into("levels"), own, rule.proposes.levels.keys())
        yield from levels_known(subject, at.into("levels"), other, rule.proposes.levels.values())


def derives(subject: Subject) -> Iterator[PackFault]:
    """Inputs and outputs exist, outputs are declared as derived, parameters are known."""
    for number, step in enumerate(subject.pack.derives):
        here = spot("derive.yml", number, step.id)
        kind = subject.type(step.of)
        if kind is None:
            yield _type_unknown(subject, here.into("of"), step.of)
            continue
        for name in step.inputs:
            yield from _property(subject, here.into("inputs"), kind.id, name)
        for name in step.outputs:
            found = kind.properties.get(name)
            if found is None:
                yield from _property(subject, here.into("outputs"), kind.id, name)
            elif not found.derived:
                yield subject.fault(faults.OutputNotDerived, here.into("outputs"), name=name, type=kind.id)
        for name in step.parameters:
            try:
                subject.packs.parameters.resolve(subject.pack.id, name)
            except ParameterUnknown:
                known = listed({one.id for one in subject.pack.parameters})
                yield subject.fault(faults.ParameterUnknown, here.into("parameters"), name=name, known=known)


def indicators(subject: Subject) -> Iterator[PackFault]:
    """Type, unit and bands. Expressions are looked at in checks/expressions.py."""
    for number, indicator in enumerate(subject.pack.indicators):
        here = spot("indicators.yml", number, indicator.id)
        if subject.type(indicator.over) is None:
            yield _type_unknown(subject, here.into("over"), indicator.over)
        if not is_unit(indicator.unit):
            problem = f'the unit "{indicator.unit}" is not known'
            yield subject.fault(faults.UnitWrong, here.into("unit"), problem=problem)
        edges = [band.upto for band in indicator.bands]
        rising = all(one is not None and (after is None or one < after) for one, after in pairwise(edges))
        if edges and (not rising or edges[-1] is not None):
            yield subject.fault(
                faults.OrderWrong, here.into("bands"), problem="the bands leave a gap or do not rise",
                advice="Order bands by `upto`; the last one has none and takes all that lies above.",
            )  # fmt: skip


def actions(subject: Subject) -> Iterator[PackFault]:
    """Warnings, plans and cases: scales, levels, triggers and roles."""
    for number, warning in enumerate(subject.pack.warnings):
        here = spot("warnings.yml", number, warning.id)
        yield from _scale(subject, here.into("scale"), warning.scale)
        yield from role_known(subject, here.into("signed_by"), warning.signed_by)
    for number, plan in enumerate(subject.pack.plans):
        here = spot("plans.yml", number, plan.id)
        yield from _scale(subject, here.into("scale"), plan.scale)
        scale = subject.scale(plan.scale)
        for step, level in enumerate(plan.levels):
            at = here.into("levels", step)
            yield from levels_known(subject, at.into("level"), scale, [level.level])
            for place, task in enumerate(level.tasks):
                yield from role_known(subject, at.into("tasks", place, "post"), task.post)
        for step, trigger in enumerate(plan.triggers):
            at = here.into("triggers", step)
            if subject.find(subject.packs.warning, trigger.warning) is None:
                known = listed([one.id for one in subject.pack.warnings])
                yield subject.fault(faults.WarningUnknown, at.into("warning"), name=trigger.warning, known=known)
                continue
            other = scale_of_warning(subject, trigger.warning)
            yield from levels_known(subject, at.into("levels"), other, trigger.levels.keys())
            yield from levels_known(subject, at.into("levels"), scale, trigger.levels.values())
    for number, kind in enumerate(subject.pack.case_kinds):
        yield from role_known(subject, spot("cases.yml", number, kind.id).into("handled_by"), kind.handled_by)


def views(subject: Subject) -> Iterator[PackFault]:
    """Layers and panels show what exists."""
    known = listed([one.id for one in subject.pack.indicators])
    for number, layer in enumerate(subject.pack.views.layers):
        here = spot("views.yml", number, layer.id, "layers")
        yield from _property(subject, here.into("property"), layer.type, layer.property)
        if layer.indicator and subject.find(subject.packs.indicator, layer.indicator) is None:
            yield subject.fault(faults.IndicatorUnknown, here.into("indicator"), name=layer.indicator, known=known)
    for number, panel in enumerate(subject.pack.views.panels):
        here = spot("views.yml", number, panel.id, "panels")
        if panel.type is not None and panel.property is not None:
            yield from _property(subject, here.into("property"), panel.type, panel.property)
        elif panel.type is not None and subject.type(panel.type) is None:
            yield _type_unknown(subject, here.into("type"), panel.type)
        for name in panel.indicators:
            if subject.find(subject.packs.indicator, name) is None:
                yield subject.fault(faults.IndicatorUnknown, here.into("indicators"), name=name, known=known)


def feeds(subject: Subject) -> Iterator[PackFault]:
    """Sources and the demonstration feed properties that exist, are not derived and have a fitting unit."""
    for number, source in enumerate(subject.pack.sources):
        here = spot("sources.yml", number, source.id)
        for name, column in source.values.items():
            at = here.into("values", name)
            yield from _fed(subject, at, source.type, name)
            kind = subject.type(source.type)
            declared = kind.properties.get(name) if kind else None
            if not is_unit(column.unit):
                problem = f'the unit "{column.unit}" is not known'
                yield subject.fault(faults.UnitWrong, at.into("unit"), problem=problem)
            elif declared and is_unit(declared.unit) and not same_dimension(column.unit, declared.unit):
                yield subject.fault(
                    faults.UnitsApart, at.into("unit"), unit=column.unit, property=name, wanted=declared.unit
                )
    for number, device in enumerate(subject.pack.demo.devices):
        here = spot("demo.yml", number, device.id_prefix, "devices")
        for name in device.signals:
            yield from _fed(subject, here.into("signals", name), device.type, name)
        kind = subject.type(device.type)
        if kind is not None:
            given = {name: possible(value) for name, value in device.fields.items()}
            yield from fields(subject, here, kind, given, whole=True)


def _fed(subject: Subject, here: Spot, type_name: str, name: str) -> Iterator[PackFault]:
    yield from _property(subject, here, type_name, name)
    kind = subject.type(type_name)
    if kind is not None and name in kind.properties and kind.properties[name].derived:
        yield subject.fault(faults.DerivedIsFed, here, name=f"{type_name}.{name}")


def _type_unknown(subject: Subject, here: Spot, name: str) -> PackFault:
    return subject.fault(faults.TypeUnknown, here, name=name, known=listed(subject.packs.types))


def _property(subject: Subject, here: Spot, type_name: str, name: str) -> Iterator[PackFault]:
    kind: EntityType | None = subject.type(type_name)
    if kind is None:
        yield _type_unknown(subject, here, type_name)
    elif name not in kind.properties:
        known = listed(kind.properties)
        yield subject.fault(faults.PropertyUnknown, here, type=kind.id, thing="property", name=name, known=known)


def _scale(subject: Subject, here: Spot, name: str) -> Iterator[PackFault]:
    if subject.scale(name) is None:
        known = listed([scale.id for scale in subject.pack.scales])
        yield subject.fault(faults.ScaleUnknown, here, name=name, known=known)


def levels_known(subject: Subject, here: Spot, scale: Scale | None, names: Collection[str]) -> Iterator[PackFault]:
    """Whether the scale has these levels."""
    if scale is None:  # told already
        return
    known = [level.id for level in scale.levels]
    for name in names:
        if name not in known:
            yield subject.fault(faults.LevelUnknown, here, scale=scale.id, name=name, known=", ".join(known))


def scale_of_warning(subject: Subject, name: str) -> Scale | None:
    for pack, warning in subject.packs.warnings:
        if f"{pack.id}.{warning.id}" == name:
            try:
                return subject.packs.scale(pack, warning.scale)
            except PackFault:
                return None
    return None


def role_known(subject: Subject, here: Spot, name: str) -> Iterator[PackFault]:
    """Whether the place has this role."""
    if subject.roles is not None and name not in subject.roles:
        yield subject.fault(faults.RoleUnknown, here, name=name, known=listed(subject.roles))
