"""The drill: a backup that was never restored is a hope. Make one, restore it into an empty place, compare, measure.

RPO is how much younger the source's newest reading was at the start of the drill than the restored one; RTO is how long
it took from the archive to a database that answers and equals the copied one.
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

import polars as pl
import psycopg
from deltalake import DeltaTable
from nacl.public import PrivateKey

from zhiwan.city.files import private_file
from zhiwan.run.backups import keys as apart
from zhiwan.run.backups.making import admin_url, make_backup
from zhiwan.run.backups.restoring import NotAsItWas, restore
from zhiwan.run.embedded.postgres import EmbeddedPostgres

Say = Callable[[str], None]


@dataclass
class Drill:
    """What came of it."""

    at: str
    held: bool = False
    differences: list[str] = field(default_factory=list)
    backup_seconds: float = 0.0
    rto_seconds: float = 0.0
    rpo_seconds: float | None = None
    megabytes: float = 0.0
    tables: int = 0
    rows: int = 0
    lake_rows: dict[str, list[int]] = field(default_factory=dict)  # table → [in the source before, restored, after]
    audit: str = ""


def run_drill(data: Path, *, say: Say = print, check_audit: Callable[[Path, str], str] | None = None) -> Drill:
    """Everything in a temporary place; the report stays in `<data>/reports`. `check_audit(place, url)` says what the
    audit's check found in the restored database."""
    data = data.resolve()
    drill = Drill(at=datetime.now(UTC).isoformat())
    pair = PrivateKey.generate()
    with tempfile.TemporaryDirectory(prefix="zw-drill-") as folder:
        place, began = Path(folder) / "place", time.monotonic()
        before, newest = lake_rows(data), _newest(data)
        made = make_backup(data, Path(folder), Path(folder), seal_to=pair.public_key, say=say)
        drill.backup_seconds = time.monotonic() - began
        drill.megabytes = made.bytes / 1e6
        drill.rows = sum(made.manifest["database"]["rows"].values())
        drill.tables = len(made.manifest["database"]["rows"])
        after = lake_rows(data)
        began = time.monotonic()
        try:
            manifest = restore(made.archive, apart.unseal(made.key_file, pair), place, say=say)
            drill.rto_seconds = time.monotonic() - began
            drill.rpo_seconds = _behind(newest, manifest["database"]["newest_reading"])
            drill.differences += _compare_lakes(before, lake_rows(place), after, drill)
            if check_audit is not None:
                drill.audit = _audit(place, check_audit, drill)
        except NotAsItWas as problem:
            drill.differences.append(str(problem))
    drill.held = not drill.differences
    _report(data, drill)
    return drill


def lake_rows(data: Path) -> dict[str, int]:
    """Rows of every lake table of a place, by its log."""
    found = {}
    for log in sorted([*data.glob("lake/*/_delta_log"), *data.glob("lakes/*/*/_delta_log")]):
        files = pl.DataFrame(DeltaTable(str(log.parent)).get_add_actions(flatten=True))
        found[str(log.parent.relative_to(data))] = int(files["num_records"].sum()) if files.height else 0
    return found


def _compare_lakes(before: dict[str, int], found: dict[str, int], after: dict[str, int], drill: Drill) -> list[str]:
    """Raw rows only grow: what was restored lies between before and after the copy."""
    told = []
    for name in sorted(before):
        drill.lake_rows[name] = [before[name], found.get(name, 0), after.get(name, 0)]
        grows = name.endswith(("observations", "indicators"))
        if grows and not before[name] <= found.get(name, 0) <= after.get(name, 0):
            told.append(
                f"{name}: {before[name]} rows before, {found.get(name, 0)} restored, {after.get(name, 0)} after"
            )
        if not grows and before[name] and name not in found:
            told.append(f"{name}: it was not restored")
    return told


def _newest(data: Path) -> str | None:
    with psycopg.connect(admin_url(data)) as connection:
        row = connection.execute("SELECT max(recorded_at) FROM watch_latestvalue").fetchone()
    return row[0].isoformat() if row and row[0] else None


def _behind(source: str | None, restored: str | None) -> float | None:
    if source is None or restored is None:
        return None
    return max(0.0, (datetime.fromisoformat(source) - datetime.fromisoformat(restored)).total_seconds())


def _audit(place: Path, check: Callable[[Path, str], str], drill: Drill) -> str:
    server = EmbeddedPostgres(place)
    urls = server.start()
    try:
        found = check(place, urls.login)
    finally:
        server.stop()
    if found:
        drill.differences.append(f"audit: {found}")
    return found or "whole"


def _report(data: Path, drill: Drill) -> None:
    folder = data / "reports"
    folder.mkdir(exist_ok=True, mode=0o700)
    name = f"drill-{datetime.fromisoformat(drill.at):%Y%m%dT%H%M%SZ}"
    private_file(folder / f"{name}.json", json.dumps(asdict(drill), ensure_ascii=False, indent=1))
    private_file(folder / f"{name}.md", report_text(drill))


def report_text(drill: Drill) -> str:
    """The report in both languages."""
    rpo = "–" if drill.rpo_seconds is None else f"{drill.rpo_seconds:.1f} s"
    lines = [
        f"# 恢复演练 / Restore drill {drill.at}",
        "",
        f"**{'通过 / held' if drill.held else '未通过 / did not hold'}**",
        "",
        f"- RTO {drill.rto_seconds:.1f} s · RPO {rpo}",
        f"- 备份 / backup: {drill.backup_seconds:.1f} s, {drill.megabytes:,.1f} MB",
        f"- 数据库 / database: {drill.rows:,} rows, {drill.tables} tables · 审计 / audit: {drill.audit or '–'}",
        *(f"- 差异 / difference: {one}" for one in drill.differences),
        "",
        "| 历史库表 / lake table | 备份前 / before | 恢复后 / restored | 备份后 / after |",
        "|---|---|---|---|",
        *(f"| {name} | {a:,} | {b:,} | {c:,} |" for name, (a, b, c) in drill.lake_rows.items()),
        "",
    ]
    return "\n".join(lines)


def last_drill(data: Path) -> dict[str, Any] | None:
    """What the newest report says; None when there never was one."""
    reports = sorted((data / "reports").glob("drill-*.json"))
    return dict(json.loads(reports[-1].read_text())) if reports else None
