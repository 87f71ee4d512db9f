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
from django.utils import timezone

from servers import SERVERS
from zhiwan.city.people import audit
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.auditing.signing import public_key, sign_heads
from zhiwan.city.registry.models import Entity
from zhiwan.kernel.facts.errors import CityError
from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.lake import Lake
from zhiwan.run.backups import keys, restoring
from zhiwan.run.backups.archive import BackupDamaged, read_head
from zhiwan.run.backups.commands import check_audit
from zhiwan.run.backups.drill import lake_rows, last_drill, run_drill
from zhiwan.run.backups.making import BackupUnderWay, Made, _alone, admin_url, describe, make_backup
from zhiwan.run.backups.restoring import PlaceNotEmpty, open_keys, restore, verify

PRIVATE = "秘密字段的内容-in-the-database"


def silent(_text: str) -> None:
    """Progress is for people."""


@pytest.fixture
def place(migrated: Any, transactional_db: None, settings: Any) -> Path:
    """The data folder of this test process with rows, a lake, a file and an audit."""
    data = SERVERS.data
    settings.ZHIWAN_DATA = data
    (data / "secret.key").write_text("the-signing-key-of-this-place")
    (data / "maps").mkdir(exist_ok=True)
    (data / "maps" / "note.txt").write_text("a file of the place")
    # Every test begins with an empty audit; heads that were signed of a former one would rightly miss its records.
    shutil.rmtree(data / "audit-heads", ignore_errors=True)
    with acting_system("cli"):
        for number in range(30):
            Entity.objects.create(
                id=f"e{number}", type="Gauge", name=PRIVATE, name_en="x", town="990101001", area="990101001", fields={}
            )
        audit.record("test.write", "x:1", at=timezone.now(), after={"n": 1})
    sign_heads(process="cli", at=timezone.now())
    at = datetime(2026, 7, 1, tzinfo=UTC)
    rows = pl.DataFrame(
        [
            {"entity": f"e{n}", "property": "level", "observed_at": at, "value": float(n), "source": "t",
             "recorded_at": at, "quality": 0, "seq": n + 1}
            for n in range(50)
        ],
        schema=OBSERVATION_SCHEMA,
    )  # fmt: skip
    lake = Lake(data / "lake")
    lake.append(rows, "app@1", 50)
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
    assert lake_rows(new) == lake_rows(place)
    assert lake_rows(new)["lake/observations"] == 50
    assert (new / "maps" / "note.txt").read_text() == "a file of the place"
    assert (new / "secret.key").read_text() == "the-signing-key-of-this-place"
    assert json.loads((new / restoring.RESTORED).read_text())["id"] == made.id
    for apart in ("audit-heads", "secrets/audit-heads.key", "secrets/nats.json", "demo.json"):
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
    heads, public = place / "audit-heads", public_key()
    held = run_drill(place, say=silent, check_audit=lambda new, url: check_audit(new, url, heads, public))
    assert (held.held, held.differences, held.audit) == (True, [], "whole")
    assert held.rto_seconds > 0
    assert held.lake_rows["lake/observations"] == [50, 50, 50]
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
        return check_audit(new, url, heads, public)

    spoilt = run_drill(place, say=silent, check_audit=spoiled)
    assert not spoilt.held
    assert spoilt.differences[0].startswith("audit: ")


def test_the_newest_reading_says_how_much_would_be_lost(place: Path) -> None:
    with psycopg.connect(admin_url(place)) as connection:
        connection.execute(
            "INSERT INTO watch_latestvalue"
            " (entity_id, property, observed_at, value, quality, source, recorded_at, town, space)"
            " SELECT 'e1', 'level', now(), 1, 0, 'x', %s, '990101001', 'live'",
            [timezone.now() - timedelta(minutes=1)],
        )
    drill = run_drill(place, say=silent)
    assert (drill.held, drill.rpo_seconds) == (True, 0.0)
