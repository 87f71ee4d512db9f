"""Concentrations to IAQI, AQI and primary pollutant, by the edition of HJ 633 in force at the time of the reading.

The tables are parameters; nothing here knows a limit. A reading's edition is looked up at its own time, so a batch
that spans a change of the standard obeys both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from zhiwan.kernel.packs.door import InForce, Parameters, half_even

POLLUTANTS = ("pm25", "pm10", "so2", "no2", "co", "o3")
#: Names of the day's inputs → column of the daily table.
DAY_INPUTS = {
    "pm25_24h": "pm25",
    "pm10_24h": "pm10",
    "so2_24h": "so2",
    "no2_24h": "no2",
    "co_24h": "co",
    "o3_8h": "o3",
}
NONE, SEVERAL = 0, 7  # indices of the choices of `primary`; 1–6 are POLLUTANTS in order
PRIMARY_ABOVE = 50  # 优: no primary pollutant is named


@dataclass(frozen=True)
class Edition:
    """What one edition of the standard says: breakpoints per pollutant, decimals, and when an incomplete set counts."""

    breakpoints: Mapping[str, list[tuple[float, float]]]  # pollutant → (concentration, IAQI), ascending
    decimals: Mapping[str, int]
    incomplete_above: float | None

    @classmethod
    def of(cls, table: InForce, rounding: InForce, incomplete: InForce) -> Edition:
        rows = table.table or []
        return cls(
            {
                name: [(_number(row[name]), _number(row["iaqi"])) for row in rows if row.get(name) is not None]
                for name in POLLUTANTS
            },
            {str(row["pollutant"]): int(_number(row["decimals"])) for row in rounding.table or []},
            incomplete.value,
        )


def hourly(readings: pl.DataFrame, parameters: Parameters) -> pl.DataFrame:
    """Real-time AQI: one-hour means (particles too, on their 24 h breakpoints)."""
    outputs = [*(f"iaqi_{name}" for name in POLLUTANTS), "aqi", "primary"]
    return _indices(readings, parameters, "iaqi_hourly", {name: name for name in POLLUTANTS}).select(
        "entity", "observed_at", *outputs
    )


def daily(readings: pl.DataFrame, parameters: Parameters) -> pl.DataFrame:
    """Daily AQI: means of a natural day and the day's highest 8 h mean of ozone."""
    found = _indices(readings, parameters, "iaqi_daily", DAY_INPUTS)
    return found.select("entity", "observed_at", aqi_day="aqi", primary_day="primary")


def _indices(readings: pl.DataFrame, parameters: Parameters, table: str, inputs: Mapping[str, str]) -> pl.DataFrame:
    parts = []
    for first, last, edition in _editions(readings["observed_at"], parameters, table):
        rows = readings.filter(pl.col("observed_at").is_between(first, last))
        parts.append(_by_edition(rows, edition, inputs))
    return pl.concat(parts) if parts else _by_edition(readings, Edition({}, {}, None), inputs)


def _by_edition(rows: pl.DataFrame, edition: Edition, inputs: Mapping[str, str]) -> pl.DataFrame:
    own = {name: f"iaqi_{pollutant}" for name, pollutant in inputs.items()}
    rows = rows.with_columns(
        _iaqi(pl.col(name), edition.breakpoints.get(inputs[name], []), edition.decimals.get(inputs[name], 0)).alias(
            own[name]
        )
        for name in inputs
    )
    columns = list(own.values())
    rows = rows.with_columns(aqi=pl.max_horizontal(columns))
    if edition.incomplete_above is not None:
        complete = pl.all_horizontal(pl.col(name).is_not_null() for name in columns)
        rows = rows.with_columns(aqi=pl.when(complete | (pl.col("aqi") > edition.incomplete_above)).then(pl.col("aqi")))
    return rows.with_columns(primary=_primary(columns))


def _iaqi(value: pl.Expr, points: Sequence[tuple[float, float]], decimals: int) -> pl.Expr:
    """Piecewise linear between breakpoints, rounded up; above the last one, the last index.

    Worked in whole numbers of the last decimal: 2.2 mg/m³ must give exactly 55, not 55.000000000000004 and so 56.
    """
    scale = 10.0**decimals
    units = (half_even(value, decimals) * scale).round().cast(pl.Int64)
    found = pl.lit(None, dtype=pl.Float64)
    if points:
        found = pl.when(units > round(points[-1][0] * scale)).then(points[-1][1])
    segments = list(zip(points[:-1], points[1:], strict=True))  # noqa: RUF007 (itertools is not behind the door)
    for (low, low_index), (high, high_index) in reversed(segments):
        start, end = round(low * scale), round(high * scale)
        part = (units - start) * int(high_index - low_index)
        index = (part + (end - start - 1)) // (end - start) + int(low_index)  # // of a whole number rounds up so
        found = pl.when((units >= start) & (units <= end)).then(index).otherwise(found)
    return found.cast(pl.Float64)


def _primary(columns: Sequence[str]) -> pl.Expr:
    """Which pollutant gives the AQI: NONE up to 50, SEVERAL on a tie, missing without an AQI."""
    highest = [(pl.col(name) == pl.col("aqi")).fill_null(False) for name in columns]
    found = pl.when(pl.sum_horizontal(highest) > 1).then(float(SEVERAL))
    for number, leads in enumerate(highest, start=1):
        found = found.when(leads).then(float(number))
    worth_naming = pl.when(pl.col("aqi") > PRIMARY_ABOVE).then(found.otherwise(None)).otherwise(float(NONE))
    return pl.when(pl.col("aqi").is_not_null()).then(worth_naming).cast(pl.Float64)


def _editions(times: pl.Series, parameters: Parameters, table: str) -> Iterator[tuple[datetime, datetime, Edition]]:
    """Spans of the readings' times that share one edition, found by halving: a year of hours takes a few look-ups."""
    names = (table, "concentration_rounding", "aqi_incomplete_above")
    moments = times.unique().sort().to_list()

    def look(at: datetime) -> tuple[InForce, ...]:
        return tuple(parameters(name, at) for name in names)

    def spans(low: int, high: int) -> Iterator[tuple[datetime, datetime, Edition]]:
        first = look(moments[low])
        if first == look(moments[high]):
            yield moments[low], moments[high], Edition.of(*first)
        else:
            middle = (low + high) // 2
            yield from spans(low, middle)
            yield from spans(middle + 1, high)

    if moments:
        yield from spans(0, len(moments) - 1)


def _number(cell: float | str | None) -> float:
    if not isinstance(cell, int | float):
        raise ValueError(f"the table has {cell!r} where a number is needed")
    return float(cell)
