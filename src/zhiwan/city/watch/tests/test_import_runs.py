"""A file of history: kept, read by a job, told while it runs; what is refused can be fetched, and a bomb is no file."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from procrastinate.contrib.django import app

from trial_pack import words
from zhiwan.city import packs_loaded
from zhiwan.city.jobs.connector import worker_connector
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import AuditRecord
from zhiwan.city.watch import import_runs
from zhiwan.city.watch.import_runs import FileRefused, ImportRun, import_run, refused_rows, start_import
from zhiwan.city.watch.importing import NoSuchSource
from zhiwan.city.watch.tests import surge
from zhiwan.kernel.packs.models import Pack
from zhiwan.kernel.packs.packset import PackSet

pytestmark = pytest.mark.django_db(transaction=True)
SOURCE = {
    "id": "old_book", "title": words("book"), "format": "csv", "type": "Gauge", "entity_column": "station",
    "time": {"columns": ["at"], "format": "%Y-%m-%d %H:%M", "zone": "Asia/Shanghai"}, "missing": [""],
    "values": {"level": {"column": "level", "unit": "m"}}, "attribution": words("book"),
}  # fmt: skip
ROWS = "station,at,level\ngauge-e,2024-01-01 08:00,1.5\ngauge-e,2024-01-01 09:00,wet\nnobody,2024-01-01 08:00,1\n"


@pytest.fixture(autouse=True)
def _city(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Any:
    settings.ZHIWAN_DATA = tmp_path
    surge.use_packs(monkeypatch)
    pack = Pack.model_validate(surge.PACK.model_dump(by_alias=True) | {"sources": [SOURCE]})
    monkeypatch.setattr(packs_loaded, "load_packs", lambda roots: PackSet.of([pack]))
    packs_loaded.forget()
    surge.found_city()
    yield
    packs_loaded.forget()


def start(content: bytes, name: str = "old.csv", **more: Any) -> str:
    with acting(surge.post("chief")):
        return start_import(
            source_id="governance.surge.old_book", content=[content], name=name, create_entities=False, **more
        )


def work(run: str) -> ImportRun:
    with app.replace_connector(worker_connector()) as worker:
        worker.run_worker(wait=False, listen_notify=False, install_signal_handlers=False, delete_jobs="never")
    found = import_run(run)
    assert found is not None
    return found


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_becomes_history_with_its_refusals(packed: bool) -> None:
    run = start(gzip.compress(ROWS.encode()) if packed else ROWS.encode())
    assert import_run(run).state == "waiting"  # type: ignore[union-attr]
    done = work(run)
    assert (done.state, done.rows, done.values, done.unknown) == ("done", 3, 1, ["nobody"])
    assert done.refused == {"NOT_A_NUMBER": 1, "UNKNOWN_DEVICE": 1}
    header, first, *_ = refused_rows(run)
    assert header[0] == "line"
    assert first[:3] == ["3", "level", "wet"]
    assert not list((Path(import_runs._folder())).glob("*.csv.gz"))
    with acting_system("web"):
        assert AuditRecord.objects.filter(action="history.import").count() == 1


def test_the_same_file_again_changes_nothing() -> None:
    good = ROWS.splitlines()[0] + "\n" + ROWS.splitlines()[1] + "\n"
    assert work(start(good.encode())).values == 1
    assert work(start(good.encode())).before


def test_a_file_of_another_shape_is_refused_with_its_sentence() -> None:
    done = work(start(b"a,b\n1,2\n"))
    assert (done.state, done.problem["code"]) == ("refused", "SENSE-002")


def test_a_packed_file_that_holds_an_endless_line_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    done = work(start(gzip.compress(b"x" * 3_000_000)))
    assert (done.state, done.problem["code"]) == ("refused", "IMPORT-002")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04zip", b"BZh9"])
def test_what_is_no_csv_is_refused_at_the_door(content: bytes) -> None:
    with pytest.raises(FileRefused):
        start(content)


def test_a_file_too_large_is_refused_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_runs, "MOST_BYTES", 10)
    with pytest.raises(FileRefused):
        start(ROWS.encode())
    assert not list(import_runs._folder().iterdir())


def test_only_the_chief_imports_and_only_from_declared_sources() -> None:
    with pytest.raises(ActionForbidden), acting(surge.post("desk")):
        start_import(source_id="old_book", content=[b"x"], name="x", create_entities=False)
    with pytest.raises(NoSuchSource), acting(surge.post("chief")):
        start_import(source_id="nothing", content=[b"x"], name="x", create_entities=False)


@pytest.mark.parametrize("id", ["../secrets", "nothing", "20260101000000-00000000"])
def test_a_run_that_is_not_there(id: str) -> None:
    assert import_run(id) is None
    assert list(refused_rows(id)) == []
