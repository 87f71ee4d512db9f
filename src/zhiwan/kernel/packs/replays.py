"""The format of a pack's tests/*.yml: replays with a clock.

Runner: zhiwan.kernel.proof.replay. Manual with examples: docs/how-to/write-a-pack.md.
A replay feeds readings step by step and says what must be true when. Four kinds are asked of every rule:
`fires`, stays `silent`, arrives `late`, goes `missing`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from zhiwan.kernel.packs.models import Duration, Identifier, Text, TypeName, parse_duration, print_duration


def parse_offset(text: Any) -> Any:
    """`+10min` (or `0`) → the span since the start of the clock."""
    if isinstance(text, timedelta):
        return text
    if text in (0, "0", "+0"):
        return timedelta(0)
    if not isinstance(text, str) or not text.startswith("+"):
        raise ValueError("a time of a replay is an offset from its start: +10min, +2h")
    return parse_duration(text[1:])


Offset = Annotated[
    timedelta,
    BeforeValidator(parse_offset),
    PlainSerializer(lambda span: "+" + print_duration(span), return_type=str),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^(\+\d+(s|min|h|d)|\+?0)$", "examples": ["+10min"]}),
]
EntityId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
ReplayKind = Literal["fires", "silent", "late", "missing"]


class _Replayed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Clock(_Replayed):
    start: AwareDatetime  # with its offset: 2026-07-01T06:00:00+08:00
    step: Duration  # one item of a feed per step
    every: Duration | None = None  # readings come that often within a step, all with the step's item

    @model_validator(mode="after")
    def _steps_forward(self) -> Clock:
        if not self.step or (self.every is not None and (not self.every or self.step % self.every)):
            raise ValueError("a step is longer than nothing, and a whole number of `every`")
        return self


class ReplayEntity(_Replayed):
    type: TypeName
    id: EntityId = "e1"
    name: str = "Replay"
    town: Annotated[str, Field(pattern=r"^[1-9][0-9]{8}$")] = "100000001"
    area: str | None = None  # village or grid; default: the town
    fields: dict[Identifier, float | str | bool | None] = {}


class ReplayLink(_Replayed):
    from_: EntityId = Field(alias="from")
    link: Identifier
    to: EntityId


class Arriving(_Replayed):
    """A reading that was observed at its step and arrives `after` later."""

    value: float | None
    after: Duration


#: One item per step: a number, `~` for no reading, or {value, after} for one that arrives late.
FeedItem = float | Arriving | None


class Expectation(_Replayed):
    """What must hold at one moment, after everything that arrived up to then was judged."""

    at: Offset
    open: list[Identifier] | None = None  # exactly these rules of the pack have an open alarm, on whichever entity
    level: Identifier | None = None  # level of the open alarm of `rule` on `entity`
    message: str | None = None  # stands in the Chinese or English message of that alarm
    raised: int | None = None  # alarms of `rule` opened so far
    corrected: int | None = None  # corrections of alarms of `rule` so far
    notified: int | None = None  # times a person was told so far: an alarm opened or its level rose
    values: dict[str, float | None] = {}  # last value of a property (derived ones too): aqi, or other_entity.aqi

    @model_validator(mode="after")
    def _says_something(self) -> Expectation:
        if not self.model_fields_set - {"at"}:
            raise ValueError("an expectation says more than `at`: open, level, message, raised, corrected, values")
        return self


class Replay(_Replayed):
    case: Text | str
    kind: ReplayKind
    rule: Identifier | None = None  # the rule it proves; None: a derive step
    derive: Identifier | None = None
    clock: Clock
    entity: ReplayEntity
    others: list[ReplayEntity] = []
    links: list[ReplayLink] = []
    feeds: dict[Annotated[str, Field(pattern=r"^([A-Za-z0-9_-]+\.)?[a-z][a-z0-9_]*$")], list[FeedItem]]
    expect: Annotated[list[Expectation], Field(min_length=1)]
    region: str = "CN"

    @model_validator(mode="after")
    def _proves_one_thing(self) -> Replay:
        if (self.rule is None) == (self.derive is None):
            raise ValueError("a replay names the one thing it proves: `rule` or `derive`")
        return self

    @property
    def title(self) -> str:
        return self.case if isinstance(self.case, str) else self.case.en
