"""A small city for the tests of watch: one pack with a rule that raises a case and proposes a warning, two towns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from trial_pack import LOOK, scale, trial_pack, words
from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import Organisation, Post
from zhiwan.city.registry.actions import EntityDraft, create_devices, save_entities
from zhiwan.city.registry.models import Area
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.judge.events import AlarmEvent
from zhiwan.kernel.packs.packset import PackSet

AT = datetime(2026, 7, 1, 8, tzinfo=UTC)
DISTRICT, EAST, WEST = "990101", "990101001", "990101002"


PACK = trial_pack(
    types=[
        {
            "id": "Gauge",
            "title": words("gauge"),
            "fields": {
                "limit": {"title": words("limit"), "unit": "m", "required": True},
                "kind": {
                    "title": words("kind"),
                    "type": "choice",
                    "choices": [{"id": "river", "title": words("river")}, {"id": "tide", "title": words("tide")}],
                },
                "since": {"title": words("since"), "type": "date"},
            },
            "properties": {
                "level": {"title": words("level"), "unit": "m", "cadence": "5min"},
                "flow": {"title": words("flow"), "unit": "m3/s"},
            },
            "links": {"beside": {"to": "Gauge", "title": words("beside")}},
        }
    ],
    scales=[scale("four", "iv", "iii", "ii", "i")],
    rules=[
        {
            "id": "high", "title": words("high"), "watch": "Gauge.level", "when": "value > limit",
            "scale": "four", "level": "'iii'", "message": words("high"), "advice": words("look"),
            "raises": "look", "proposes": {"warning": "surge", "levels": {"iii": "iv", "ii": "iii"}},
            "latched": True,
        }
    ],
    warnings=[
        {
            "id": "surge", "title": words("surge"), "scale": "four", "authority": words("flood office"),
            "signed_by": "flood_office", "instructions": words("stay away"),
        },
        {
            "id": "gale", "title": words("gale"), "scale": "four", "authority": words("weather office"),
            "from_outside": words("weather office"), "signed_by": "flood_office", "instructions": words("tie it"),
        },
    ],
    case_kinds=[LOOK],
    plans=[
        {
            "id": "surge", "title": words("surge"), "scale": "four",
            "triggers": [{"warning": "surge", "levels": {"iv": "iv", "iii": "iii"}}],
            "levels": [
                {"level": "iv", "tasks": [
                    {"id": "watch", "post": "town_duty", "text": words("watch"), "receipt_within": "10min"}]},
                {"level": "iii", "tasks": [
                    {"id": "close", "post": "patrol", "text": words("close"), "receipt_within": "10min"}]},
            ],
        }
    ],
)  # fmt: skip
#: Roles of this city that are like a shipped one.
LIKE = {"flood_office": "department_handler", "patrol": "department_handler"}
RULE = "governance.surge.high"
KIND = "governance.surge.surge"
OUTSIDE_KIND = "governance.surge.gale"


def use_packs(monkeypatch: Any) -> None:
    """Make PACK the only pack of this process, and the district its region."""
    monkeypatch.setattr(packs_loaded, "load_packs", lambda roots: PackSet.of([PACK]))
    monkeypatch.setattr("zhiwan.city.watch.actions.proposals.region", lambda: DISTRICT)
    packs_loaded.forget()


def found_city() -> dict[str, str]:
    """Areas, posts, one gauge with a device in each town; secrets by device id."""
    with acting_system("cli"):
        Area.objects.bulk_create(
            Area(code=code, level=level, name=code, parent=code[:-3] if level == "town" else "")
            for code, level in ((DISTRICT, "district"), (EAST, "town"), (WEST, "town"))
        )
        office = Organisation.objects.create(id="office", name_zh="所", name_en="office", area=DISTRICT)
        Post.objects.bulk_create(
            Post(
                id=id,
                role=role,
                base_role=LIKE.get(role, ""),
                title_zh=id,
                title_en=id,
                organisation=office,
                scope=scope,
                towns=towns,
            )
            for id, role, scope, towns in (
                ("chief", "duty_chief", "district", []),
                ("desk", "operator", "district", []),
                ("flood", "flood_office", "district", []),
                ("patrol", "patrol", "district", []),
                ("east", "town_duty", "towns", [EAST]),
                ("west", "town_duty", "towns", [WEST]),
            )
        )
        save_entities(
            drafts=[
                EntityDraft("gauge-e", "Gauge", "东闸", EAST, 121.1, 30.1, "East gate", {"limit": 3.3}),
                EntityDraft("gauge-w", "Gauge", "西闸", WEST, 121.0, 30.1, "West gate", {"limit": 3.3}),
            ],
            at=AT,
        )
        return create_devices(pairs=[("gauge-e", "gauge-e"), ("gauge-w", "gauge-w")], at=AT)


def post(id: str) -> Post:
    return Post.objects.get(id=id)


def readings(*rows: tuple[str, str, float, float], seq: int = 1) -> pl.DataFrame:
    """(entity, property, minutes after AT, value) as observations."""
    return pl.DataFrame(
        [
            {
                "entity": entity,
                "property": property,
                "observed_at": AT + timedelta(minutes=minutes),
                "value": float(value),
                "source": "mqtt",
                "recorded_at": AT + timedelta(minutes=minutes, seconds=1),
                "quality": 0,
                "seq": seq + number,
            }
            for number, (entity, property, minutes, value) in enumerate(rows)
        ],
        schema=OBSERVATION_SCHEMA,
    )


def event(kind: str, *, alarm: str = "a1", minutes: float = 0, step: int = 1, **more: Any) -> AlarmEvent:
    """An event as the judge gives it, for the east gauge unless said otherwise."""
    at = AT + timedelta(minutes=minutes)
    state = {"opened": "open", "raised": "open", "lowered": "open", "quiet": "quiet", "cleared": "cleared"}.get(
        kind, "open"
    )
    facts: dict[str, Any] = {
        "id": f"{alarm}-{step}", "alarm_id": alarm, "kind": kind, "rule": RULE, "rule_version": "1.0.0-abc",
        "entity": "gauge-e", "property": "level", "at": at, "recorded_at": at, "level": "iii", "rank": 2,
        "tone": "yellow", "message_zh": "高", "message_en": "high", "value": 3.4, "late": False, "state": state,
        "opened_at": AT, "cleared_at": at if kind == "cleared" else None, "peak_rank": 2,
        "evidence": {"expression": "value > limit", "limits": {"limit": 3.3}},
    }  # fmt: skip
    return AlarmEvent(**(facts | more))
