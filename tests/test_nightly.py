"""What is due is deleted, and no file holds it afterwards: real PostgreSQL, real Delta tables, bytes on disk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from typer.testing import CliRunner

from servers import SERVERS
from zhiwan.city.keeping import queries
from zhiwan.city.keeping.models import Backup, Erasure
from zhiwan.city.keeping.plan import BackupPlan, Night, is_late, read_night, write_night, write_plan
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import AuditRecord
from zhiwan.city.registry.models import Entity
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.guard.purposes import Purpose, PurposeBook
from zhiwan.kernel.lake import Lake
from zhiwan.kernel.packs.models import Text
from zhiwan.run.backups import commands, keys, restoring
from zhiwan.run.backups.making import admin_url
from zhiwan.run.nightly import rounds, schedule, wiping
from zhiwan.run.nightly.schedule import Nightly

NOW = datetime(2026, 11, 26, 19, 37, tzinfo=UTC)
PHONE, KEPT = "13755501234-going", "13755509876-staying"


def silent(_text: str) -> None:
    """Progress is for people."""


def purpose(id: str, *fields: str, keep_days: int = 365, until: date | None = None) -> Purpose:
    words = Text(zh=id, en=id)
    return Purpose(
        id=id, title=words, basis=words, fields=list(fields), roles=["duty_chief"], keep_days=keep_days,
        since=date(2020, 1, 1), until=until,
    )  # fmt: skip


def registered(monkeypatch: pytest.MonkeyPatch, *found: Purpose) -> None:
    book = PurposeBook(found, "Asia/Shanghai")
    for module in ("zhiwan.city.keeping.actions", "zhiwan.city.keeping.queries"):
        monkeypatch.setattr(f"{module}.purpose_book", lambda: book)


def thing(id: str, phone: str, days_out_of_use: int | None = None) -> Entity:
    since = None if days_out_of_use is None else NOW - timedelta(days=days_out_of_use)
    return Entity.objects.create(
        id=id, type="Pump", name=id, name_en=id, town="990101001", area="990101001",
        fields={"keeper_phone": phone, "power": 75}, active=since is None, inactive_since=since,
    )  # fmt: skip


@pytest.fixture
def place(migrated: Any, transactional_db: None, settings: Any) -> Iterator[Path]:
    settings.ZHIWAN_DATA = SERVERS.data
    (SERVERS.data / "secret.key").write_text("x")
    yield SERVERS.data
    for name in ("backup-plan.json", "nightly.json", "secrets/backup-recovery.pub"):
        (SERVERS.data / name).unlink(missing_ok=True)


def files_with(word: str, *below: Path) -> list[Path]:
    """Files that hold these bytes."""
    found = []
    for folder in below:
        found += [path for path in folder.rglob("*") if path.is_file() and word.encode() in path.read_bytes()]
    return found


def fields_of(id: str) -> dict[str, Any]:
    with acting_system("cli"):
        return dict(Entity.objects.get(id=id).fields)


@pytest.mark.mission("E4")
def test_what_is_due_is_in_no_file_afterwards_and_leaves_a_receipt(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(monkeypatch, purpose("duty", "Pump.keeper_phone"))
    keys.new_recovery_key(tmp_path / "recovery.key", place)
    with acting_system("cli"):
        thing("due", PHONE, days_out_of_use=366)
        thing("waiting", KEPT, days_out_of_use=300)
        thing("in-use", KEPT)
    with psycopg.connect(admin_url(place), autocommit=True) as connection:
        connection.execute("ANALYZE registry_entity")
        connection.execute("CHECKPOINT")
    database, to, apart = place / "postgres", tmp_path / "to", tmp_path / "apart"
    assert any("pg_wal" in str(path) for path in files_with(PHONE, database)), "the search finds what is there"
    assert any("base" in path.parts for path in files_with(PHONE, database))
    write_plan(place, BackupPlan(to=str(to), keys_to=str(apart), keep_days=3, since=NOW - timedelta(days=9)))

    # The night before it is due: a copy of everything is made, and holds it.
    assert rounds.run_round(place, say=silent, at=NOW - timedelta(days=2)) == []
    assert fields_of("due") == {"keeper_phone": PHONE, "power": 75}
    with acting_system("cli"):
        first = Backup.objects.get()
        Backup.objects.update(made_at=NOW - timedelta(days=2), keep_until=NOW + timedelta(days=1))

    assert rounds.run_round(place, say=silent, at=NOW) == []
    with acting_system("cli"):
        Backup.objects.exclude(id=first.id).update(made_at=NOW + timedelta(minutes=1))
    assert files_with(PHONE, database, place / "logs", to) == []
    assert fields_of("due") == {"power": 75}, "the thing itself stays"
    assert fields_of("waiting") == fields_of("in-use") == {"keeper_phone": KEPT, "power": 75}
    with acting_system("cli"):
        (view,) = queries.erasures().rows
        assert (view.receipt.field, view.receipt.things, view.receipt.purposes) == ("Pump.keeper_phone", 1, ["duty"])
        assert view.receipt.wiped_at is not None
        assert (view.backups, view.backups_until) == (1, NOW + timedelta(days=1)), "the copy of before holds it still"
        assert PHONE not in str(list(AuditRecord.objects.values()))
        (waiting,) = queries.waiting()
        assert (waiting.field, waiting.things, waiting.due) == ("Pump.keeper_phone", 1, date(2027, 1, 31))

    # The nights after: nothing is due, and the copy that held it is let go.
    assert rounds.run_round(place, say=silent, at=NOW + timedelta(days=2)) == []
    with acting_system("cli"):
        Backup.objects.exclude(id=first.id).update(made_at=NOW + timedelta(minutes=1))
        (view,) = queries.erasures().rows
        assert view.backups == 0
        gone = Backup.objects.get(id=first.id)
        assert gone.destroyed_at is not None
        assert AuditRecord.objects.filter(action="backup.destroy", subject=f"backup:{first.id}").count() == 1
    assert not Path(first.key_file).exists()
    assert not Path(first.archive).exists()
    assert len(list(to.glob("*.backup"))) == 2


def test_a_restored_copy_deletes_again_what_was_due(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came back with an older copy is due there by the same rule: its first night deletes it."""
    registered(monkeypatch, purpose("duty", "Pump.keeper_phone"))
    with acting_system("cli"):
        thing("due", PHONE, days_out_of_use=400)
        assert [one.things for one in rounds.erase_due(at=NOW)] == [1]
        Entity.objects.filter(id="due").update(fields={"keeper_phone": PHONE})  # as a restore would
        assert [one.things for one in rounds.erase_due(at=NOW)] == [1]
        assert rounds.erase_due(at=NOW) == []


