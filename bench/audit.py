"""The audit: what a case cycle costs without any record, with a plain row, and with a link of a chain.

    .venv/bin/python -m bench.audit                                    4 s a cell
    .venv/bin/python -m bench.audit --seconds 20 --writers 8           longer, more writers

A cycle is eight calls, each in a transaction of its own as a request is: open, find in the list, read, take, read,
handle, read its steps, close. Four of them are recorded. Writers are processes; they belong to one organisation, or
each to its own. A plain row is what the audit wrote before there were chains (one INSERT). PostgreSQL runs as the
product starts it, with fsync. At the end every chain is followed, and a check of all of them is timed.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import CHECKOUT, Result, arguments
from zhiwan.run.embedded.postgres import EmbeddedPostgres

PLAIN = """
CREATE TABLE bench_plain (id bigserial PRIMARY KEY, at timestamptz, user_id bigint, post varchar(64), actor varchar(80),
    action varchar(64), subject varchar(160), before jsonb, after jsonb, address inet, space varchar(16));
CREATE INDEX ON bench_plain (at);
CREATE INDEX ON bench_plain (subject);
GRANT INSERT ON bench_plain TO zhiwan_area, zhiwan_district;
GRANT USAGE ON SEQUENCE bench_plain_id_seq TO zhiwan_area, zhiwan_district;
"""
RECORDED = 4  # calls of a cycle


@dataclass(frozen=True)
class Cell:
    """One way to record, and how many organisations the writers belong to (0: each its own)."""

    name: str
    how: str
    organisations: int


CELLS = (
    Cell("no record", "none", 0),
    Cell("a plain row", "plain", 0),
    Cell("chains, an organisation for each writer", "chain", 0),
    Cell("chains, all writers in one organisation", "chain", 1),
)


def django() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhiwan.city.settings")
    import django

    django.setup()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=2, help="each cell so often, in turn")
    options = parser.parse_args()
    result = Result(
        "audit",
        "Audited case cycles",
        data="a fresh database",
        load=f"{options.writers} processes, each one cycle after the other for {options.seconds:g} s,"
        f" {options.rounds} rounds",
    )
    data = Path(tempfile.mkdtemp(prefix="zw-bench-"))
    data.chmod(0o711 if os.geteuid() == 0 else 0o700)
    server = EmbeddedPostgres(data)
    try:
        urls = server.start()
        os.environ.update(
            ZHIWAN_DATABASE_URL=urls.login, ZHIWAN_OWNER_DATABASE_URL=urls.owner, ZHIWAN_DATA=str(data),
            ZHIWAN_PLACE=os.environ.get("ZHIWAN_PLACE") or str(next((CHECKOUT / "places").glob("*/place.yml")).parent),
        )  # fmt: skip
        measure(options.seconds, options.writers, options.rounds, server, result)
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)
    result.write(options.results)


def measure(seconds: float, writers: int, rounds: int, server: EmbeddedPostgres, result: Result) -> None:
    found(writers)
    told: dict[str, list[tuple[int, float, float]]] = {cell.name: [] for cell in CELLS}
    for _ in range(rounds):
        for cell in CELLS:
            began, used = time.perf_counter(), server_cpu(server)
            with multiprocessing.get_context("spawn").Pool(writers) as pool:
                work = [(cell.how, number % cell.organisations if cell.organisations else number, seconds)
                        for number in range(writers)]  # fmt: skip
                done = pool.starmap(cycles, work)
            count, cpu = sum(one for one, _cpu in done), sum(one for _count, one in done)
            spent = server_cpu(server) - used
            told[cell.name].append((count, cpu / max(1, count) * 1000, spent / max(1, count) * 1000))
            print(f"  ({cell.name}: {count} cycles, {time.perf_counter() - began:.1f} s with starting)", flush=True)
    rates = {}
    for name, runs in told.items():
        rates[name] = rate = sum(count for count, *_ in runs) / (seconds * len(runs))
        result.add(
            name, cycles_per_second=rate, ms_of_a_cycle=writers / rate * 1000 if rate else None,
            writer_cpu_ms_a_cycle=sum(one[1] for one in runs) / len(runs),
            postgres_cpu_ms_a_cycle=sum(one[2] for one in runs) / len(runs),
        )  # fmt: skip
    base = rates["a plain row"]
    for name in (CELLS[2].name, CELLS[3].name):
        result.notes.append(f"{name}: {(1 - rates[name] / base) * 100:+.1f} % fewer cycles than with a plain row")
    follow(result)


def found(writers: int) -> None:
    """Schema, months, one organisation with a post for each writer."""
    django()
    import psycopg
    from django.core.management import call_command
    from django.utils import timezone

    from zhiwan.city.people.acting import acting_system
    from zhiwan.city.people.auditing.retention import make_months
    from zhiwan.city.people.models import Organisation, Post

    call_command("migrate", database="owner", verbosity=0, interactive=False)
    make_months(process="cli", at=timezone.now())
    with psycopg.connect(os.environ["ZHIWAN_OWNER_DATABASE_URL"]) as owner:
        owner.execute(PLAIN)
    with acting_system("cli"):
        for number in range(writers):
            body = Organisation.objects.create(id=f"b{number}", name_zh="b", name_en="b", area="990101")
            Post.objects.create(
                id=f"p{number}", role="operator", title_zh="p", title_en="p", organisation=body, scope="district"
            )


def cycles(how: str, organisation: int, seconds: float) -> tuple[int, float]:
    """In a process of its own: cycles until the time is over; (how many, CPU seconds)."""
    django()
    from django.utils import timezone

    from zhiwan.city.cases import actions, queries
    from zhiwan.city.cases.models import Case
    from zhiwan.city.packs_loaded import packs
    from zhiwan.city.people import audit
    from zhiwan.city.people.acting import acting
    from zhiwan.city.people.models import Post

    use(how)
    pack, kind = packs().case_kinds[0]
    with_post = Post.objects.select_related("organisation").get(id=f"p{organisation}")

    def call(act: Callable[[], Any]) -> Any:
        with acting(with_post, address="10.0.0.7"):
            return act()

    def open_case() -> int:
        at = timezone.now()
        case = Case.objects.create(
            kind=f"{pack.id}.{kind.id}", title_zh="量", title_en="bench", town="", area="990101", role=kind.handled_by,
            opened_at=at, due_take=at, due_handle=at,
        )  # fmt: skip
        audit.record("cases.open", f"case:{case.pk}", at=at, after={"kind": kind.id})
        return int(case.pk)

    def cycle() -> None:
        case = call(open_case)
        now = timezone.now()
        call(lambda: queries.counts(at=now))
        call(lambda: queries.case(case, at=now))
        call(lambda: actions.take(case_id=case, at=now))
        call(lambda: queries.case(case, at=now))
        call(lambda: actions.handle(case_id=case, note="到场处置", at=now))
        call(lambda: queries.steps(case))
        call(lambda: actions.close(case_id=case, outcome=kind.outcomes[0].id, at=now))

    cycle()
    count, used, end = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        cycle()
        count += 1
    return count, time.process_time() - used


def use(how: str) -> None:
    """Record as this cell says; the actions stay as they are."""
    import json

    from django.db import connection

    from zhiwan.city.people import audit
    from zhiwan.city.people.chaining import Draft

    def plain(draft: Draft) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO bench_plain (at, user_id, post, actor, action, subject, before, after, address, space)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [draft.at, draft.user, draft.post, draft.actor, draft.action, draft.subject, json.dumps(draft.before),
                 json.dumps(draft.after), draft.address, draft.space],
            )  # fmt: skip

    if how == "none":
        audit._keep = lambda draft: None
    elif how == "plain":
        audit._keep = plain


def follow(result: Result) -> None:
    """Every chain must be whole; how long a check of all of them takes."""
    from zhiwan.city.people.auditing.checking import check_database

    began = time.perf_counter()
    report = check_database(process="cli")
    took = time.perf_counter() - began
    result.add("check of all chains", records=report.records, records_per_second=report.records / took)
    result.promise("every chain is whole after all writers", report.whole and report.records > 0)


def server_cpu(server: EmbeddedPostgres) -> float:
    """CPU seconds of PostgreSQL with all its processes, also those that ended."""
    from bench.measure import usage

    return usage(server.pid or 0, lambda command: None)["up"].cpu


if __name__ == "__main__":
    main()
