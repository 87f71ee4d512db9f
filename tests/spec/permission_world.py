"""The small city in which tests/spec/test_permissions.py asks: two towns, two lines of duty, everything twice, near and
far, and one post for every column of permissions.md. What lies far must never be seen from a narrow post."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.test import Client
from django.utils import timezone

from zhiwan.city import packs_loaded
from zhiwan.city.api.scopes import SCOPES
from zhiwan.city.cases.models import Case
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.actions import create_user
from zhiwan.city.people.lines import work_out_lines
from zhiwan.city.people.models import Organisation, Post
from zhiwan.city.people.ways_in import machines
from zhiwan.city.plans.models import Response, Task
from zhiwan.city.portal import assets_built
from zhiwan.city.registry.actions import EntityDraft, create_devices, save_entities
from zhiwan.city.registry.models import Area, Entity, Place, Zone
from zhiwan.city.watch import recheck
from zhiwan.city.watch.models import Alarm, LatestValue, SetAside, Warning, WarningReceipt
from zhiwan.kernel.bus.memory import MemoryBus
from zhiwan.kernel.packs.models import Pack
from zhiwan.kernel.packs.packset import PackSet

PLACE = Path(__file__).parents[1] / "places" / "yunwan"
DISTRICT, EAST, WEST = "990101", "990101001", "990101002"
VILLAGE = f"{EAST}001"
#: What must not be read: of another place, of a person, of a kind that the role does not see.
FAR = ("meter-w", "远处", "far-")
PERSON = ("周守泵", "13900000001", "幸福村3组")
CASE_WORDS, ALARM_WORDS = "案由", "越限告警"
SECOND_FACTOR = {"second_at": "2026-07-01T08:00:00+08:00"}


@dataclass(frozen=True)
class Column:
    """A column of the tables: the post that stands for the role."""

    id: str
    role: str
    scope: dict[str, Any] = field(default_factory=dict)
    base: str = ""
    narrow: bool = False  # does not see what lies far


TOWN: dict[str, Any] = {"scope": "towns", "towns": [EAST]}
COLUMNS: dict[str, Column] = {
    "Chief": Column("p-chief", "duty_chief"),
    "Disp": Column("p-disp", "dispatcher"),
    "12345": Column("p-agent", "agent_12345"),
    "Town": Column("p-town", "town_duty", TOWN, narrow=True),
    "Grid": Column("p-grid", "grid_worker", TOWN, narrow=True),
    "Vill": Column("p-vill", "village_cadre", {"scope": "zones", "zones": [VILLAGE]}, narrow=True),
    "Lead": Column("p-lead", "leader"),
    "Dept": Column("p-dept", "patrol", {"classes": ["governance.surge"]}, "department_handler", narrow=True),
    "Data": Column("p-data", "data_steward"),
    "Count": Column("p-count", "counter_clerk", TOWN, narrow=True),
    "Pack": Column("p-pack", "pack_author"),
    "Intg": Column("p-intg", "integrator"),
    "Res": Column("p-res", "resident", {"scope": "own"}, narrow=True),
    "Firm": Column("p-firm", "firm", {"scope": "own", "organisation_id": "firm-x"}, narrow=True),
    "Sys": Column("p-sys", "system_admin", {"scope": "none"}, narrow=True),
    "Sec": Column("p-sec", "security_admin", {"scope": "none"}, narrow=True),
    "Aud": Column("p-aud", "audit_admin", {"scope": "none"}, narrow=True),
}
#: Roles that packs and plans may name; each has a kind of warning to sign and a kind of case to handle.
GIVEN = {name: one.role for name, one in COLUMNS.items()}


def words(text: str) -> dict[str, str]:
    return {"zh": text, "en": text}


def _pack(id: str, type_name: str) -> Pack:
    roles = [*sorted(set(GIVEN.values())), "nobody"]
    levels = [{"id": "iv", "title": words("iv"), "rank": 1, "tone": "blue"}]
    fields = {
        "limit": {"title": words("limit"), "unit": "m"},
        "keeper": {"title": words("keeper"), "type": "text", "grade": 3, "kind": "name"},
        "phone": {"title": words("phone"), "type": "text", "grade": 3, "kind": "phone"},
        "home": {"title": words("home"), "type": "text", "grade": 4, "kind": "address"},
    }
    outcomes = [
        {"id": "true", "title": words("true"), "scores": "hit"},
        {"id": "false", "title": words("false"), "scores": "false_alarm"},
    ]
    return Pack.model_validate(
        {
            "manifest": {
                "id": id, "version": "1.0.0", "title": words(id), "summary": words(id), "owner": words("office"),
                "mission": ["D17.3"], "abilities": ["see"],
            },
            "types": [
                {
                    "id": type_name, "title": words(type_name), "fields": fields,
                    "properties": {"level": {"title": words("level"), "unit": "m"}},
                }
            ],
            "scales": [{"id": "four", "title": words("four"), "levels": levels}],
            "rules": [
                {
                    "id": "high", "title": words("high"), "watch": f"{type_name}.level", "when": "value > limit",
                    "scale": "four", "level": "'iv'", "message": words("high"), "advice": words("look"),
                    "raises": "look_nobody",
                }
            ],
            "indicators": [
                {
                    "id": "mean", "title": words("mean"), "unit": "m", "over": type_name, "value": "level",
                    "rollup": "mean", "fresh": "1h", "cadence": "5min", "owner": words("office"),
                }
            ],
            "views": {"layers": [{"id": "l", "title": words("l"), "type": type_name, "property": "level"}]},
            "warnings": [
                {
                    "id": f"storm_{role}", "title": words("storm"), "scale": "four", "authority": words("office"),
                    "signed_by": role, "instructions": words("stay away"),
                }
                for role in roles
            ],
            "case_kinds": [
                {
                    "id": f"look_{role}", "title": words("look"), "noun": words("case"), "handled_by": role,
                    "take_within": "15min", "handle_within": "2h", "outcomes": outcomes,
                }
                for role in roles
            ],
            "plans": [
                {"id": "plan", "title": words("plan"), "scale": "four", "levels": [{"level": "iv", "tasks": []}]}
            ],
        }
    )  # fmt: skip


PACKS = [_pack("governance.surge", "Gauge"), _pack("life.noise", "Meter")]
RULE, INDICATOR = "governance.surge.high", "governance.surge.mean"


@dataclass
class World:
    """Ids of what is there. `near[kind]`, `far[kind]`; `given[kind][column]`: what is given to the column's role."""

    near: dict[str, Any] = field(default_factory=dict)
    far: dict[str, Any] = field(default_factory=dict)
    given: dict[str, dict[str, Any]] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)


