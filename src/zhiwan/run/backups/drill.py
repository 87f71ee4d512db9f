"""The drill: a backup that was never restored is a hope. Make one, restore it into an empty place, compare, measure.

RTO is how long it took from the archive to a place that says it is healthy. RPO is how much younger the source's newest
reading was when the copy was done than the restored one: what a loss at that moment would take. A loss later takes what
came since the last backup besides.

Compared are: every table's rows and content with the snapshot's; every lake table's rows and content with the same
version of the source's; the audit with its signed heads.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from nacl.public import PrivateKey

from zhiwan.city.files import private_file
from zhiwan.run.backups import keys as apart
from zhiwan.run.backups.making import StreamEnds, admin_url, describe, make_backup
from zhiwan.run.backups.restoring import NotAsItWas, compare, restore
from zhiwan.run.embedded.postgres import EmbeddedPostgres

Say = Callable[[str], None]


@dataclass
class Drill:
    """What came of it."""

    at: str
    held: bool = False
    differences: list[str] = field(default_factory=list)
    backup_seconds: float = 0.0
    restore_seconds: float = 0.0
    rto_seconds: float | None = None  # None: it was not started
    rpo_seconds: float | None = None
    uncommitted: int | None = None  # messages that were acknowledged and are not in it
    megabytes: float = 0.0
    tables: int = 0
    rows: int = 0
    lake_rows: dict[str, list[int]] = field(default_factory=dict)  # table → [in the source, restored]
    audit: str = ""


def run_drill(
    data: Path,
    *,
    say: Say = print,
    check_audit: Callable[[Path, str], str] | None = None,
    start: Callable[[Path], str] | None = None,
    stream_ends: StreamEnds | None = None,
) -> Drill:
    """Everything in a temporary place; the report stays in `<data>/reports`. `check_audit(place, url)` says what the
    audit's check found in the restored database; `start(place)` returns when the place is healthy, or says why not."""
    data = data.resolve()
    drill = Drill(at=datetime.now(UTC).isoformat())
    pair = PrivateKey.generate()
    with tempfile.TemporaryDirectory(prefix="zw-drill-") as folder:
        place, began = Path(folder) / "place", time.monotonic()
        made = make_backup(data, Path(folder), Path(folder), seal_to=pair.public_key, say=say, stream_ends=stream_ends)
        newest = _newest(data)
        drill.backup_seconds = time.monotonic() - began
        drill.megabytes = made.bytes / 1e6
        drill.rows = sum(made.manifest["database"]["rows"].values())
        drill.tables = len(made.manifest["database"]["rows"])
        uncommitted = made.manifest["uncommitted"]
        drill.uncommitted = None if uncommitted is None else sum(uncommitted.values())
        began = time.monotonic()
        try:
            manifest = restore(made.archive, apart.unseal(made.key_file, pair), place, say=say)
            drill.restore_seconds = time.monotonic() - began
            drill.rpo_seconds = _behind(newest, manifest["database"]["newest_reading"])
            drill.differences += _compare_lakes(manifest["lakes"], data, place, drill)
            drill.differences += _look_again(place, manifest, check_audit, drill)
            if start is not None:
                began = time.monotonic()
                problem = start(place)
                drill.rto_seconds = drill.restore_seconds + time.monotonic() - began
                drill.differences += [problem] if problem else []
        except NotAsItWas as problem:
            drill.differences.append(str(problem))
    drill.held = not drill.differences
    _report(data, drill)
    return drill


def lake_content(table: Path, version: int | None = None) -> tuple[int, str]:
    """Rows of a lake table (as of a version), and the sum of their 64-bit hashes: the order of rows does not matter."""
    files = DeltaTable(str(table), version=version).file_uris()
    if not files:
        return 0, "0"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.read_parquet(files, union_by_name=True, hive_partitioning=False)
        columns = ", ".join('"' + name.replace('"', '""') + '"' for name in sorted(rows.columns))
        ((count, content),) = rows.aggregate(f"count(*), sum(hash({columns})::HUGEINT)").fetchall()
    return int(count), str(content)


