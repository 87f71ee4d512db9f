"""The pack format as types. Each YAML file of a pack is one model here; the JSON Schemas are printed from them.

Strict: an unknown key is an error, every human sentence has both languages, every duration a unit.
How a folder becomes these models: load.py. What must hold between them: zhiwan.kernel.proof.check.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from zhiwan.kernel.facts.declared import Declared as Declared
from zhiwan.kernel.facts.declared import Grade as Grade
from zhiwan.kernel.facts.declared import Identifier as Identifier
from zhiwan.kernel.facts.declared import Text as Text
from zhiwan.kernel.packs.signals import AnySignal, DrawnField

_DURATION = re.compile(r"^(\d+)(s|min|h|d)$")
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}


def parse_duration(text: Any) -> Any:
    """`10min` → 10 minutes. Units: s, min, h, d. Anything else is left for pydantic to refuse."""
    if isinstance(text, str) and (match := _DURATION.match(text)):
        return timedelta(seconds=int(match[1]) * _SECONDS[match[2]])
    if isinstance(text, timedelta):
        return text
    raise ValueError("a duration is a whole number with a unit: 30s, 10min, 2h, 1d")


def print_duration(span: timedelta) -> str:
    """The shortest text that parse_duration reads back to the same span."""
    seconds = int(span.total_seconds())
    for unit in ("d", "h", "min"):
        if seconds and seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(print_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern, "examples": ["30s", "10min", "2h", "1d"]}),
]
#: An id of this pack, or `<last part of another pack>.<id>`; the loader makes it global (`governance.flood.patrol`).
Reference = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}(\.[a-z][a-z0-9_]{0,47}){0,2}$")]
TypeName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]{0,47}$")]
#: A device of the demonstration that a person publishes for.
HandId = Annotated[str, Field(pattern=r"^hand-[a-z0-9-]{1,40}$")]
Tone = Literal["green", "blue", "yellow", "orange", "red", "purple", "maroon", "grey"]


# pack.yml
class PackManifest(Declared):
    id: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z][a-z0-9_]*$")]  # life.air: part and folder
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]  # stands on every alarm that its rules open
    title: Text
    summary: Text  # two or three sentences for the list of packs
    owner: Text  # the line of duty that answers for it
    mission: list[str]  # rows it makes work: C6, D17.6
    abilities: list[Literal["see", "verify", "diagnose", "predict", "learn", "decide", "talk"]]
    needs: list[str] = []  # ids of packs whose types it reads
    emits: list[Reference] = []  # kinds of case and warning it may raise


#: From this grade on a field or property is masked for most, and read whole only for a reason.
PRIVATE_GRADE = 3


# types.yml
class Choice(Declared):
    id: Identifier
    title: Text


class FieldDecl(Declared):
    """A fact about an entity that a person or an import writes (not a stream)."""

    title: Text
    type: Literal["number", "text", "boolean", "choice", "date"] = "number"
    unit: str | None = None  # UCUM code; required for numbers ("1" when dimensionless)
    grade: Grade = 1  # 1 public … 5; personal fields at least 3
    kind: Literal["id_number", "name", "phone", "address", "bank_card", "plate", "email", "birth_date"] | None = None
    choices: list[Choice] = []
    required: bool = False  # an import without it is refused, and a simulated entity too

    @property
    def private(self) -> bool:
        """Whether it stays out of rules, messages, indicators and streams: shown by the guard alone."""
        return self.kind is not None or self.grade >= PRIVATE_GRADE


class PropertyDecl(Declared):
    """What a stream says of an entity. Values are doubles in `unit`."""

    title: Text
    unit: str  # UCUM code: m, mm, ug/m3, mg/m3, Cel, %, 1 …
    grade: Grade = 1  # 1 public … 5; personal fields at least 3
    range: tuple[float, float] | None = None  # physically possible; outside: kept, flagged RANGE, not judged
    cadence: Duration | None = None  # expected interval between readings
    frozen_after: Duration | None = None  # the same value for so long is a fault
    skew_after: Duration | None = None  # |observed - received| above this is flagged (default 5 min)
    choices: list[Choice] = []  # the value is the index, counted from 0
    decimals: int = 2
    derived: bool = False  # written by a derive step, never by a device


class LinkDecl(Declared):
    to: TypeName
    title: Text


class CommandArgument(Declared):
    """What a command is given: a number within `range`, or one of `choices`."""

    title: Text
    unit: str | None = None  # UCUM code of the number
    range: tuple[float, float] | None = None  # refused outside
    choices: list[Choice] = []


class CommandDecl(Declared):
    """What a person may ask a device of this type to do: sent to `commands/<device>`."""

    title: Text
    argument: CommandArgument | None = None
    within: Duration = timedelta(minutes=10)  # a device that comes back later does not get it any more


class EntityType(Declared):
    id: TypeName
    title: Text
    model: str | None = None  # name in Smart Data Models, where one exists
    icon: str = "map-pin"  # name of an outline icon of Tabler; one that does not exist shows as a map pin
    fields: dict[Identifier, FieldDecl] = {}
    properties: dict[Identifier, PropertyDecl] = {}
    links: dict[Identifier, LinkDecl] = {}
    commands: dict[Identifier, CommandDecl] = {}


# params/*.yml
class InForce(Declared):
    """One dated value. `to` is exclusive; without it, until the next `from`."""

    from_: date = Field(alias="from")
    to: date | None = None
    value: float | None = None
    table: list[dict[str, float | str | None]] | None = None
    source: str
    verify: bool = False  # 待核实: we have it from memory, not from the text


class Parameter(Declared):
    id: Identifier
    title: Text
    unit: str | None = None
    region: str = "CN"  # area code prefix or CN
    in_force: Annotated[list[InForce], Field(min_length=1)]


# rules.yml
class Level(Declared):
    id: Identifier
    title: Text
    rank: Annotated[int, Field(ge=1, le=9)]  # higher is worse, whatever the words say
    tone: Tone


class Scale(Declared):
    id: Identifier
    title: Text
    levels: Annotated[list[Level], Field(min_length=1)]


class Proposal(Declared):
    """An alarm of at least `at` proposes a warning of this kind at `level` for a person to sign."""

    warning: Reference
    levels: dict[str, str]  # alarm level id → warning level id


class Rule(Declared):
    id: Identifier
    title: Text
    watch: Annotated[str, Field(pattern=r"^[A-Z]\w*\.[a-z]\w*$")]  # Type.property
    when: str | None = None  # truth; None only with `absent`
    where: str | None = None  # which entities at all (fields and parameters only)
    lasting: Duration = timedelta(0)
    clear: str | None = None  # default: NOT (when)
    clear_lasting: Duration = timedelta(0)
    absent: Duration | None = None  # no value of `watch` for so long
    near: Duration | None = None  # alarms of the rule within the same town and span count as one notice
    lateness: Duration = timedelta(hours=1)
    latched: bool = False  # stays open until a person acknowledges it
    scale: Reference
    level: str  # expression that gives a level id of the scale
    message: Text  # {expressions} inside braces
    advice: Text  # runbook: what the officer does
    raises: Reference | None = None  # case kind "flood.patrol" or its local id
    proposes: Proposal | None = None


class RulesFile(Declared):
    scales: list[Scale] = []
    rules: list[Rule] = []


class Derive(Declared):
    """A versioned function of pack code that turns readings into other readings (derive.yml)."""

    id: Identifier
    title: Text
    of: TypeName
    inputs: Annotated[list[Identifier], Field(min_length=1)]
    outputs: Annotated[list[Identifier], Field(min_length=1)]
    code: Annotated[str, Field(pattern=r"^[a-z_]+:[a-z_]+$")]  # module in code/ : function
    parameters: list[Reference] = []
    window: Duration = timedelta(0)  # 0: the inputs of the same instant; else all inputs within the span before it
    version: int = 1  # raise it when the same readings give another result


# indicators.yml
class Band(Declared):
    upto: float | None = None  # None: all above
    title: Text
    tone: Tone


class Indicator(Declared):
    id: Identifier
    title: Text
    unit: str
    over: TypeName
    value: str  # expression per entity; names are latest values of properties, fields, :parameters
    where: str | None = None
    rollup: Literal["mean", "max", "min", "sum", "count", "share"]
    fresh: Duration  # older latest values do not count (and are told as stale)
    cadence: Duration
    bands: list[Band] = []
    decimals: int = 1
    owner: Text
    worse: Literal["high", "low", "none"] = "high"


# warnings.yml, plans.yml, cases.yml
class WarningKind(Declared):
    id: Identifier
    title: Text
    scale: Reference
    authority: Text  # who may sign it, in words; the post's role id is in signed_by
    signed_by: Identifier
    from_outside: Text | None = None  # the authority elsewhere that issues it; here it is recorded, not drafted
    code: str | None = None  # CAP event code, 11B03
    instructions: Text


class PlanTask(Declared):
    id: Identifier
    post: Identifier  # role of the place: places/…/posts.yml
    text: Text
    receipt_within: Duration
    done_within: Duration | None = None


class PlanLevel(Declared):
    level: Identifier
    tasks: list[PlanTask]


class PlanTrigger(Declared):
    warning: Reference
    levels: dict[str, str]  # warning level id → response level id


class Plan(Declared):
    id: Identifier
    title: Text
    scale: Identifier  # response scale: iv … i
    triggers: list[PlanTrigger] = []
    levels: list[PlanLevel]


class Outcome(Declared):
    id: Identifier
    title: Text
    scores: Literal["hit", "false_alarm", "miss", "none"]


class CaseKind(Declared):
    id: Identifier
    title: Text
    noun: Text  # 案件, 工单, 隐患 … as the field says
    handled_by: Identifier  # role of the place: places/…/posts.yml
    take_within: Duration
    handle_within: Duration
    outcomes: Annotated[list[Outcome], Field(min_length=2)]


# views.yml
class Layer(Declared):
    id: Identifier
    title: Text
    type: TypeName
    property: Identifier
    shown: bool = True
    indicator: Reference | None = None  # bands that colour it


class Panel(Declared):
    id: Identifier
    title: Text
    kind: Literal["indicators", "ranking", "chart"]
    indicators: list[Reference] = []
    type: TypeName | None = None
    property: Identifier | None = None
    limit: int = 10


class Views(Declared):
    layers: list[Layer] = []
    panels: list[Panel] = []


# sources.yml
class SourceValue(Declared):
    """One measured column. `unit` is what the file says; it is converted to the property's unit."""

    column: str
    unit: str