def use_packs(patch: Any, data: Path, settings: Any) -> None:
    """This city's packs, pages without their built assets, a data folder of its own, a bus in memory."""
    patch.setattr(packs_loaded, "load_packs", lambda roots: PackSet.of(PACKS))
    names = ("portal.js", "map.js", "map-worker.js", "chart.js", "portal.css", "map.css", "icons.svg")
    patch.setattr(assets_built, "_built", lambda: ({name: name for name in names}, frozenset({"bell"})))
    patch.setattr(settings, "ZHIWAN_DATA", data)
    patch.setattr(settings, "ZHIWAN_PLACE", PLACE)
    patch.setattr(settings, "ZHIWAN_LIVE_URL", "http://127.0.0.1:8001")
    patch.setattr(recheck, "MOST_SECONDS_BEHIND", 0.0)  # no worker runs here that could bring rows later
    packs_loaded.forget()
    packs_loaded.use_bus(MemoryBus())


def found() -> World:
    """Everything, near and far."""
    world = World()
    with acting_system("cli"):
        _place()
        _posts()
        _things(world)
        _alarms(world)
        _cases(world)
        _warnings(world)
        _plans(world)
        for name, one in COLUMNS.items():
            post = Post.objects.select_related("organisation").get(id=one.id)
            user = create_user(name=f"u-{one.id}", display_name=name, password=None, posts=[post])
            client = Client()
            client.force_login(user)
            if one.role.endswith("_admin"):
                session = client.session
                session["ways_in"] = SECOND_FACTOR
                session.save()
            world.clients[name] = client
            world.tokens[name] = machines.create(title=name, post=post, scopes=SCOPES)[1]
    return world


def _place() -> None:
    Area.objects.bulk_create(
        Area(code=code, level=level, name=code, parent=code[:-3])
        for code, level in ((DISTRICT, "district"), (EAST, "town"), (WEST, "town"), (VILLAGE, "village"))
    )
    Place.objects.create(
        code=DISTRICT, name_zh="云湾区", name_en="Yunwan", lon=121.5, lat=30.5, bounds=[121, 30, 122, 31],
        settings={"duties": {}},
    )  # fmt: skip
    Zone.objects.create(id="river", title_zh="河", title_en="river", polygon={"type": "Polygon", "coordinates": []})


def _posts() -> None:
    for id, kind in (("office", "district_office"), ("firm-x", "firm")):
        Organisation.objects.create(id=id, name_zh=id, name_en=id, area=DISTRICT, kind=kind)
    Post.objects.bulk_create(
        Post(
            **{"id": one.id, "role": one.role, "base_role": one.base, "title_zh": name, "title_en": name,
               "organisation_id": "office", "scope": "district"} | one.scope
        )
        for name, one in COLUMNS.items()
    )  # fmt: skip
    work_out_lines()


