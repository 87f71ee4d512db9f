"""What people are told while something is wrong: the page of the parts, and pages when the database is away."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from zhiwan.city import supervised
from zhiwan.city.api.health import parts_now
from zhiwan.city.portal.views import platform
from zhiwan.city.supervised import ENDED, ILL, RUNNING, Supervised
from zhiwan.city.watch.heartbeat import beat

Enter = Callable[..., Client]


@contextmanager
def no_database() -> Iterator[None]:
    """Nobody listens where the database was: as when PostgreSQL has ended."""
    was = connection.settings_dict["HOST"]
    connection.close()
    connection.settings_dict["HOST"] = "/nowhere"
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["HOST"] = was


@pytest.mark.parametrize(
    ("language", "words"),
    [("", ["数据库没有应答", "要等数据库恢复"]), ("en", ["The database does not answer", "only"])],
)
def test_without_a_database_every_page_says_so_and_how_the_parts_are(
    enter: Enter, language: str, words: list[str]
) -> None:
    desk = enter("desk", language) if language else enter("desk")
    desk.raise_request_exception = False
    for url in ("/", "/alarms", "/health"):
        with no_database():
            answer = desk.get(url)
        text = answer.content.decode()
        assert answer.status_code == 503, url
        assert answer["Retry-After"]
        assert all(word in text for word in words), text
        assert 'http-equiv="refresh"' in text


def test_an_action_that_met_no_database_says_that_it_was_not_saved(enter: Enter) -> None:
    desk = enter("desk")
    desk.raise_request_exception = False
    with no_database():
        text = desk.post("/alarms/a1/acknowledge").content.decode()
    assert "没有保存" in text
    assert 'http-equiv="refresh"' not in text


def test_the_api_says_the_same_with_a_code_and_when_to_try_again(city: Any) -> None:
    with no_database():
        answer = Client().get("/api/v1/alarms", headers={"Authorization": "Bearer zw_any"})
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert answer.json()["code"] == "API-503"


def test_another_fault_is_told_as_ours(enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "parts_now", lambda now: 1 / 0)
    desk = enter("desk")
    desk.raise_request_exception = False
    answer = desk.get("/health")
    assert answer.status_code == 500
    assert "这一页出错了" in answer.content.decode()


def test_the_page_of_the_parts_asks_again_by_itself_and_gives_the_table_alone(enter: Enter) -> None:
    desk = enter("desk")
    whole = desk.get("/health").content.decode()
    part = desk.get("/health", headers={"HX-Request": "true"}).content.decode()
    assert 'hx-trigger="every 5s"' in whole
    assert part.strip().startswith("<section")
    assert "<html" not in part


class TestParts:
    @pytest.fixture(autouse=True)
    def _city(self, city: Any, settings: Any) -> None:
        self.data = Path(settings.ZHIWAN_DATA)
        self.now = timezone.now()

    def tell(self, **parts: Supervised) -> None:
        supervised.write(self.data, parts)

    def part(self, name: str) -> dict[str, Any]:
        return parts_now(self.now)[name]

    def test_a_crash_is_told_before_signs_of_life_run_out(self) -> None:
        beat(process="worker", at=self.now, body={"state": "active"})
        assert self.part("worker")["state"] == "ok"
        self.tell(worker=Supervised(ENDED, time.monotonic(), "killed by SIGKILL", 1))
        found = self.part("worker")
        assert (found["state"], found["code"]) == ("down", "ENDED")
        assert "SIGKILL" in found["says"]
        assert "SIGKILL" in found["says_zh"]

    def test_a_part_started_again_is_well_when_it_has_told_itself(self) -> None:
        beat(process="worker", at=self.now - timedelta(seconds=5), body={"state": "active"})
        self.tell(worker=Supervised(RUNNING, time.monotonic() - 2, "killed by SIGKILL", 1))
        assert self.part("worker")["code"] == "STARTING"
        beat(process="worker", at=self.now, body={"state": "active"})
        assert self.part("worker")["state"] == "ok"

    def test_a_server_that_is_ill_is_told_under_the_name_of_its_part(self) -> None:
        self.tell(NATS=Supervised(ILL, time.monotonic(), "it stopped storing"), PostgreSQL=Supervised(RUNNING, 0.0))
        assert self.part("bus")["code"] == "NOT_STORING"
        assert self.part("database")["state"] == "ok"

    def test_what_a_supervisor_that_is_gone_said_counts_no_more(self) -> None:
        self.tell(worker=Supervised(ENDED, time.monotonic(), "killed by SIGKILL"))
        file = self.data / supervised.NAME
        gone = file.read_text().replace(f'"pid": {os.getpid()}', '"pid": 4194999')
        file.write_text(gone)
        assert supervised.read(self.data) == {}

    def test_a_sign_of_life_from_ahead_says_nothing(self) -> None:
        """A clock was set back: the process may be dead since, and its last sign looks fresh for as long."""
        beat(process="worker", at=self.now + timedelta(minutes=30), body={"state": "active"})
        found = self.part("worker")
        assert (found["state"], found["code"]) == ("unknown", "FROM_AHEAD")
        assert "1800" in found["says"]

    def test_a_lake_that_takes_nothing_makes_the_worker_ill(self) -> None:
        body = {"state": "active", "lake_problem": "disk full", "lake_waiting_rows": 1200}
        beat(process="worker", at=self.now, body=body)
        found = self.part("worker")
        assert (found["state"], found["code"]) == ("degraded", "LAKE_DISK_FULL")
        assert "1200" in found["says_zh"]

    def test_a_full_stream_is_told_with_its_name(self, city: Any) -> None:
        for stream in city._streams.values():
            stream.spec = dataclasses.replace(stream.spec, max_bytes=100)
        city.publish("intake.api", bytes(100))
        found = self.part("bus")
        assert (found["state"], found["code"]) == ("degraded", "STREAM_FULL")
        assert "INTAKE" in found["says_zh"]

    @pytest.mark.parametrize(("left", "state"), [(1 << 20, "degraded"), (600 << 20, "low"), (5 << 30, "ok")])
    def test_a_disk_says_how_much_is_left(self, monkeypatch: pytest.MonkeyPatch, left: int, state: str) -> None:
        def room(path: Path) -> Any:
            if path.name != "lake":
                raise FileNotFoundError
            return type("Room", (), {"f_bavail": left, "f_frsize": 1, "f_blocks": 100 << 30})()

        monkeypatch.setattr(os, "statvfs", room)
        found = self.part("disk")
        assert (found["state"], found["free_mb"]) == (state, {"lake": left >> 20})
