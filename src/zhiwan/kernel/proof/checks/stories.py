"""stories/*.yml: what a story sends, expects, signs and whom it casts leads to something that exists."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from zhiwan.kernel.packs.broken import PackFault, WrongShape
from zhiwan.kernel.packs.models import Scale
from zhiwan.kernel.packs.names import global_id
from zhiwan.kernel.packs.packset import NoSuchDeclaration
from zhiwan.kernel.packs.stories import Story, StorySignal, StoryStep, StoryWarning
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.checks.pointers import levels_known, role_known
from zhiwan.kernel.proof.subject import Spot, Subject, listed


def stories(subject: Subject) -> Iterator[PackFault]:
    """Every story of the pack."""
    for file, story in subject.read.stories:
        here = Spot(file, (), f"story[{story.id}]")
        if file != f"stories/{story.id}.yml":
            yield subject.fault(
                WrongShape, here.into("id"), problem=f"the story {story.id} stands in {file}",
                advice=f"Name the file stories/{story.id}.yml: the command finds it by this name.",
            )  # fmt: skip
        for role in story.cast:
            yield from role_known(subject, here.into("cast", role), role)
        for number, thing in enumerate(story.things):
            if subject.type(thing.type) is None:
                at = here.into("things", number, "type")
                yield subject.fault(faults.TypeUnknown, at, name=thing.type, known=listed(subject.packs.types))
        for number, signal in enumerate(story.signals):
            yield from _signal(subject, here.into("signals", number), story, signal)
        for number, step in enumerate(story.steps):
            yield from _step(subject, here.into("steps", number), step)


def _signal(subject: Subject, here: Spot, story: Story, signal: StorySignal) -> Iterator[PackFault]:
    type_name, _, name = signal.of.partition(".")
    things = {thing.type for thing in story.things}
    if type_name not in things:
        yield subject.fault(faults.TypeUnknown, here.into("of"), name=type_name, known=listed(things))
        return
    kind = subject.type(type_name)
    if kind is None:  # told with the things
        return
    own = {one.of.partition(".")[2] for one in story.signals if one.of.startswith(f"{type_name}.")}
    for key, given, thing, known in (
        ("of", name, "property", kind.properties),
        ("above", signal.above, "field", kind.fields),
        ("sum_of", signal.sum_of, "signal", own),
    ):
        if given is not None and given not in known:
            yield subject.fault(
                faults.PropertyUnknown, here.into(key), type=kind.id, thing=thing, name=given, known=listed(list(known))
            )


def _step(subject: Subject, here: Spot, step: StoryStep) -> Iterator[PackFault]:
    expect, at = step.expect, here.into("expect")
    for warning, spot in (
        (step.outside, here.into("outside")),
        (step.sign, here.into("sign")),
        (expect.warning, at.into("warning")),
    ):
        if warning is not None:
            yield from _warning(subject, spot, warning)
    if expect.alarm is not None:
        rule = subject.find(subject.packs.rule, expect.alarm)
        if rule is None:
            known = listed([one.id for one in subject.pack.rules])
            yield subject.fault(faults.RuleUnknown, at.into("alarm"), thing="rule", name=expect.alarm, known=known)
        elif expect.level is not None:
            yield from levels_known(
                subject, at.into("level"), _scale(subject, expect.alarm, rule.scale), [expect.level]
            )
    if expect.case is not None and subject.find(subject.packs.case_kind, expect.case) is None:
        known = listed([one.id for one in subject.pack.case_kinds])
        yield subject.fault(faults.CaseKindUnknown, at.into("case"), name=expect.case, known=known)
    if expect.response is not None and expect.response not in (known_levels := _response_levels(subject)):
        known = listed(known_levels)
        yield subject.fault(
            faults.LevelUnknown, at.into("response"), scale="of the plans", name=expect.response, known=known
        )


def _warning(subject: Subject, here: Spot, wanted: StoryWarning) -> Iterator[PackFault]:
    kind = subject.find(subject.packs.warning, wanted.warning)
    if kind is None:
        known = listed([one.id for one in subject.pack.warnings])
        yield subject.fault(faults.WarningUnknown, here.into("warning"), name=wanted.warning, known=known)
    else:
        yield from levels_known(
            subject, here.into("level"), _scale(subject, wanted.warning, kind.scale), [wanted.level]
        )


def _scale(subject: Subject, owned_by: str, scale: str) -> Scale | None:
    """The scale of a rule or warning, as its own pack writes it."""
    full = global_id(subject.pack.id, owned_by, [pack.id for pack in subject.packs.packs])
    try:
        return subject.packs.scale(full.rpartition(".")[0], scale)
    except NoSuchDeclaration:
        return None


def _response_levels(subject: Subject) -> Collection[str]:
    return {level.level for _, plan in subject.packs.plans for level in plan.levels}
