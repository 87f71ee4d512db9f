"""A small invented world to judge: river stations with a link upstream, rules of every kind, two derive steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.judge import RuleBook, World
from zhiwan.kernel.packs.models import Pack
from zhiwan.kernel.packs.packset import PackSet

START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
NOW = datetime(2026, 3, 2, tzinfo=UTC)


def both(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def prop(unit: str = "m", **more) -> dict:
    return {"title": both("x"), "unit": unit, **more}


SCALES = [
    {
        "id": "signal",
        "title": both("signal"),
        "levels": [
            {"id": "blue", "title": both("blue"), "rank": 1, "tone": "blue"},
            {"id": "orange", "title": both("orange"), "rank": 2, "tone": "orange"},
            {"id": "red", "title": both("red"), "rank": 3, "tone": "red"},
        ],
    }
]


def rule(id: str, watch: str = "Station.level", **more) -> dict:
    base = {
        "id": id, "title": both(id), "watch": watch, "scale": "signal", "level": "'blue'",
        "message": {"zh": "{name} 水位 {value} 米", "en": "{name} at {value} m"}, "advice": both("look"),
    }  # fmt: skip
    if "when" not in more and "absent" not in more:
        base["when"] = "value >= warning_level"
    return base | more


def pack(rules: list[dict], **more) -> Pack:
    manifest = {
        "id": "test.river", "version": "1.2.3", "title": both("t"), "summary": both("s"), "owner": both("o"),
        "mission": ["D1"], "abilities": ["see"],
    }  # fmt: skip
    types = [
        {
            "id": "Station",
            "title": both("Station"),
            "fields": {
                "warning_level": {"title": both("w"), "unit": "m"},
                "ground": {"title": both("g"), "unit": "m"},
                "kind": {"title": both("k"), "type": "text"},
                "watched": {"title": both("a"), "type": "boolean"},
            },
            "properties": {
                "level": prop(cadence=more.pop("cadence", None), decimals=1),
                "rain": prop("mm"),
                "flow": prop("m3/s"),
                "risk": prop("1", derived=True),
                "total": prop("mm", derived=True),
            },
            "links": {"up": {"to": "Station", "title": both("up")}},
        }
    ]
    parameters = [
        {
            "id": "limit",
            "title": both("limit"),
            "unit": "m",
            "in_force": [
                {"from": "2020-01-01", "to": "2026-03-02", "value": 3.0, "source": "Order 1"},
                {"from": "2026-03-03", "value": 2.0, "source": "Order 2", "verify": True},
            ],
        }
    ]
    body = {"manifest": manifest, "types": types, "scales": SCALES, "rules": rules, "parameters": parameters}
    return Pack.model_validate(body | more)


def packs(*made: Pack) -> PackSet:
    return PackSet.of(made)


def world_of(packs: PackSet, ids: tuple[str, ...] = ("a", "b", "c"), links=(), **fields) -> World:
    count = len(ids)
    frame = pl.DataFrame(
        {
            "id": ids,
            "name": [f"Gauge {id}" for id in ids],
            "town": ["100000001"] * count,
            "area": ["100000001001"] * count,
            "lon": [121.0] * count,
            "lat": [30.0] * count,
            "warning_level": [3.0] * count,
            "ground": [None] * count,
            "kind": ["tide", "river", None][:count] if count <= 3 else ["tide"] * count,
            "watched": [True, None, False][:count] if count <= 3 else [True] * count,
        }
        | fields,
        schema_overrides={"ground": pl.Float64, "kind": pl.String, "watched": pl.Boolean},
    )
    pairs = pl.DataFrame(
        list(links), schema={"from_id": pl.String, "link": pl.String, "to_id": pl.String}, orient="row"
    )
    return World({"Station": frame}, packs.parameters, pairs)


def observation(entity: str, minute: float, value: float, seq: int, property: str = "level", quality: int = 0) -> dict:
    return {
        "entity": entity, "property": property, "observed_at": START + timedelta(minutes=minute), "value": value,
        "source": "test", "recorded_at": NOW, "quality": quality, "seq": seq,
    }  # fmt: skip


def frame(rows: list[dict]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=OBSERVATION_SCHEMA)


def hourly(readings: pl.DataFrame, parameters) -> pl.DataFrame:
    """Risk of one instant: 2 x rain + level, also from one of the two alone."""
    known = pl.col("rain").is_not_null() | pl.col("level").is_not_null()
    risk = pl.when(known).then(2 * pl.col("rain").fill_null(0) + pl.col("level").fill_null(0))
    return readings.select("entity", "observed_at", risk.alias("risk"))


def total(readings: pl.DataFrame, parameters) -> pl.DataFrame:
    """Rain of the last half hour, as a window of 30 min."""
    return (
        readings.sort("entity", "observed_at")
        .rolling("observed_at", period="30m", group_by="entity")
        .agg(pl.col("rain").sum().alias("total"))
    )


DERIVES = [
    {"id": "risk", "title": both("r"), "of": "Station", "inputs": ["rain", "level"], "outputs": ["risk"],
     "code": "x:hourly"},
    {"id": "total", "title": both("t"), "of": "Station", "inputs": ["rain"], "outputs": ["total"], "code": "x:total",
     "window": "30min"},
]  # fmt: skip
CODE = {"x:hourly": hourly, "x:total": total}


def book_of(packs: PackSet) -> RuleBook:
    return RuleBook.compile(packs, lambda pack, name: CODE[name])
