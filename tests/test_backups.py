"""A copy of everything: whole or refused, restored or nothing, and drilled. Real PostgreSQL, real Delta tables."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
from deltalake import DeltaTable
from django.utils import timezone
from typer.testing import CliRunner

from servers import SERVERS
from zhiwan.city.people import audit
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.auditing.signing import public_key, sign_heads
from zhiwan.city.registry.models import Entity
from zhiwan.kernel.facts.errors import CityError
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.lake import Lake
from zhiwan.run.backups import commands, keys, making, restoring
from zhiwan.run.backups import drill as drills
from zhiwan.run.backups.archive import BackupDamaged, read_head
from zhiwan.run.backups.commands import check_audit
from zhiwan.run.backups.drill import lake_content, last_drill, run_drill
from zhiwan.run.backups.making import BackupUnderWay, Made, _alone, admin_url, describe, make_backup
from zhiwan.run.backups.restoring import PlaceNotEmpty, open_keys, restore, verify

PRIVATE = "秘密字段的内容-in-the-database"


def silent(_text: str) -> None:
    """Progress is for people."""


def observations(count: int, since: int = 0) -> pl.DataFrame:
    at = datetime(2026, 7, 1, tzinfo=UTC)
    return pl.DataFrame(
        [
            {"entity": f"e{n}", "property": "level", "observed_at": at, "value": float(n), "source": "t",
             "recorded_at": at, "quality": 0, "seq": n + 1}
            for n in range(since, since + count)
        ],
        schema=OBSERVATION_SCHEMA,
    )  # fmt: skip


@pytest.fixture
def place(migrated: Any, transactional_db: None, settings: Any) -> Path:
    """The data folder of this test process with rows, a lake, a file and an audit."""
    data = SERVERS.data
    settings.ZHIWAN_DATA = data
    (data / "secret.key").write_text("the-signing-key-of-this-place")
    (data / "maps").mkdir(exist_ok=True)
    (data / "maps" / "note.txt").write_text("a file of the place")
    # Every test begins with an empty audit; heads that were signed of a former one would rightly miss its records.
    for folder in ("audit-heads", "lake", "lakes"):
        shutil.rmtree(data / folder, ignore_errors=True)
    with acting_system("cli"):
        for number in range(30):
            Entity.objects.create(
                id=f"e{number}", type="Gauge", name=PRIVATE, name_en="x", town="990101001", area="990101001", fields={}
            )
        audit.record("test.write", "x:1", at=timezone.now(), after={"n": 1})
    sign_heads(process="cli", at=timezone.now())
    lake = Lake(data / "lake")
    lake.append(observations(50), "app@1", 50)
    lake.roll_up()
    return data


@pytest.fixture
def recovery(place: Path, tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "recovery.key"
    keys.new_recovery_key(file, place)
    yield file
    (place / keys.PUBLIC).unlink()


@pytest.fixture
def made(place: Path, recovery: Path, tmp_path: Path) -> Made:
    return make_backup(place, tmp_path / "to", tmp_path / "apart", say=silent)


def opened(made: Made, recovery: Path) -> keys.Keys:
    return open_keys(made.archive, made.key_file, keys.read_recovery_key(recovery))


@pytest.mark.mission("E5")
def test_what_is_restored_equals_what_was_copied(place: Path, made: Made, recovery: Path, tmp_path: Path) -> None:
    body = made.archive.read_bytes()
    assert PRIVATE.encode() not in body, "nobody reads it without its key"
    assert made.archive.stat().st_mode & 0o777 == made.key_file.stat().st_mode & 0o777 == 0o600
    found = opened(made, recovery)
    assert verify(made.archive, found)["database"] == made.manifest["database"]
    new = tmp_path / "new"
    restore(made.archive, found, new, say=silent)
    for table in ("observations", "hourly", "daily"):
        assert lake_content(new / "lake" / table) == lake_content(place / "lake" / table)
    assert lake_content(new / "lake" / "observations")[0] == 50
    assert (new / "maps" / "note.txt").read_text() == "a file of the place"
    assert (new / "secret.key").read_text() == "the-signing-key-of-this-place"
    assert json.loads((new / restoring.RESTORED).read_text())["id"] == made.id
    assert {path.name for path in (place / "audit-heads").iterdir()} - {".lock"} == {
        path.name for path in (new / "audit-heads").iterdir()
    }
    for apart in ("secrets/audit-heads.key", "lake/upkeep.lock", "secrets/nats.json", "demo.json"):
        assert not (new / apart).exists(), apart
    server = restoring.EmbeddedPostgres(new)
    server.start()
    try:
        with psycopg.connect(admin_url(new)) as connection:
            assert describe(connection) == made.manifest["database"]
            row = connection.execute("SELECT name FROM registry_entity WHERE id = 'e7'").fetchone()
            assert row == (PRIVATE,)
            owner = connection.execute(
                "SELECT tableowner FROM pg_tables WHERE tablename = 'registry_entity'"
            ).fetchone()
            assert owner == ("zhiwan_owner",), "rights and policies came too"
    finally:
        server.stop()


def flip(at: float) -> Callable[[bytes], bytes]:
    def change(body: bytes) -> bytes:
        place = int(len(body) * at)
        return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]

    return change


@pytest.mark.parametrize(
    "change",
    [
        flip(0.0), flip(0.0005), flip(0.2), flip(0.6), flip(0.99999),
        lambda body: body[:-1], lambda body: body[: len(body) // 2], lambda body: body[:10], lambda body: body + b"x",
        lambda _body: b"", lambda _body: b"no backup at all",
    ],
    ids=["magic", "head", "early", "late", "last byte", "cut by one", "cut in half", "cut to ten", "longer", "empty",
         "another file"],
)  # fmt: skip
def test_a_damaged_backup_is_refused_and_leaves_nothing(
    made: Made, recovery: Path, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    found = opened(made, recovery)
    made.archive.write_bytes(change(made.archive.read_bytes()))
    for attempt in (lambda: verify(made.archive, found), lambda: restore(made.archive, found, tmp_path / "new")):
        with pytest.raises(BackupDamaged):
            attempt()
    assert not [path for path in tmp_path.iterdir() if "new" in path.name]


def test_the_keys_of_another_backup_or_place_open_nothing(
    place: Path, made: Made, recovery: Path, tmp_path: Path
) -> None:
    other = make_backup(place, tmp_path / "to", tmp_path / "apart", say=silent)
    secret = keys.read_recovery_key(recovery)
    with pytest.raises(keys.KeyRefused):
        open_keys(made.archive, other.key_file, secret)
    with pytest.raises(BackupDamaged):
        verify(made.archive, opened(other, recovery))
    with pytest.raises(keys.KeyRefused):
        open_keys(made.archive, made.key_file, keys.PrivateKey.generate())
    with pytest.raises(keys.KeyRefused):
        keys.new_recovery_key(recovery, place)
    assert keys.destroy(made.key_file) == made.id
    assert not made.key_file.exists()
    assert read_head(made.archive).id == made.id, "the archive is still there, and nobody reads it"


def test_a_restore_writes_over_nothing(made: Made, recovery: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine").write_text("x")
    with pytest.raises(PlaceNotEmpty):
        restore(made.archive, opened(made, recovery), taken, say=silent)
    assert [path.name for path in taken.iterdir()] == ["mine"]


def test_a_backup_that_is_interrupted_or_second_leaves_nothing(place: Path, recovery: Path, tmp_path: Path) -> None:
    def stop(text: str) -> None:
        if text.startswith("lake"):
            raise KeyboardInterrupt

    to, apart = tmp_path / "to", tmp_path / "apart"
    with pytest.raises(KeyboardInterrupt):
        make_backup(place, to, apart, say=stop)
    with _alone(place), pytest.raises(BackupUnderWay):
        make_backup(place, to, apart, say=silent)
    assert list(to.iterdir()) == list(apart.iterdir()) == []
    assert not list(place.glob("backup-*"))


def test_without_a_recovery_key_it_says_what_to_do(place: Path, tmp_path: Path) -> None:
    with pytest.raises(keys.NoRecoveryKey) as refused:
        make_backup(place, tmp_path / "to", tmp_path / "apart", say=silent)
    assert isinstance(refused.value, CityError)
    assert "zhiwan backup key" in str(refused.value)


@pytest.mark.mission("E5")
def test_the_drill_holds_and_finds_an_audit_that_was_changed(place: Path, tmp_path: Path) -> None:
    public = public_key()
    held = run_drill(place, say=silent, check_audit=lambda new, url: check_audit(new, url, public))
    assert (held.held, held.differences, held.audit) == (True, [], "whole")
    assert held.restore_seconds > 0
    assert held.lake_rows["lake/observations"] == [50, 50]
    told = last_drill(place)
    assert told is not None
    assert told["rows"] == held.rows
    assert "通过 / held" in next((place / "reports").glob("drill-*.md")).read_text()

    def spoiled(new: Path, url: str) -> str:
        with psycopg.connect(admin_url(new), autocommit=True) as connection:
            names = [name for (name,) in connection.execute(
                "SELECT relname FROM pg_class WHERE relname ~ '^people_auditrecord(_rest|_[0-9]{4}_[0-9]{2})?$'"
            ).fetchall()]  # fmt: skip
            for name in names:
                connection.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
            connection.execute("UPDATE people_auditrecord SET after = '{\"n\": 2}' WHERE subject = 'x:1'")
        return check_audit(new, url, public)

    spoilt = run_drill(place, say=silent, check_audit=spoiled)
    assert not spoilt.held
    assert spoilt.differences[0].startswith("audit: ")


def newest_reading(place: Path, at: datetime) -> None:
    with psycopg.connect(admin_url(place)) as connection:
        connection.execute("DELETE FROM watch_latestvalue WHERE entity_id = 'e1'")
        connection.execute(
            "INSERT INTO watch_latestvalue"
            " (entity_id, property, observed_at, value, quality, source, recorded_at, town, space)"
            " VALUES ('e1', 'level', now(), 1, 0, 'x', %s, '990101001', 'live')",
            [at],
        )


def test_what_came_during_the_copy_is_what_a_loss_would_take(place: Path) -> None:
    at = timezone.now()
    newest_reading(place, at - timedelta(minutes=1))
    with psycopg.connect(admin_url(place)) as connection:
        connection.execute(
            "INSERT INTO watch_streamcursor (stream, sink, created, seq, space) VALUES ('s', 'd', 'c', 40, 'live')"
        )

    def say(text: str) -> None:
        if text.startswith("lake"):  # the snapshot was taken
            newest_reading(place, at - timedelta(seconds=53))

    drill = run_drill(place, say=say, stream_ends=lambda streams: dict.fromkeys(streams, 47))
    assert (drill.held, drill.uncommitted) == (True, 7)
    assert drill.rpo_seconds == pytest.approx(7.0)
    assert "RPO 7.0 s" in drills.report_text(drill)


def test_a_checkpoint_that_is_written_during_the_copy_spoils_nothing(
    place: Path, recovery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log was listed, then a writer commits and makes a checkpoint, and its hint names what was not listed."""
    listed = making._of_table

    def then_checkpointed(table: Path) -> tuple[list[Path], int]:
        found = listed(table)
        if table.name == "observations":
            Lake(place / "lake").append(observations(3, since=50), "app@1", 53)
            DeltaTable(str(table)).create_checkpoint()
            assert (table / "_delta_log" / "_last_checkpoint").exists()
        return found

    monkeypatch.setattr(making, "_of_table", then_checkpointed)
    made = make_backup(place, tmp_path / "to", tmp_path / "apart", say=silent)
    restore(made.archive, opened(made, recovery), tmp_path / "new", say=silent)
    assert lake_content(tmp_path / "new" / "lake" / "observations")[0] == 50


