"""The queue works with the rights of its own connection: what an alarm's transaction asked for is done."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from procrastinate import App
from procrastinate.contrib.django import app

from zhiwan.city import packs_loaded
from zhiwan.city.jobs.connector import worker_connector
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.watch import pipeline
from zhiwan.city.watch.follow_up import follow_warnings
from zhiwan.city.watch.tests import surge
from zhiwan.run.jobs import retry_stalled

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _city(monkeypatch: pytest.MonkeyPatch) -> Any:
    surge.use_packs(monkeypatch)
    surge.found_city()
    yield
    packs_loaded.forget()


def work() -> None:
    """Do every waiting job as the `jobs` process does."""
    with app.replace_connector(worker_connector()) as worker:
        worker.run_worker(wait=False, listen_notify=False, install_signal_handlers=False, delete_jobs="never")


def numbers() -> dict[str, int]:
    with acting_system("web"), connection.cursor() as cursor:
        # What the clock asks for (signing heads of the audit) comes when it is due, whatever a test does.
        by_request = "SELECT status::text, count(*) FROM procrastinate_jobs WHERE task_name NOT LIKE %s GROUP BY 1"
        cursor.execute(by_request, ["zhiwan.audit.%"])
        found = dict(cursor.fetchall())
        cursor.execute("SELECT (SELECT count(*) FROM cases_case), (SELECT count(*) FROM watch_warning)")
        found["cases"], found["warnings"] = cursor.fetchone()
    return found


def test_an_alarm_leads_to_its_case_and_its_proposal() -> None:
    pipeline.commit_batch(stream=None, events=[surge.event("opened")], now=surge.AT)
    work()
    assert numbers() == {"succeeded": 2, "cases": 1, "warnings": 1}


def test_a_town_may_ask_for_a_job_but_not_look_into_the_queue() -> None:
    with acting(surge.post("east")):
        follow_warnings()
    work()
    assert numbers()["succeeded"] == 1
    with pytest.raises(Exception, match="permission denied"), acting(surge.post("east")), connection.cursor() as cursor:
        cursor.execute("DELETE FROM procrastinate_jobs")


def ask_and_fail() -> None:
    follow_warnings()
    raise ZeroDivisionError


def test_a_job_of_a_transaction_that_failed_does_not_exist() -> None:
    with pytest.raises(ZeroDivisionError), acting_system("web"):
        ask_and_fail()
    work()
    assert numbers() == {"cases": 0, "warnings": 0}


async def opened(worker: App) -> int:
    async with worker.open_async():
        return await retry_stalled(worker)


def test_a_job_whose_process_was_killed_is_done_by_another() -> None:
    pipeline.commit_batch(stream=None, events=[surge.event("opened")], now=surge.AT)
    with acting_system("cli"), connection.cursor() as cursor:
        cursor.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE lock IS NOT NULL")
        cursor.execute("UPDATE procrastinate_jobs SET worker_id = NULL WHERE lock IS NOT NULL")
    work()
    assert numbers()["warnings"] == 0, "it is still said to be done by the killed one"
    with app.replace_connector(worker_connector()) as worker:
        assert async_to_sync(opened)(worker) == 1
    work()
    assert numbers()["warnings"] == 1