class SourceTime(Declared):
    columns: list[str]  # one column (with `format`) or year, month, day, hour …
    format: str | None = None  # strptime; None: the columns are numbers of year, month, day, hour[, minute]
    zone: str


class Source(Declared):
    id: Identifier
    title: Text
    format: Literal["csv"]
    type: TypeName
    entity_column: str | None = None  # a column that names the station
    entity_prefix: str = ""  # entity id = prefix + slug of that column
    time: SourceTime
    missing: list[str] = ["NA", ""]
    values: dict[Identifier, SourceValue]
    ignoring: list[str] = []  # columns left out by name; any other unknown column is set aside and counted
    attribution: Text


# demo.yml
class DemoDevice(Declared):
    """Devices of one type that the simulated district places and drives."""

    type: TypeName
    count: Annotated[int, Field(ge=1)]
    id_prefix: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    name: Text  # {n} and {place} are filled
    near: Literal["village", "coast", "river", "road", "seat"] = "village"
    every: Duration
    signals: dict[Identifier, AnySignal]  # property → {model: daily, its options}, see below
    fields: dict[Identifier, DrawnField] = {}  # a value, {between: [a, b]} or {choose: [a, b]}; text: {n}, {place}
    by_hand: HandId | None = None  # hand-lamp: one more that nobody simulates; its secret stands in demo.json


class Demo(Declared):
    devices: list[DemoDevice] = []


class Quality(Declared):
    """quality.yml: the ledger. done, todo, or exempt with a reason."""

    done: list[str] = []
    todo: list[str] = []
    exempt: dict[str, str] = {}


class Pack(Declared):
    """A whole pack, as loaded."""

    manifest: PackManifest
    types: list[EntityType] = []
    parameters: list[Parameter] = []
    scales: list[Scale] = []
    rules: list[Rule] = []
    derives: list[Derive] = []
    indicators: list[Indicator] = []
    warnings: list[WarningKind] = []
    plans: list[Plan] = []
    case_kinds: list[CaseKind] = []
    views: Views = Views()
    sources: list[Source] = []
    demo: Demo = Demo()
    quality: Quality = Quality()
    folder: str = ""  # where its code/ lives; empty for packs made in tests

    @property
    def id(self) -> str:
        return self.manifest.id