def empty_hourly(place: Path) -> None:
    DeltaTable(str(place / "lake" / "hourly")).delete()


def change_observation(place: Path) -> None:
    DeltaTable(str(place / "lake" / "observations")).update(updates={"value": "value + 1"}, predicate="entity = 'e7'")


def lose_file(place: Path) -> None:
    next((place / "lake" / "observations").rglob("*.parquet")).unlink()


def change_entities(place: Path) -> None:
    server = restoring.EmbeddedPostgres(place)
    server.start()
    try:
        with psycopg.connect(admin_url(place)) as connection:
            connection.execute("UPDATE registry_entity SET name = name || 'x' WHERE id = 'e3'")
    finally:
        server.stop()


@pytest.mark.parametrize("spoil", [empty_hourly, change_observation, lose_file, change_entities])
def test_the_drill_finds_what_is_not_as_it_was(
    place: Path, spoil: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def restored(archive: Path, found: keys.Keys, new: Path, **more: Any) -> dict[str, Any]:
        manifest = restore(archive, found, new, **more)
        spoil(new)
        return manifest

    monkeypatch.setattr(drills, "restore", restored)
    drill = run_drill(place, say=silent)
    assert not drill.held
    assert len(drill.differences) == 1, drill.differences


def test_a_lake_that_does_not_open_is_not_restored(
    place: Path, recovery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = making._of_table

    def without_a_file(table: Path) -> tuple[list[Path], int]:
        files, version = listed(table)
        return [path for path in files if path.suffix != ".parquet" or table.name != "observations"], version

    monkeypatch.setattr(making, "_of_table", without_a_file)
    made = make_backup(place, tmp_path / "to", tmp_path / "apart", say=silent)
    with pytest.raises(restoring.NotAsItWas, match="1 of its files are missing"):
        restore(made.archive, opened(made, recovery), tmp_path / "new", say=silent)
    assert not (tmp_path / "new").exists()


def test_a_restored_audit_is_whole_and_goes_on(made: Made, recovery: Path, tmp_path: Path) -> None:
    """Without anything put back by hand; lines that were signed after the snapshot are not in it."""
    sign_heads(process="cli", at=timezone.now())
    new = tmp_path / "new"
    restore(made.archive, opened(made, recovery), new, say=silent)
    server = restoring.EmbeddedPostgres(new)
    urls = server.start()
    try:
        assert check_audit(new, urls.login, public_key()) == ""
        heads = next((new / "audit-heads").glob("heads-*.ndjson"))
        lines = heads.read_bytes().splitlines(keepends=True)
        heads.write_bytes(b"".join(lines[:-1]))
        assert "ends with line" in check_audit(new, urls.login, public_key())
    finally:
        server.stop()


def test_a_story_that_is_dropped_during_the_copy_is_left_out(
    place: Path, recovery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(place / "lakes" / "typhoon")
    lake.append(observations(5), "app@1", 5)
    listed = making._of_table

    def then_dropped(table: Path) -> tuple[list[Path], int]:
        found = listed(table)
        if "typhoon" in table.parts:
            shutil.rmtree(place / "lakes" / "typhoon")
        return found

    monkeypatch.setattr(making, "_of_table", then_dropped)
    made = make_backup(place, tmp_path / "to", tmp_path / "apart", say=silent)
    assert made.manifest["dropped"] == ["lakes/typhoon"]
    restore(made.archive, opened(made, recovery), tmp_path / "new", say=silent)
    assert not (tmp_path / "new" / "lakes" / "typhoon").exists()


def test_no_room_is_said_and_leaves_nothing(
    place: Path, recovery: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("zhiwan.run.backups.archive.Sealed._push", full)
    to, apart = tmp_path / "to", tmp_path / "apart"
    with pytest.raises(making.NotWritten, match="No space left"):
        make_backup(place, to, apart, say=silent)
    assert list(to.iterdir()) == list(apart.iterdir()) == []


def test_a_restore_that_was_cut_off_is_not_written_over(made: Made, recovery: Path, tmp_path: Path) -> None:
    (tmp_path / ".new.restoring").mkdir()
    with pytest.raises(restoring.RestoreUnderWay, match="remove that folder"):
        restore(made.archive, opened(made, recovery), tmp_path / "new", say=silent)


@pytest.mark.parametrize("words", [("destroy", "KEY", "--reason", "x"), ("key", "FILE")])
def test_what_cannot_be_put_into_the_audit_is_not_done(
    place: Path, made: Made, tmp_path: Path, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise audit_away

    audit_away = psycopg.OperationalError("the database is away")
    monkeypatch.setattr(commands, "make_django_ready", lambda data: None)
    monkeypatch.setattr(audit, "record", away)
    named = {"KEY": str(made.key_file), "FILE": str(tmp_path / "second.key")}
    before = (place / keys.PUBLIC).read_text()
    done = CliRunner().invoke(commands.backup_app, [*(named.get(one, one) for one in words), "--data", str(place)])
    assert done.exception is audit_away
    assert made.key_file.exists()
    assert not (tmp_path / "second.key").exists()
    assert (place / keys.PUBLIC).read_text() == before
