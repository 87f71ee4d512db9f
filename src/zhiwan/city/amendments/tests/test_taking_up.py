"""Signed changes reach every process: the worker's brain, the job beside it, a page that is asked for."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse

from zhiwan.city import packs_loaded
from zhiwan.city.amendments import actions
from zhiwan.city.amendments.middleware import TakeUpChanges
from zhiwan.city.amendments.models import Amendment, Preview
from zhiwan.city.amendments.tests.conftest import FAST, LIMIT, RULE, As
from zhiwan.city.amendments.tests.test_amending import approve, propose, propose_limit
from zhiwan.city.jobs.tests.test_worker import work
from zhiwan.city.people.acting import acting_system
from zhiwan.city.watch.models import TakenUp
from zhiwan.city.watch.taken_up import note_taken_up
from zhiwan.city.watch.tests.surge import AT
from zhiwan.run.worker.brain import make_brain
from zhiwan.run.worker.store import brain_version, read_registry


def test_the_worker_makes_its_brain_anew_when_a_change_was_signed(as_: As) -> None:
    before = brain_version()
    assert before[1] == 0
    assert brain_version()[1] == 0, "nothing was signed"
    made = propose_limit(as_)
    approve(as_, made)
    stale = packs_loaded.in_force()
    packs_loaded._taken = packs_loaded.in_force_at(0)  # as the worker's process, which signed nothing itself
    assert packs_loaded._taken is not stale
    assert brain_version()[1] == 1
    brain = make_brain(packs_loaded.packs(), packs_loaded.book(), read_registry(), "CN", lambda frame: frame)
    assert brain.book.rule(FAST).version == "1.0.0+local.1"
    assert brain.world.intervals(LIMIT)[-1].in_force.value == 15


def test_it_notes_once_since_when_it_judges_by_them(as_: As) -> None:
    for serial in (0, 1, 1, 2):
        note_taken_up(serial=serial, at=AT)
    with acting_system("web"):
        assert list(TakenUp.objects.order_by("id").values_list("serial", flat=True)) == [1, 2]


def test_a_page_goes_by_what_another_process_signed(as_: As, monkeypatch: pytest.MonkeyPatch) -> None:
    approve(as_, propose(as_))
    seen: list[str] = []

    def page(request: HttpRequest) -> HttpResponse:
        seen.append(packs_loaded.book().rule(RULE).version)
        return HttpResponse()

    for path in ("/static/x", "/rules"):
        packs_loaded._taken = packs_loaded.in_force_at(0)
        monkeypatch.setattr(packs_loaded, "_asked", 0.0)
        request = HttpRequest()
        request.path = path
        TakeUpChanges(page)(request)
    assert seen == ["1.0.0", "1.0.0+local.1"]


def test_the_job_computes_the_preview_that_was_asked_for(as_: As) -> None:
    with as_("lin"):
        actions.propose_rule(rule_id=RULE, given={"when": "value > 9"}, note="x", days=7)
    work()
    with acting_system("web"):
        assert Preview.objects.get(amendment=Amendment.objects.get()).state == "done"
