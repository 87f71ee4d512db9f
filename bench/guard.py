"""What the guard costs: the decision and the masks on a page of 100 rows, and row security on 100,000 rows.

    .venv/bin/python -m bench.guard [--rows 100000] [--repeats 7]

A database of its own, filled with things, alarms and cases spread over 11 towns, 20 zones and 40 lines of duty. Each
kind of post asks the same questions; the whole district, which no policy narrows, is what the others are held against.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.measure import Result, arguments

TOWNS = [f"990101{n:03}" for n in range(1, 12)]
BODIES = [f"body-{n}" for n in range(20)]
CLASSES = ("governance.flood", "life.air")
PAGE = 100
PROMISED = 0.10


@contextmanager
def database() -> Iterator[None]:
    """PostgreSQL as the product starts it, with its tables; Django acts as the login role."""
    from zhiwan.run.embedded.postgres import EmbeddedPostgres

    data = Path(tempfile.mkdtemp(prefix="zg-"))
    data.chmod(0o711 if os.geteuid() == 0 else 0o700)
    server = EmbeddedPostgres(data, volatile=True)
    try:
        urls = server.start()
        os.environ |= {"ZHIWAN_DATABASE_URL": urls.login, "ZHIWAN_OWNER_DATABASE_URL": urls.owner}
        os.environ |= {"ZHIWAN_DATA": str(data), "DJANGO_SETTINGS_MODULE": "zhiwan.city.settings"}
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", database="owner", verbosity=0, interactive=False)
        yield
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)


def fill(rows: int) -> None:
    """Things with one alarm and one case each, in one statement a table."""
    from django.db import connection

    from zhiwan.city.people.acting import acting_system

    with acting_system("cli"), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO registry_entity (id, type, name, name_en, town, area, fields, zones, owner, line)
            SELECT 'e' || n, 'PumpStation', 'e' || n, '', t, t || lpad((n %% 20 + 1)::text, 3, '0'),
                   jsonb_build_object('keeper', '周守泵', 'keeper_phone', '13900000001', 'start_level', 2.1),
                   CASE WHEN n %% 10 = 0 THEN ARRAY['zone-' || n %% 20] ELSE '{}'::text[] END,
                   'body-' || n %% 20, c || '@body-' || n %% 20
            FROM generate_series(1, %(rows)s) n,
                 LATERAL (SELECT (%(towns)s::text[])[n %% 11 + 1] t, (%(classes)s::text[])[n %% 2 + 1] c) x
            """,
            {"rows": rows, "towns": TOWNS, "classes": list(CLASSES)},
        )
        cursor.execute(
            """
            INSERT INTO watch_alarm (id, rule, rule_version, entity_id, property, town, area, level, rank, peak_rank,
                tone, state, opened_at, changed_at, recorded_at, message_zh, message_en, evidence, late, corrected,
                score)
            SELECT 'a' || id, 'governance.flood.x', '1', id, 'level', town, area, 'x', 1, 1, 'red', 'open',
                   now() - (row_number() OVER () * interval '1 second'), now(), now(), 'x', 'x', '{}', false, 0, ''
            FROM registry_entity
            """
        )
        cursor.execute(
            """
            INSERT INTO cases_case (kind, title_zh, title_en, town, area, entity_id, state, role, opened_at, due_take,
                                    due_handle, outcome, note)
            SELECT 'governance.flood.patrol', 'x', 'x', town, area, id, 'open', 'role-' || (random() * 40)::int,
                   now() - (row_number() OVER () * interval '1 second'), now(), now(), '', ''
            FROM registry_entity
            """
        )
        cursor.execute(
            """
            INSERT INTO watch_latestvalue (entity_id, property, observed_at, value, quality, source, recorded_at, town)
            SELECT id, 'level', now(), 1, 0, 'x', now(), town FROM registry_entity
            """
        )
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE registry_entity, watch_alarm, cases_case, watch_latestvalue")


def posts() -> dict[str, Any]:
    """One post of every sort of reach."""
    from zhiwan.city.people.models import Post
    from zhiwan.kernel.guard.people import lines_of

    def post(**more: Any) -> Post:
        return Post(id="p", role="r", base_role="department_handler", organisation_id="office", **more)

    line = {"classes": ["governance.flood"], "bodies": BODIES[:2], "lines": sorted(lines_of(CLASSES[:1], BODIES[:2]))}
    return {
        "district": post(scope="district"),
        "one town": post(scope="towns", towns=TOWNS[:1]),
        "a line of duty": post(scope="district", **line),
        "a zone": post(scope="zones", zones=["zone-0"]),
        "a village": post(scope="zones", zones=[f"{TOWNS[0]}001"]),
        "a line in a town": post(scope="towns", towns=TOWNS[:1], **line),
        "a firm": Post(id="p", role="firm", organisation_id="body-3", scope="own"),
    }


