"""What an amendment is about, as it stands now: the pack's text, the text in force, and the rules that it touches."""

from __future__ import annotations

from dataclasses import dataclass

from zhiwan.city.amendments.errors import AmendmentUnknown
from zhiwan.city.amendments.models import Amendment, Kind
from zhiwan.city.packs_loaded import declared, in_force, packs, region
from zhiwan.kernel.packs.local_changes import Text, parameter_base, parameter_text, rule_base, rule_text
from zhiwan.kernel.packs.models import Parameter
from zhiwan.kernel.packs.packset import LocalMark, NoSuchDeclaration, PackSet


@dataclass(frozen=True)
class Subject:
    """A rule or a parameter. `rules` are the ids of the rules whose judgement may change with it."""

    id: str
    region: str
    base: Text
    before: Text
    rules: tuple[str, ...]
    mark: LocalMark | None
    declared_parameter: Parameter | None = None

    @property
    def parameter(self) -> Parameter:
        """The parameter as it is in force."""
        if self.declared_parameter is None:
            raise AmendmentUnknown(thing="parameter", id=self.id)
        return self.declared_parameter


def rule_subject(rule_id: str) -> Subject:
    """A rule. Raises AmendmentUnknown where no loaded pack declares it."""
    try:
        now, base = packs().rule(rule_id), declared().rule(rule_id)
    except NoSuchDeclaration as unknown:
        raise AmendmentUnknown(thing="rule", id=rule_id) from unknown
    return Subject(rule_id, "", rule_base(base), rule_text(now), (rule_id,), packs().local.get(rule_id))


def parameter_subject(rule_id: str, parameter: str) -> Subject:
    """A parameter that the rule names, as it holds in this region."""
    rule = next((one for one in in_force().book.rules if one.id == rule_id), None)
    if rule is None or parameter not in rule.parameters:
        raise AmendmentUnknown(thing="parameter", id=parameter)
    return _parameter(parameter, packs().parameters.history(parameter, region()).region)


def subject_of(one: Amendment) -> Subject:
    """What an amendment is about, now. Raises AmendmentUnknown where its pack does not have it any more."""
    return _parameter(one.subject, one.region) if Kind(one.kind).of_parameter else rule_subject(one.subject)


def _parameter(id: str, of_region: str) -> Subject:
    base, now = (_declared(found, id, of_region) for found in (declared(), packs()))
    if base is None or now is None:
        raise AmendmentUnknown(thing="parameter", id=id)
    rules = tuple(one.id for one in in_force().book.rules if id in one.parameters)
    text = parameter_text(now)
    return Subject(id, of_region, parameter_base(base), text, rules, packs().local.get(id), now)


def _declared(found: PackSet, id: str, of_region: str) -> Parameter | None:
    for pack in found.packs:
        for one in pack.parameters:
            if (f"{pack.id}.{one.id}", one.region) == (id, of_region):
                return one
    return None
