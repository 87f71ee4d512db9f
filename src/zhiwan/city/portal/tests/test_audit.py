"""The audit's pages: who may open them, filters, pages by key, a record with its place, exports that are recorded."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from zhiwan.city.people import audit
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.auditing import runs, searching
from zhiwan.city.people.auditing.searching import Edge, Filters, search
from zhiwan.city.people.auditing.signing import sign_heads
from zhiwan.city.people.models import AuditRecord, AuditRun
from zhiwan.city.portal import audit_words, changes
from zhiwan.city.portal.views import audit as page
from zhiwan.city.watch.tests import surge
from zhiwan.kernel.guard.findings import BLIND, FOUND

Enter = Callable[..., Client]
PAGES = ["audit", "audit_chains"]


@pytest.fixture
def admin(enter: Enter) -> Client:
    """The audit administrator, after some work was done."""
    with acting_system("cli"):
        surge.post("desk")
        made = surge.post("chief")
        made.pk, made.role = "auditor", "audit_admin"
        made.save(force_insert=True)
    with acting(surge.post("desk"), address="10.0.0.7"):
        for number in range(5):
            audit.record("cases.take", f"case:{number}", at=timezone.now(), before={"state": "open"},
                         after={"state": "taken", "note": "到场"})  # fmt: skip
    with acting(surge.post("chief"), space="drill"):
        audit.record("cases.close", "case:1", at=timezone.now(), after={"outcome": "true"}, purpose="演练")
    return enter("auditor", second_factor=True)


def rows(answer: Any) -> list[AuditRecord]:
    return [row["one"] for row in answer.context["rows"]]


def test_only_who_searches_the_audit_gets_in(admin: Client, enter: Enter) -> None:
    urls = [*(reverse(f"portal:{name}") for name in PAGES), reverse("portal:audit_record", args=["system:cli", 1])]
    desk, east, chief = enter("desk"), enter("east"), enter("chief")
    for url in urls:
        assert [one.get(url).status_code for one in (admin, chief, desk, east)] == [200, 403, 403, 403], url
    for name in ("audit_export", "audit_check", "audit_retire"):
        assert desk.post(reverse(f"portal:{name}"), {"purpose": "x"}).status_code == 403, name
    assert chief.post(reverse("portal:audit_retire"), {"month": "2026-01"}).status_code == 403
    menu = '<a href="/audit" title'
    assert menu in admin.get("/me").content.decode()
    assert menu not in desk.get("/health").content.decode()


FILTERS: list[tuple[str, Callable[[AuditRecord], bool]]] = [
    ("action=cases.take", lambda one: one.action == "cases.take"),
    ("subject=case:1", lambda one: one.subject == "case:1"),
    ("subject=case:", lambda one: one.subject.startswith("case:")),
    ("subject=ca*", lambda one: one.subject.startswith("ca")),
    ("post=desk", lambda one: one.post == "desk"),
    ("space=drill", lambda one: one.space == "drill"),
    ("who=system:cli", lambda one: one.account == "system:cli"),
    ("who=u-aud", lambda one: one.account == "u-auditor"),
    ("since=2001-01-01T00:00&until=2002-01-01T00:00", lambda one: False),
    ("since=2001-01-01T00:00", lambda one: True),
    ("action=cases.take&subject=case:1&post=desk", lambda one: (one.action, one.subject) == ("cases.take", "case:1")),
]


def test_each_filter_finds_what_it_says(admin: Client) -> None:
    with acting_system("cli"):
        everything = list(AuditRecord.objects.order_by("-recorded_at", "-chain", "-seq"))
    for query, wanted in FILTERS:
        assert rows(admin.get(f"/audit?{query}")) == [one for one in everything if wanted(one)], query


def test_nonsense_in_the_address_is_told_or_ignored_and_never_an_error(admin: Client) -> None:
    for query in (
        "since=yesterday",
        "since=0001-01-01T00:00&until=9999-12-31T23:59",
        "before=x",
        "before=1~2~3",
        "after=%00",
        "who=%00",
        "subject=%25_",
        "space=%F0",
    ):
        assert admin.get(f"/audit?{query}").status_code == 200, query
    assert "PORTAL-003" in admin.get("/audit?since=yesterday").content.decode()
    assert admin.get("/audit/org:nothing/1").status_code == 404
    assert admin.get("/audit/chains/runs/999").status_code == 404


def test_pages_go_by_key_in_both_directions_and_miss_nothing(admin: Client) -> None:
    """Several records of one transaction share a time: chain and number settle their order."""
    with acting(surge.post("desk")):
        for number in range(30):
            audit.record("x.y", f"many:{number}", at=timezone.now())
    with acting_system("cli"):
        everything = [(one.chain, one.seq) for one in search(Filters(), size=500).rows]
        seen: list[tuple[str, int]] = []
        found = search(Filters(), size=7)
        assert found.newer is None
        while True:
            seen += [(one.chain, one.seq) for one in found.rows]
            if found.older is None:
                break
            found = search(Filters(), before=Edge.read(str(found.older)), size=7)
        assert seen == everything
        back = [(one.chain, one.seq) for one in found.rows]
        while found.newer is not None:
            found = search(Filters(), after=found.newer, size=7)
            back = [*((one.chain, one.seq) for one in found.rows), *back]
        assert back == everything


def test_a_page_never_counts_and_reads_by_an_index(admin: Client) -> None:
    """Of every filter: a limited walk over an index, whatever the table holds."""
    asked: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "people_auditrecord" in sql:
            asked.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        for query, _wanted in FILTERS:
            admin.get(f"/audit?{query}")
    assert asked
    assert not [sql for sql in asked if "COUNT(" in sql.upper() or "LIMIT" not in sql.upper()]


def test_a_record_shows_what_changed_and_that_it_holds(admin: Client) -> None:
    sign_heads(process="jobs", at=timezone.now())
    with acting_system("cli"):
        one = AuditRecord.objects.get(action="cases.take", subject="case:1")
    answer = admin.get(reverse("portal:audit_record", args=[one.chain, one.seq]))
    text = answer.content.decode()
    assert "<del>open</del>" in text
    assert "<ins>taken</ins>" in text
    assert "与散列相符" in text
    assert "接上一条" in text
    assert "已由链头签名覆盖" in text
    assert "10.0.0.7" in text
    assert 'href="/cases/1"' not in text, "who reads the audit sees no case"


def test_an_export_needs_a_purpose_is_recorded_and_holds_what_was_found(admin: Client) -> None:
    url = "/audit/export?action=cases.take&before=ignored"
    assert admin.post(url, {"purpose": " "}).status_code == 302
    answer = admin.post(url, {"purpose": "年度检查"})
    table = list(csv.reader(io.StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert [row[8] for row in table[1:]] == [f"case:{number}" for number in (4, 3, 2, 1, 0)]
    assert table[1][9:11] == ["状态: open", "状态: taken\n说明: 到场"]
    with acting_system("cli"):
        told = AuditRecord.objects.get(action="data.export")
    assert (told.subject, told.purpose) == ("export:audit", "年度检查")
    assert told.after == {"rows": 5, "filters": {"action": "cases.take"}}


def test_more_than_can_be_exported_is_refused_and_not_cut(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_CSV", 3)
    answer = admin.post("/audit/export?action=cases.take", {"purpose": "x"}, follow=True)
    assert "没有导出" in answer.content.decode()
    with acting_system("cli"):
        assert not AuditRecord.objects.filter(action="data.export").exists()


@pytest.mark.mission("E6")
def test_every_list_that_is_taken_out_is_recorded(enter: Enter) -> None:
    chief = enter("chief")
    lists = ["/alarms", "/cases", "/entities", "/data/set-aside", "/data/quality", "/indicators", "/mission",
             "/entities/gauge-e"]  # fmt: skip
    for url in lists:
        assert b"".join(chief.get(f"{url}?format=csv&area=x")), url
    with acting_system("cli"):
        told = list(AuditRecord.objects.filter(action="data.export").order_by("recorded_at"))
    assert len(told) == len(lists)
    assert {one.account for one in told} == {"u-chief"}
    assert all(one.after and one.after["filters"] == {"area": "x"} for one in told)


def test_a_template_takes_nothing_out(enter: Enter) -> None:
    assert enter("chief").get("/setup/people/template.csv").status_code == 200
    with acting_system("cli"):
        assert not AuditRecord.objects.filter(action="data.export").exists()


def test_a_check_is_asked_for_on_the_page_and_its_end_is_shown(admin: Client) -> None:
    answer = admin.post("/audit/chains/check", follow=True)
    text = answer.content.decode()
    assert "已开始核验" in text
    assert "排队" in text
    with acting_system("cli"):
        number = AuditRun.objects.get().pk
    assert f'hx-get="/audit/chains/runs/{number}"' in text
    assert "正在进行" in admin.post("/audit/chains/check", follow=True).content.decode()
    runs.do_check(run_id=number)
    part = admin.get(f"/audit/chains/runs/{number}", headers={"HX-Request": "true"}).content.decode()
    assert "完好" in part
    assert "hx-get" not in part


def test_what_a_check_found_is_said_in_both_languages(admin: Client, enter: Enter, migrated: Any) -> None:
    import psycopg

    with psycopg.connect(migrated.owner) as owner:
        found = owner.execute("SELECT tableoid::regclass::text FROM people_auditrecord LIMIT 1").fetchone()
        assert found is not None
        owner.execute(f"ALTER TABLE {found[0]} DISABLE TRIGGER USER")
        owner.execute("DELETE FROM people_auditrecord WHERE subject = 'case:2'")
        owner.execute(f"ALTER TABLE {found[0]} ENABLE TRIGGER USER")
    runs.do_check(run_id=runs.begin_nightly_check(at=timezone.now()))
    assert "缺少第 3–3 条" in admin.get("/audit/chains").content.decode()
    assert "发现 1 处问题" in admin.get("/audit").content.decode()
    admin.cookies["zhiwan_language"] = "en"
    assert "records 3–3 are missing" in admin.get("/audit/chains").content.decode()
    health = enter("desk").get("/health").content.decode()
    assert "最近一次核验发现审计记录被改动或缺失" in health


def test_every_finding_and_every_blindness_has_its_sentences() -> None:
    assert FOUND.keys() == audit_words._FOUND.keys()
    assert BLIND.keys() == audit_words._BLIND.keys()


def test_changes_are_told_shortly_and_in_full() -> None:
    before, after = {"a": {"x": 1, "y": [1, 2]}, "s": "same"}, {"a": {"x": 2, "y": [1, 2]}, "s": "same", "n": None}
    told = changes.changes(before, after)
    assert [(one.name, one.before, one.after, one.same) for one in told] == [
        ("a · x", "1", "2", False), ("n", None, "–", False), ("a · y", "1, 2", "1, 2", True),
        ("s", "same", "same", True),
    ]  # fmt: skip
    assert changes.in_short({"state": "open"}, {"state": "taken", "note": "x" * 60, "m": 1}) == (
        "状态 open → taken; 说明 " + "x" * 39 + "… …"
    )


def test_the_english_pages_hold_no_chinese(admin: Client) -> None:
    runs.do_check(run_id=runs.begin_nightly_check(at=timezone.now()))
    admin.cookies["zhiwan_language"] = "en"
    names = re.compile("中文|云湾区|到场|演练|所")
    for url in ("/audit", "/audit?who=nobody", "/audit/chains", "/audit/org:office/1"):
        text = names.sub("", admin.get(url).content.decode())
        assert not re.findall("[\u4e00-\u9fff]+", text), url


def test_times_of_a_filter_are_the_places_own(admin: Client) -> None:
    now = timezone.localtime()
    inside = f"since={now - timedelta(minutes=5):%Y-%m-%dT%H:%M}&until={now + timedelta(minutes=5):%Y-%m-%dT%H:%M}"
    assert rows(admin.get(f"/audit?{inside}"))
    assert not rows(admin.get(f"/audit?since={now + timedelta(minutes=5):%Y-%m-%dT%H:%M}"))


def test_actions_and_spaces_that_were_recorded_are_offered(admin: Client) -> None:
    with acting_system("cli"):
        assert searching.spaces() == ["drill"]
        assert searching.actions() == sorted({one.action for one in AuditRecord.objects.all()})