QUESTIONS = {
    "newest 50 alarms": "SELECT id FROM watch_alarm WHERE state = 'open' ORDER BY opened_at DESC LIMIT 50",
    "count of cases": "SELECT count(*) FROM cases_case WHERE state <> 'closed'",
    "one thing by id": "SELECT id FROM registry_entity WHERE id = 'e11'",
    "values of a page": (
        "SELECT v.value FROM registry_entity e JOIN watch_latestvalue v ON v.entity_id = e.id ORDER BY e.id LIMIT 100"
    ),
}


def ask(result: Result, repeats: int) -> None:
    """Each question as each post; the plan of the slowest stands in the notes."""
    from django.db import connection

    from zhiwan.city.people.acting import acting

    medians: dict[str, dict[str, float]] = {}
    for name, post in posts().items():
        with acting(post), connection.cursor() as cursor:
            found = {}
            for words, statement in QUESTIONS.items():
                cursor.execute(statement)  # warms the cache
                found[words] = median(lambda s=statement: cursor.execute(s), repeats)
                if words == "count of cases":
                    cursor.execute(f"EXPLAIN (COSTS OFF) {statement}")
                    plan = " ← ".join(row[0].strip(" ->") for row in cursor.fetchall() if "Filter" not in row[0])
                    result.notes.append(f"{name}: {plan[:300]}")
        medians[name] = found
        result.add(f"rows: {name}", **{f"{words} ms": round(value, 2) for words, value in found.items()})
    whole = medians["district"]
    for name, found in medians.items():
        if name != "district":
            worst = max(value / max(whole[words], 0.5) for words, value in found.items())
            result.promise(f"{name} asks at most 4 times as long as the whole district ({worst:.1f})", worst <= 4)


def median(act: Callable[[], Any], repeats: int) -> float:
    """Milliseconds, the middle of several."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        act()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


def page(result: Result, repeats: int) -> None:
    """A page of 100 things with their fields, with the guard and without: what deciding and masking add."""
    import zhiwan.city.registry.queries as queries
    from zhiwan.city.people import guard
    from zhiwan.city.people.acting import acting
    from zhiwan.city.people.shown import Shown
    from zhiwan.city.registry.models import Entity

    def build() -> list[Any]:
        rows = []
        for thing in Entity.objects.order_by("id")[:PAGE]:
            rows.append((queries.entity_row(thing), queries._field_rows(thing)))
        return rows

    def decide_all(things: list[Any]) -> None:
        for thing in things:
            guard.may("entity.read", on=thing)

    with acting(posts()["one town"]):
        things = list(Entity.objects.order_by("id")[:PAGE])
        decided = median(lambda: decide_all(things), repeats)
        masked = median(build, repeats)
        real, queries.shown = queries.shown, lambda value, **_: Shown(value, False)
        try:
            bare = median(build, repeats)
        finally:
            queries.shown = real
        rendered = median(lambda: render(build()), repeats)
    added = decided + max(0.0, masked - bare)
    share = added / rendered
    result.add(
        "page of 100 rows", page_ms=round(rendered, 2), decide_ms=round(decided, 3),
        mask_ms=round(max(0.0, masked - bare), 3), added_percent=round(share * 100, 1),
    )  # fmt: skip
    result.promise(f"decision and masks add less than 10 % to a page of 100 rows ({share:.1%})", share < PROMISED)


def render(rows: list[Any]) -> str:
    """The rows as a template of ours draws them."""
    from django.template import engines

    text = (
        "{% load portal %}{% for row, fields in rows %}<tr><td><a href='{% url \"portal:entity\" row.id %}'>"
        "{{ row.title|said }}</a></td><td>{{ row.area_title|said }}</td>"
        "{% for field in fields %}<td>{{ field.title|said }}</td><td>{{ field.shown|said }} {{ field.unit|unit }}</td>"
        "{% endfor %}</tr>{% endfor %}"
    )
    return str(engines["django"].from_string(text).render({"rows": rows}))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    result = Result(
        "guard", "What the guard costs", data=f"{given.rows:,} things, alarms, cases and latest values",
        load=f"one caller, the middle of {given.repeats}",
    )  # fmt: skip
    with database():
        fill(given.rows)
        page(result, given.repeats)
        ask(result, given.repeats)
    result.write(given.results)


if __name__ == "__main__":
    main()