@pytest.mark.parametrize(
    ("found", "days", "gone"),
    [
        ([], 9000, False),  # nobody said how long
        ([purpose("a", "Pump.keeper_phone")], None, False),
        ([purpose("a", "Pump.keeper_phone")], 364, False),
        ([purpose("a", "Pump.keeper_phone")], 365, True),
        ([purpose("a", "Pump.keeper_phone"), purpose("b", "Pump.keeper_phone", keep_days=730)], 400, False),
        ([purpose("a", "Pump.keeper_phone", until=date(2025, 11, 27))], None, True),  # ended, of things in use too
        ([purpose("a", "Pump.keeper_phone", until=date(2025, 11, 28))], None, False),
        ([purpose("a", "Pump.keeper_phone", until=date(2025, 1, 1)), purpose("b", "Pump.keeper_phone")], None, False),
        ([purpose("a", "Pump.keeper_phone", until=date(2026, 10, 1))], 365, True),  # out of use before it ended
        ([purpose("a", "Sluice.keeper_phone")], 9000, False),
    ],
)
def test_when_a_field_is_due(
    place: Path, monkeypatch: pytest.MonkeyPatch, found: list[Purpose], days: int | None, gone: bool
) -> None:
    registered(monkeypatch, *found)
    with acting_system("cli"):
        row = thing("pump", PHONE, days_out_of_use=days)
        rounds.erase_due(at=NOW)
        book = PurposeBook(found, "Asia/Shanghai")
        day = book.due_day("Pump.keeper_phone", row.inactive_since and book.today(row.inactive_since))
    assert ("keeper_phone" not in fields_of("pump")) is gone
    assert (day is not None and day <= book.today(NOW)) is gone, "the page foretells what the night does"


