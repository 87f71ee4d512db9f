"""params/*.yml: every value is dated without overlap and says its source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from zhiwan.kernel.facts.units import is_unit
from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.models import InForce, Parameter
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.subject import Spot, Subject, spot


def parameters(subject: Subject) -> Iterator[PackFault]:
    """All parameters of the pack, in the order of its files."""
    declared = iter(subject.pack.parameters)
    for file, document in subject.read.documents.items():
        if file.startswith("params/"):
            for number in range(len(document.value or [])):
                parameter = next(declared)
                yield from parameter_faults(subject.fault, spot(file, number, parameter.id), parameter)


def parameter_faults(fault: Callable[..., PackFault], here: Spot, parameter: Parameter) -> Iterator[PackFault]:
    """What is wrong with one parameter, of a file or as a district is about to change it; `fault` makes the fault."""
    if parameter.unit is not None and not is_unit(parameter.unit):
        yield fault(faults.UnitWrong, here.into("unit"), problem=f'the unit "{parameter.unit}" is not known')
    if parameter.unit is None and any(entry.value is not None for entry in parameter.in_force):
        yield fault(faults.UnitWrong, here, problem="a parameter with a single value has no unit")
    for number, entry in enumerate(parameter.in_force):
        yield from _entry(fault, here.into("in_force", number), entry)
    for number, (one, after) in enumerate(pairwise(parameter.in_force), start=1):
        at = here.into("in_force", number, "from")
        if after.from_ <= one.from_:
            yield fault(faults.DatesWrong, at, problem=f"{after.from_} does not come after {one.from_}")
        elif one.to is not None and one.to > after.from_:
            problem = f"the value before it holds until {one.to}, past {after.from_}"
            yield fault(faults.DatesWrong, at, problem=problem)


def _entry(fault: Callable[..., PackFault], here: Spot, entry: InForce) -> Iterator[PackFault]:
    if not entry.source.strip():
        yield fault(faults.SourceEmpty, here.into("source"))
    if entry.to is not None and entry.to <= entry.from_:
        yield fault(faults.DatesWrong, here.into("to"), problem=f"{entry.to} is not after {entry.from_}")
    if (entry.value is None) == (not entry.table):
        problem = "the entry has neither value nor table" if entry.value is None else "the entry has value and table"
        yield fault(faults.ValueMissing, here, problem=problem)
    if entry.table and len({frozenset(row) for row in entry.table}) > 1:
        yield fault(faults.ValueMissing, here.into("table"), problem="the rows have different columns")
