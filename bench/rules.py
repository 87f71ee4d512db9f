"""Rules and readings synthesised over the shipped types, for loads larger than the shipped packs' own.

Of every ten rules: four compare with a constant, one with another reading of the same entity, one with the previous
value, one with a window, one must last, one has a level expression of three steps, one is absent. Limits lie far
outside what the load sends (nothing fires) except for those of a `probe`, which fires on purpose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhiwan.kernel.packs.models import Demo, EntityType, Pack, Views
from zhiwan.kernel.packs.packset import PackSet

PACK = "base.bench"
SCALE = {
    "id": "load",
    "title": {"zh": "压测", "en": "Load"},
    "levels": [
        {"id": "low", "title": {"zh": "低", "en": "Low"}, "rank": 1, "tone": "blue"},
        {"id": "high", "title": {"zh": "高", "en": "High"}, "rank": 2, "tone": "yellow"},
        {"id": "top", "title": {"zh": "极高", "en": "Top"}, "rank": 3, "tone": "red"},
    ],
}
MANIFEST = {
    "id": PACK,
    "version": "0.1.0",
    "title": {"zh": "压测规则", "en": "Rules of the load test"},
    "summary": {"zh": "仅用于压力测试", "en": "For load tests only"},
    "owner": {"zh": "测试", "en": "Bench"},
    "mission": ["D1"],
    "abilities": ["see"],
}


@dataclass(frozen=True)
class Watched:
    """A property to send and to watch: `low` to `high` is sent."""

    type: str
    property: str
    low: float
    high: float
    others: tuple[str, ...]

    def reference(self) -> str:
        return f"{self.type}.{self.property}"


def watchable(types: Mapping[str, EntityType], only: Mapping[str, Sequence[str]] | None = None) -> list[Watched]:
    """Every measured property with a range (or those of `only`), by type and name. Sent values lie inside the range."""
    found = []
    for type_, declared in sorted(types.items()):
        names = [name for name, one in declared.properties.items() if not one.derived and one.range]
        if only is not None:
            names = [name for name in names if name in only.get(type_, ())]
        for name in names:
            low, high = declared.properties[name].range or (0.0, 1.0)
            span = high - low
            others = tuple(one for one in names if one != name)
            found.append(Watched(type_, name, low + 0.3 * span, low + 0.5 * span, others))
    return found


def watched_of(sends: Mapping[str, Sequence[str]], highest_power: float) -> list[Watched]:
    """What a fleet sends (bench/register.py) and within which bounds, the probes' included: only they fire."""
    found = []
    for type_, words in sends.items():
        names = [word.split(":")[0] for word in words if ":" in word and "=" not in word]
        for name, low, high in (word.split(":") for word in words if "=" not in word):
            highest = highest_power * 1.2 if name == "power" else float(high)
            found.append(Watched(type_, name, float(low), highest, tuple(one for one in names if one != name)))
    return found


def make_rules(count: int, over: Sequence[Watched], window: str = "10min") -> list[dict[str, Any]]:
    """`count` rules, spread evenly over the properties. `window`: should hold about ten readings of a thing."""
    return [_rule(n, over[n % len(over)], n // len(over), window) for n in range(count)]


def _rule(n: int, watched: Watched, turn: int, window: str) -> dict[str, Any]:
    # Limits differ, so that no engine can share one comparison among rules.
    span = watched.high - watched.low
    limit = round(watched.high + span * (0.2 + 0.001 * (n % 500)), 4)
    rule: dict[str, Any] = {
        "id": f"r{n}",
        "title": {"zh": f"规则 {n}", "en": f"Rule {n}"},
        "watch": watched.reference(),
        "when": f"value > {limit}",
        "clear": f"value < {limit}",
        "scale": "load",
        "level": "'low'",
        "message": {"zh": "{name} {value}", "en": "{name} {value}"},
        "advice": {"zh": "无", "en": "None"},
    }
    kind = (n + turn) % 10
    if kind == 4 and watched.others:
        rule["when"] = f"value > {limit} AND latest(self.{watched.others[0]}) > -1000000"
    elif kind == 5:
        rule["when"] = f"value - previous > {round(span * 3, 4)}"
    elif kind == 6:
        rule["when"] = f"mean(value, '{window}') > {limit}"
    elif kind == 7:
        rule["lasting"] = "10min"
    elif kind == 8:
        rule["level"] = f"CASE WHEN value > {limit * 3} THEN 'top' WHEN value > {limit * 2} THEN 'high' ELSE 'low' END"
    elif kind == 9:
        rule |= {"absent": "20min"}
        del rule["when"], rule["clear"]
    return rule


def probe(watch: str, above: float, clear: float) -> dict[str, Any]:
    """The rule whose alarms are timed: opens at once, closes below `clear`, asks nothing of anybody."""
    return {
        "id": "probe",
        "title": {"zh": "延迟探针", "en": "Latency probe"},
        "watch": watch,
        "when": f"value > {above}",
        "clear": f"value < {clear}",
        "scale": "load",
        "level": "'low'",
        "message": {"zh": "{name} {value}", "en": "{name} {value}"},
        "advice": {"zh": "无", "en": "None"},
    }


def as_pack(rules: Sequence[Mapping[str, Any]]) -> Pack:
    """The rules as a pack in memory."""
    return Pack.model_validate({"manifest": MANIFEST, "scales": [SCALE], "rules": list(rules)})


def with_rules(shipped: PackSet, rules: Sequence[Mapping[str, Any]]) -> PackSet:
    """The shipped types, with these rules instead of the shipped rules and derive steps."""
    bare = [
        pack.model_copy(update={"rules": [], "derives": [], "indicators": [], "views": Views(), "demo": Demo()})
        for pack in shipped.packs
    ]
    return PackSet.of([*bare, as_pack(rules)])


def write_pack(root: Path, rules: Sequence[Mapping[str, Any]]) -> Path:
    """The rules as a pack folder below `root`, for ZHIWAN_PACKS."""
    folder = root.joinpath(*PACK.split("."))
    folder.mkdir(parents=True, exist_ok=True)
    _dump(folder / "pack.yml", MANIFEST)
    _dump(folder / "rules.yml", {"scales": [SCALE], "rules": list(rules)})
    return root


def _dump(file: Path, content: object) -> None:
    # JSON is YAML too.
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