def _compare_lakes(lakes: dict[str, dict[str, int]], source: Path, place: Path, drill: Drill) -> list[str]:
    """Each table at the version that was copied, here and there."""
    told = []
    for lake, tables in lakes.items():
        for table, version in tables.items():
            name = f"{lake}/{table}"
            try:
                there, here = lake_content(source / name, version), lake_content(place / name)
            except (DeltaError, duckdb.Error, OSError) as problem:
                told.append(f"{name}: it cannot be read ({str(problem).strip()[:200]})")
                continue
            drill.lake_rows[name] = [there[0], here[0]]
            if there != here:
                told.append(f"{name}: {there[0]} rows were copied, {here[0]} restored, or their content differs")
    return told


def _newest(data: Path) -> str | None:
    with psycopg.connect(admin_url(data)) as connection:
        row = connection.execute("SELECT max(recorded_at) FROM watch_latestvalue").fetchone()
    return row[0].isoformat() if row and row[0] else None


def _behind(source: str | None, restored: str | None) -> float | None:
    if source is None or restored is None:
        return None
    return max(0.0, (datetime.fromisoformat(source) - datetime.fromisoformat(restored)).total_seconds())


def _look_again(
    place: Path, manifest: dict[str, Any], check: Callable[[Path, str], str] | None, drill: Drill
) -> list[str]:
    """The restored database once more, after everything that restoring did; and its audit."""
    server = EmbeddedPostgres(place)
    urls = server.start()
    try:
        with psycopg.connect(admin_url(place)) as connection:
            told = compare(manifest["database"], describe(connection))
        if check is not None:
            found = check(place, urls.login)
            drill.audit = found or "whole"
            told += [f"audit: {found}"] if found else []
    finally:
        server.stop()
    return told


def _report(data: Path, drill: Drill) -> None:
    folder = data / "reports"
    folder.mkdir(exist_ok=True, mode=0o700)
    name = f"drill-{datetime.fromisoformat(drill.at):%Y%m%dT%H%M%SZ}"
    private_file(folder / f"{name}.json", json.dumps(asdict(drill), ensure_ascii=False, indent=1))
    private_file(folder / f"{name}.md", report_text(drill))


def report_text(drill: Drill) -> str:
    """The report in both languages."""
    rto, rpo = ("–" if one is None else f"{one:.1f} s" for one in (drill.rto_seconds, drill.rpo_seconds))
    lost = "–" if drill.uncommitted is None else f"{drill.uncommitted:,}"
    lines = [
        f"# 恢复演练 / Restore drill {drill.at}",
        "",
        f"**{'通过 / held' if drill.held else '未通过 / did not hold'}**",
        "",
        f"- RTO {rto}（恢复 / restoring {drill.restore_seconds:.1f} s）",
        f"- RPO {rpo}：备份完成的那一刻若失去本机，丢失这么多；此后还要加上距上次备份的时间"
        " / lost with the machine at the moment the copy is done; later, the time since the last backup comes on top",
        f"- 已确认接收而尚未入库的报文 / acknowledged messages that are not in it: {lost}",
        f"- 备份 / backup: {drill.backup_seconds:.1f} s, {drill.megabytes:,.1f} MB",
        f"- 数据库 / database: {drill.rows:,} rows, {drill.tables} tables · 审计 / audit: {drill.audit or '–'}",
        *(f"- 差异 / difference: {one}" for one in drill.differences),
        "",
        "| 历史库表 / lake table | 备份时 / copied | 恢复后 / restored |",
        "|---|---|---|",
        *(f"| {name} | {a:,} | {b:,} |" for name, (a, b) in drill.lake_rows.items()),
        "",
    ]
    return "\n".join(lines)


def last_drill(data: Path) -> dict[str, Any] | None:
    """What the newest report says; None when there never was one."""
    reports = sorted((data / "reports").glob("drill-*.json"))
    return dict(json.loads(reports[-1].read_text())) if reports else None
