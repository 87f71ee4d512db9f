"""A story (推演) as a pack declares it: what a day sends, step by step, and what must come of it.

Times are `DDThh:mm` of the month in which the story begins, on the place's own clock. A signal is a line through
points; what is reported between two points lies on the line.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from zhiwan.kernel.packs.models import Declared, Duration, Identifier, Pack, Reference, Text, TypeName
from zhiwan.kernel.packs.names import global_id
from zhiwan.kernel.packs.shape import shaped
from zhiwan.kernel.packs.strict_yaml import read_yaml

Moment = Annotated[str, Field(pattern=r"^\d\dT\d\d:\d\d$")]
Points = Annotated[dict[Moment, float], Field(min_length=2)]


class StoryThings(Declared):
    """How many things of a type are copied into the story, in the order of their ids."""

    type: TypeName
    count: Annotated[int, Field(ge=1, le=50)]


class StorySignal(Declared):
    """What the things of a type report for one property."""

    of: Annotated[str, Field(pattern=r"^[A-Z]\w*\.[a-z]\w*$")]
    points: Points | None = None
    above: Identifier | None = None  # the points are measured from this field of the thing
    differ: float = 0.0  # things differ by up to so much; the first of them not at all
    sum_of: Identifier | None = None  # instead of points: another property, summed …
    over: Duration = timedelta(hours=1)  # … over so long

    @model_validator(mode="after")
    def _one_source(self) -> StorySignal:
        if (self.points is None) == (self.sum_of is None):
            raise ValueError("give either points or sum_of")
        return self


class StoryWarning(Declared):
    """A warning at a level."""

    warning: Reference
    level: Identifier


class StoryMessage(StoryWarning):
    """A warning that another authority issues, under a number of its own."""

    message_id: Annotated[str, Field(min_length=1, max_length=120)]
    text: Text | None = None  # what it says; without it, the kind's instructions


class StoryExpectation(Declared):
    """What must have come of it by then. Without it a step only tells."""

    alarm: Reference | None = None  # a rule's alarm is open …
    level: Identifier | None = None  # … at this level or above
    warning: StoryWarning | None = None  # a warning is in force at this level or above
    response: Identifier | None = None  # some response is in force at this level
    case: Reference | None = None  # a case of this kind was opened
    receipted: bool = False  # every task has its receipt
    all_clear: bool = False  # no alarm open, no case open, no response in force


class StoryStep(Declared):
    """One step: the story stops here until it is done."""

    at: Moment
    title: Text
    text: Text
    expect: StoryExpectation = StoryExpectation()
    outside: StoryMessage | None = None  # comes from another authority and is recorded as this step begins
    sign: StoryWarning | None = None  # a person signs what the alarms propose
    lift: bool = False  # everything in force is lifted, what was only proposed is put aside


class Story(Declared):
    """A whole story."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,15}$")]
    title: Text
    about: Text
    start: datetime
    speed: Annotated[float, Field(ge=1, le=3600)]
    every: Duration = timedelta(minutes=5)
    cast: dict[Identifier, Text]  # role → the story person who acts through posts of that role
    things: Annotated[list[StoryThings], Field(min_length=1)]
    signals: Annotated[list[StorySignal], Field(min_length=1)]
    steps: Annotated[list[StoryStep], Field(min_length=1)]

    def moment(self, text: str) -> datetime:
        """A time of the story."""
        return datetime.strptime(text, "%dT%H:%M").replace(
            year=self.start.year, month=self.start.month, tzinfo=self.start.tzinfo
        )

    @model_validator(mode="after")
    def _in_order(self) -> Story:
        if self.start.tzinfo is None:
            raise ValueError("start needs a zone, such as +08:00")
        times = [self.moment(step.at) for step in self.steps]
        if times != sorted(times) or times[0] < self.start:
            raise ValueError("steps follow one another from start on")
        return self


def read_stories(packs: Sequence[Pack]) -> dict[str, Story]:
    """The stories of some packs, by id, with global names. Raises PackFault."""
    ids = [pack.id for pack in packs]
    found = {}
    for pack in packs:
        for path in sorted((Path(pack.folder) / "stories").glob("*.yml")) if pack.folder else ():
            story: Story = shaped(read_yaml(path, f"stories/{path.name}"), Story)
            found[story.id] = _with_global_names(story, pack.id, ids)
    return found


def _with_global_names(story: Story, pack: str, ids: Sequence[str]) -> Story:
    """Rules, warnings and kinds of case as the city calls them: flood.high_tide → governance.flood.high_tide."""

    def full(item: Any, *names: str) -> Any:
        return item and item.model_copy(
            update={name: global_id(pack, given, ids) for name in names if (given := getattr(item, name))}
        )

    steps = [
        step.model_copy(
            update={
                "outside": full(step.outside, "warning"),
                "sign": full(step.sign, "warning"),
                "expect": full(step.expect, "alarm", "case").model_copy(
                    update={"warning": full(step.expect.warning, "warning")}
                ),
            }
        )
        for step in story.steps
    ]
    return story.model_copy(update={"steps": steps})