def _things(world: World) -> None:
    person = {"limit": 3.3, "keeper": "周守泵", "phone": "13900000001", "home": "幸福村3组12号"}
    save_entities(
        drafts=[
            EntityDraft("gauge-e", "Gauge", "近处闸", VILLAGE, 121.1, 30.1, "near gate", person, owner="firm-x"),
            EntityDraft("meter-w", "Meter", "远处测点", WEST, 121.0, 30.1, "far-meter", person),
        ]
    )
    create_devices(pairs=[("gauge-e", "gauge-e"), ("meter-w", "meter-w")])
    world.near["entity"], world.far["entity"] = "gauge-e", "meter-w"
    world.near["device"], world.far["device"] = "gauge-e", "meter-w"
    now = timezone.now()
    for side, thing, town in (("near", "gauge-e", EAST), ("far", "meter-w", WEST)):
        LatestValue.objects.create(
            entity_id=thing, property="level", observed_at=now, value=2.5, quality=0, source="x", recorded_at=now,
            town=town,
        )  # fmt: skip
        row = SetAside.objects.create(
            seq=1, stream="s", device=thing, entity=thing, town=town, property="level", raw=f"{side}-raw", code="X",
            reason_zh="x", reason_en="x", received_at=now,
        )  # fmt: skip
        getattr(world, side)["set_aside"] = row.id


def _alarms(world: World) -> None:
    now = timezone.now()
    for side, id, pack, thing, town in (
        ("near", "alarm-e", "governance.surge", "gauge-e", EAST),
        ("far", "far-alarm", "life.noise", "meter-w", WEST),
    ):
        Alarm.objects.create(
            id=id, rule=f"{pack}.high", rule_version="1.0.0", entity_id=thing, property="level", town=town, area=town,
            level="iv", rank=1, peak_rank=1, tone="blue", state="open", opened_at=now, changed_at=now, recorded_at=now,
            message_zh=f"{'远处' if side == 'far' else '近处'}{ALARM_WORDS}", message_en=f"{side}-{ALARM_WORDS}",
            evidence={"limits": {"limit": 3.3}},
        )  # fmt: skip
        getattr(world, side)["alarm"] = id


def _case(pack: str, role: str, thing: str, town: str, title: str) -> int:
    now = timezone.now()
    return int(
        Case.objects.create(
            kind=f"{pack}.look_{role}", title_zh=f"{title}{CASE_WORDS}", title_en=f"{title}{CASE_WORDS}", town=town,
            area=town, entity=Entity.objects.get(id=thing), role=role, opened_at=now,
            due_take=now + timedelta(hours=1), due_handle=now + timedelta(hours=2),
        ).pk
    )  # fmt: skip


def _cases(world: World) -> None:
    world.near["case"] = _case("governance.surge", "nobody", "gauge-e", EAST, "近处")
    world.far["case"] = _case("life.noise", "nobody", "meter-w", WEST, "远处")
    world.given["case"] = {
        name: _case("governance.surge", role, "gauge-e", EAST, "近处") for name, role in GIVEN.items()
    }


def _warning(role: str, town: str, state: str, title: str) -> Warning:
    return Warning.objects.create(
        kind=f"governance.surge.storm_{role}", level="iv", rank=1, tone="blue", town=town, area=town or DISTRICT,
        state=state, title_zh=title, title_en=title, text_zh="x", text_en="x", created_at=timezone.now(),
    )  # fmt: skip


def _warnings(world: World) -> None:
    """Drafts that a step may be taken on; for residents one that is published, and one that is not."""
    for name, role in GIVEN.items():
        one = _warning(role, EAST, "draft", "近处预警")
        world.given.setdefault("warning", {})[name] = one.id
        asked = _warning("nobody", EAST, "published", "近处预警")
        WarningReceipt.objects.create(warning=asked, post_id=COLUMNS[name].id, town=EAST, sent_at=timezone.now())
        world.given.setdefault("receipt", {})[name] = asked.id
    world.near["warning"] = _warning("nobody", EAST, "draft", "近处预警").id
    world.far["warning"] = _warning("nobody", WEST, "draft", "远处预警").id
    world.near["told"] = _warning("nobody", "", "published", "全区预警").id
    world.far["told"] = _warning("nobody", "", "draft", "全区拟稿").id


def _plans(world: World) -> None:
    now = timezone.now()
    for side, town in (("near", EAST), ("far", WEST)):
        response = Response.objects.create(
            plan="governance.surge.plan", level="iv", rank=1, tone="blue", town=town, area=town, since=now,
            changed_at=now,
        )  # fmt: skip
        getattr(world, side)["response"] = response.id
        facts = {
            "response": response,
            "level": "iv",
            "text_zh": f"{side}-task",
            "text_en": f"{side}-task",
            "town": town,
        }
        facts |= {"issued_at": now, "receipt_due": now, "role": "nobody"}
        getattr(world, side)["task"] = Task.objects.create(plan_task="other", **facts).id
        if side == "near":
            world.given["task"] = {
                name: Task.objects.create(plan_task="own", post_id=one.id, **facts).id for name, one in COLUMNS.items()
            }
