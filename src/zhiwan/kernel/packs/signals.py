"""What a simulated device may send: the models that a signal of demo.yml names, and what each takes.

The simulator plays them (zhiwan.run.simulator); here they are words of the format, so that `zhiwan pack check` refuses
a misspelt model or option before a district starts with it. A model of the simulator that is not declared here, or the
other way round, fails a test. The reference prints this module: one docstring and the options with their defaults.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

Share = Annotated[float, Field(ge=0, le=1)]


class Signal(BaseModel):
    """One model with its options. Values are in the unit of the property they are written to."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# For every pack
class Constant(Signal):
    """Stands at `value`; each device at its own within ± `spread`; trembles by ± `jitter`."""

    model: Literal["constant"]
    value: float
    spread: float = 0
    jitter: float = 0


class Daily(Signal):
    """A wave a day round `mean`, ± `swing`, highest at the hour `peak`; `spread` and `jitter` as above."""

    model: Literal["daily"]
    mean: float
    swing: float
    peak: Annotated[float, Field(ge=0, lt=24)] = 15
    spread: float = 0
    jitter: float = 0


class Daylight(Signal):
    """Daylight: nothing at night, up to `noon` at midday, less under clouds."""

    model: Literal["daylight"]
    noon: float = 60_000


class Night(Signal):
    """`on` from dusk to dawn, `off` by day, trembling by ± `jitter`: lamps."""

    model: Literal["night"]
    on: float
    off: float = 0
    jitter: float = 0


class Switch(Signal):
    """`on` in a `share` of all spans of `minutes`, `off` in the others: doors, pumps, occupied spaces."""

    model: Literal["switch"]
    share: Share
    minutes: Annotated[float, Field(ge=1)] = 20
    on: float = 1
    off: float = 0


class Grows(Signal):
    """`start` when the demonstration begins, then `per_day` more each day, never below 0 nor above `upto`."""

    model: Literal["grows"]
    start: float
    per_day: float
    upto: float

    @model_validator(mode="after")
    def _starts_below(self) -> Grows:
        if not 0 <= self.start <= self.upto:
            raise ValueError("start lies between 0 and upto")
        return self


# Water; tide → river → polder → gate, showers → ponding, drains, pumps and rivers
class Tide(Signal):
    """A sea level with two tides a day, springs and neaps."""

    model: Literal["tide"]
    mean: float = 2.1
    m2: float = 1.85
    s2: float = 0.7


class Wave(Signal):
    """Height of waves by the wind."""

    model: Literal["wave"]


class River(Signal):
    """Level of a river: the tide late and weak, and what showers bring."""

    model: Literal["river"]
    base: float = 2.6
    tide_share: float = 0.16
    runoff: float = 0.012


class Current(Signal):
    """Flow of a river: fastest when the tide turns most."""

    model: Literal["current"]


class Polder(Signal):
    """Level inside a polder, below its field `control_level`; link `river`."""

    model: Literal["polder"]


class Rain(Signal):
    """Rain since the last report."""

    model: Literal["rain"]


class RainHour(Signal):
    """Rain of the last hour."""

    model: Literal["rain_hour"]


class Ponding(Signal):
    """Standing water after showers beyond `capacity` (mm)."""

    model: Literal["ponding"]
    gain: float = 0.6
    capacity: float = 12


class Underpass(Signal):
    """Standing water in an underpass; link `pump`."""

    model: Literal["underpass"]
    gain: float = 0.6
    capacity: float = 12


class Drain(Signal):
    """Level in a storm drain of the field `shaft_depth`."""

    model: Literal["drain"]


class Sump(Signal):
    """Level of a pump's sump round its field `start_level`."""

    model: Literal["sump"]


class PumpState(Signal):
    """1 while the pump of a `sump` runs, else 0."""

    model: Literal["pump_state"]


class PumpPower(Signal):
    """Power of the running pumps of a `sump`; field `pumps`."""

    model: Literal["pump_power"]


class Gate(Signal):
    """Opening of a gate between the links `outside` and `inside`."""

    model: Literal["gate"]


class Displacement(Signal):
    """Displacement of a sea wall, leaning with the tide."""

    model: Literal["displacement"]


class Seepage(Signal):
    """Seepage in a sea wall, after the tide."""

    model: Literal["seepage"]


# Air
class Weather(Signal):
    """One weather for the whole district."""

    model: Literal["weather"]
    of: Literal["temperature", "humidity", "pressure", "wind_speed", "wind_direction"]


class Air(Signal):
    """Pollutants that follow haze, wind, traffic and rain; `local`: how much a device has of its own."""

    model: Literal["air"]
    of: Literal["pm25", "pm10", "so2", "no2", "co", "o3"]
    local: float = 0


class Dust(Signal):
    """Dust of a building site: work, wind, dry ground."""

    model: Literal["dust"]


class Noise(Signal):
    """Noise of a building site."""

    model: Literal["noise"]


AnySignal = Annotated[
    Constant | Daily | Daylight | Night | Switch | Grows
    | Tide | Wave | River | Current | Polder | Rain | RainHour | Ponding | Underpass | Drain | Sump | PumpState
    | PumpPower | Gate | Displacement | Seepage | Weather | Air | Dust | Noise,
    Field(discriminator="model"),
]  # fmt: skip


class Between(BaseModel):
    """A number drawn for each device."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    between: Annotated[list[float], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _rises(self) -> Between:
        if self.between[0] > self.between[1]:
            raise ValueError("between is written [lowest, highest]")
        return self


class Choose(BaseModel):
    """One of several values, drawn for each device."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    choose: Annotated[list[int | float | str | bool], Field(min_length=1)]


def _drawn(given: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """One sentence in place of six complaints, one for each kind that it is not."""
    try:
        return validate(given)
    except ValidationError as error:
        raise ValueError("a field is a value, {between: [lowest, highest]} or {choose: [a, b, …]}") from error


#: A field of a simulated entity: a plain value (text may hold {place} and {n}) or one drawn for each device.
DrawnField = Annotated[int | float | str | bool | Between | Choose | None, WrapValidator(_drawn)]
