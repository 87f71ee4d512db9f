"""types.yml and pack.yml: units, grades, choices, links, mission rows, needs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from zhiwan.kernel.facts.units import is_unit
from zhiwan.kernel.packs.broken import IdTwice, PackFault
from zhiwan.kernel.packs.load import Read
from zhiwan.kernel.packs.models import CommandArgument, EntityType, FieldDecl, Pack, PropertyDecl
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.subject import Spot, Subject, listed, spot

_MISSION_ROW = re.compile(r"^[A-E][1-9][0-9]?(\.[1-9][0-9]?)?$")
_PERSONAL_GRADE = 3


def manifest(subject: Subject) -> Iterator[PackFault]:
    """Mission rows have their shape, needed packs are loaded, used types come from needed packs."""
    here = Spot("pack.yml", (), "pack")
    pack = subject.pack
    for number, row in enumerate(pack.manifest.mission):
        if not _MISSION_ROW.match(row) or (subject.rows is not None and row not in subject.rows):
            yield subject.fault(faults.MissionUnknown, here.into("mission", number), name=row)
    known = [one.id for one in subject.packs.packs]
    for number, name in enumerate(pack.manifest.needs):
        if name not in known:
            yield subject.fault(faults.NeedNotLoaded, here.into("needs", number), name=name, known=listed(known))
    owners = {one.id: owner.id for owner in subject.packs.packs for one in owner.types}
    allowed = {pack.id, *pack.manifest.needs}
    used = {rule.watch.partition(".")[0] for rule in pack.rules} | {one.of for one in pack.derives}
    used |= {one.over for one in pack.indicators} | {link.to for one in pack.types for link in one.links.values()}
    for name in sorted(used):
        if name in owners and owners[name] not in allowed:
            yield subject.fault(faults.NeedMissing, here.into("needs"), name=name, owner=owners[name])


def types_taken(read: Read, others: Iterable[Pack]) -> Iterator[PackFault]:
    """Types that another pack declares already, told at the line of this one: type names are shared by all packs."""
    owners = {one.id: pack.id for pack in others for one in pack.types}
    for number, one in enumerate(read.pack.types):
        if one.id in owners:
            line = read.documents["types.yml"].line((number, "id"))
            yield IdTwice(
                file="types.yml", line=line, where=f"types[{one.id}].id", thing="type", id=one.id, first=owners[one.id]
            )


def types(subject: Subject) -> Iterator[PackFault]:
    """Fields and properties have units and grades, links lead somewhere."""
    derived_by = {(one.of, output) for _, one in subject.packs.derives for output in one.outputs}
    for number, kind in enumerate(subject.pack.types):
        here = spot("types.yml", number, kind.id)
        for name, field in kind.fields.items():
            yield from _field(subject, here.into("fields", name), field)
        for name, declared in kind.properties.items():
            yield from _property(subject, here.into("properties", name), kind, name, declared, derived_by)
        for name, command in kind.commands.items():
            if command.argument is not None:
                yield from _argument(subject, here.into("commands", name, "argument"), command.argument)
        for name, link in kind.links.items():
            if subject.type(link.to) is None:
                at = here.into("links", name, "to")
                yield subject.fault(faults.TypeUnknown, at, name=link.to, known=listed(subject.packs.types))


def _field(subject: Subject, here: Spot, field: FieldDecl) -> Iterator[PackFault]:
    if field.type == "number" and field.unit is None:
        yield subject.fault(faults.UnitWrong, here, problem="a number has no unit")
    elif field.unit is not None and (field.type != "number" or not is_unit(field.unit)):
        problem = f'the unit "{field.unit}" is not known' if field.type == "number" else f"a {field.type} has no unit"
        yield subject.fault(faults.UnitWrong, here.into("unit"), problem=problem)
    if field.kind is not None and field.grade < _PERSONAL_GRADE:
        yield subject.fault(faults.GradeTooLow, here, kind=field.kind, grade=field.grade)
    if (field.type == "choice") != bool(field.choices):
        problem = "a choice lists no choices" if field.type == "choice" else f"a {field.type} lists choices"
        yield subject.fault(faults.ChoicesMissing, here, problem=problem)


def _argument(subject: Subject, here: Spot, given: CommandArgument) -> Iterator[PackFault]:
    """Of a command: a number with its unit and its limits, or choices, and not both."""
    if given.choices:
        if given.unit is not None or given.range is not None:
            problem = "an argument lists choices and is a number too"
            yield subject.fault(faults.ChoicesMissing, here, problem=problem)
        return
    if given.unit is None or not is_unit(given.unit):
        problem = "a number has no unit" if given.unit is None else f'the unit "{given.unit}" is not known'
        yield subject.fault(faults.UnitWrong, here, problem=problem)
    if given.range is None or given.range[0] >= given.range[1]:
        problem = (
            "a number that is sent to a device has no limits" if given.range is None else "the range does not rise"
        )
        yield subject.fault(faults.OrderWrong, here, problem=problem, advice="Write range: [lowest, highest].")


def _property(
    subject: Subject,
    here: Spot,
    kind: EntityType,
    name: str,
    declared: PropertyDecl,
    derived_by: set[tuple[str, str]],
) -> Iterator[PackFault]:
    if not is_unit(declared.unit):
        yield subject.fault(faults.UnitWrong, here.into("unit"), problem=f'the unit "{declared.unit}" is not known')
    if declared.range is not None and declared.range[0] >= declared.range[1]:
        yield subject.fault(
            faults.OrderWrong, here.into("range"), problem="the range does not rise", advice="Write [lowest, highest]."
        )
    if declared.derived and (kind.id, name) not in derived_by:
        yield subject.fault(faults.DerivedByNobody, here, name=f"{kind.id}.{name}")