def test_readings_of_a_person_go_from_the_lake(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    registered(monkeypatch, purpose("care", "Band.pulse", keep_days=30))
    lake = Lake(tmp_path / "lake")
    kind = type("Kind", (), {"properties": {"pulse": None}})()
    packs = type("Packs", (), {"types": {"Band": kind}})()
    monkeypatch.setattr("zhiwan.city.keeping.actions.packs", lambda: packs)
    monkeypatch.setattr("zhiwan.city.keeping.actions.lake", lambda: lake)
    with acting_system("cli"):
        for id, since in (("gone", NOW - timedelta(days=31)), ("here", None)):
            Entity.objects.create(
                id=id, type="Band", name=id, name_en=id, town="", area="990101", active=since is None,
                inactive_since=since,
            )  # fmt: skip
    at = NOW - timedelta(days=40)
    rows = [
        {"entity": id, "property": name, "observed_at": at, "value": 71.5, "source": "t", "recorded_at": at,
         "quality": 0, "seq": number}
        for number, (id, name) in enumerate([("gone", "pulse"), ("gone", "battery"), ("here", "pulse")], start=1)
    ]  # fmt: skip
    lake.append(pl.DataFrame(rows, schema=OBSERVATION_SCHEMA), "app", 3)
    lake.roll_up()
    with acting_system("cli"):
        (receipt,) = rounds.erase_due(at=NOW)
        assert (receipt.things, receipt.readings) == (1, 1)
        assert rounds.erase_due(at=NOW) == []
    kept = {
        (row["entity"], row["property"])
        for path in (tmp_path / "lake").rglob("*.parquet")
        for row in pl.read_parquet(path, columns=["entity", "property"], hive_partitioning=False).to_dicts()
    }
    assert kept == {("gone", "battery"), ("here", "pulse")}, "in no file, old versions included"


def test_what_cannot_be_wiped_is_told_and_tried_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered(monkeypatch, purpose("duty", "Pump.keeper_phone"))
    monkeypatch.setattr(wiping, "READERS_SECONDS", 0.3)
    with acting_system("cli"):
        thing("due", PHONE, days_out_of_use=400)
    with psycopg.connect(admin_url(place)) as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM registry_entity")
        (problem,) = rounds.run_round(place, say=silent, at=NOW)
        assert "KEEP-001" in problem
    night = read_night(place)
    assert night is not None
    assert night.problems == [problem]
    with acting_system("cli"):
        waiting = Erasure.objects.get()
        assert waiting.wiped_at is None
        assert "still open" in waiting.problem
    assert rounds.run_round(place, say=silent, at=NOW) == []
    with acting_system("cli"):
        assert Erasure.objects.get().wiped_at is not None
    assert files_with(PHONE, place / "postgres") == []


def test_a_step_that_fails_does_not_hold_the_others_up(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No recovery key: no backup. The one of before is let go all the same, and the night tells what was wrong."""
    write_plan(place, BackupPlan(to=str(tmp_path), keys_to=str(tmp_path / "k"), keep_days=3, since=NOW))
    with acting_system("cli"):
        Backup.objects.create(
            id="old", made_at=NOW - timedelta(days=9), bytes=1, archive=str(tmp_path / "old.backup"),
            key_file=str(tmp_path / "away.key"), keep_until=NOW - timedelta(days=6),
        )  # fmt: skip
    no_key, not_there = rounds.run_round(place, say=silent, at=NOW)
    assert "BACKUP-002" in no_key
    assert "destroy it where it is" in not_there
    with acting_system("cli"):
        assert Backup.objects.get().destroyed_at is None, "nobody says it is gone while it is not"


def test_the_plan_is_told_refused_and_ended_by_command(place: Path, tmp_path: Path) -> None:
    def say(*words: str) -> Any:
        return CliRunner().invoke(commands.backup_app, [*words, "--data", str(place)])

    folders = ["--to", str(tmp_path / "to"), "--keys-to", str(tmp_path / "keys")]
    assert "no backup is planned" in say("plan").output
    assert "BACKUP-002" in str(say("plan", *folders).exception), "without a recovery key no night could carry it out"
    keys.new_recovery_key(tmp_path / "recovery.key", place)
    assert say("plan", "--to", str(tmp_path), "--keys-to", str(tmp_path)).exit_code == 2
    assert "kept 35 days" in say("plan", *folders).output
    assert say(*folders).exit_code == 0
    with acting_system("cli"):
        one = Backup.objects.get()
    listed = say("list").output
    assert one.id in listed
    assert "by hand" in listed
    assert "BACKUP-003" in str(say("destroy", "nobody", "--reason", "x").exception)
    assert say("destroy", one.id, "--reason", "an exercise").exit_code == 0
    assert "an exercise" in say("list").output
    with pytest.raises(keys.KeyRefused):
        restoring.open_keys(Path(one.archive), Path(one.key_file), keys.read_recovery_key(tmp_path / "recovery.key"))
    assert "no backup is planned" in say("plan", "--off").output


def test_the_night_comes_once_and_late_rather_than_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[list[str]] = []

    class Ended:
        def poll(self) -> int:
            return 0

    def spawn(command: list[str], **_: Any) -> Ended:
        begun.append(command)
        write_night(tmp_path, Night(began_at=now))
        return Ended()

    monkeypatch.setattr(schedule.embedded, "spawn", spawn)
    start = datetime(2026, 11, 26, 10, tzinfo=UTC)  # 18:00 there
    now = start
    night = Nightly(tmp_path, {}, tmp_path / "log", "Asia/Shanghai", silent)
    night._since = start
    write_night(tmp_path, Night(began_at=start))
    night._due = night._next()
    for hours in range(50):
        for minutes in (0, 20, 40):
            now = start + timedelta(hours=hours, minutes=minutes)
            night.look(now)
    assert len(begun) == 2, "two nights in fifty hours"
    again = Nightly(tmp_path, {}, tmp_path / "log", "Asia/Shanghai", silent)
    again._since = now = start + timedelta(days=9)
    again.look(now)
    assert len(begun) == 2, "not while it starts"
    again.look(now + timedelta(minutes=11))
    assert len(begun) == 3


def test_a_backup_is_late_after_a_night_without_one() -> None:
    plan = BackupPlan(to="/a", keys_to="/b", keep_days=3, since=NOW)
    assert not is_late(plan, None, NOW + timedelta(hours=25))
    assert is_late(plan, None, NOW + timedelta(hours=27))
    assert not is_late(plan, NOW + timedelta(hours=20), NOW + timedelta(hours=27))
