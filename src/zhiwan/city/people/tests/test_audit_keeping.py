"""Months of the audit: made ahead, kept, let go only when due, checked, sealed and signed; runs of a page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from zhiwan.city.people import audit
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.actions import create_user
from zhiwan.city.people.auditing import reading, retention, runs
from zhiwan.city.people.auditing.checking import check_database
from zhiwan.city.people.auditing.retention import MonthKept, NotChecked, make_months, retire
from zhiwan.city.people.auditing.signing import heads_folder, read_signed, sign_heads
from zhiwan.city.people.auditing.standing import chains, standing
from zhiwan.city.people.guard import ActionForbidden
from zhiwan.city.people.models import AuditRecord, AuditRun, Organisation, Post
from zhiwan.city.people.tests.conftest import Intruder

pytestmark = pytest.mark.django_db(transaction=True)
OLD = datetime(2026, 1, 20, tzinfo=UTC)
NOW = timezone.now()


@pytest.fixture
def posts(data: Path) -> dict[str, Post]:
    with acting_system("cli"):
        body = Organisation.objects.create(id="a", name_zh="审计局", name_en="Audit office", area="990101")
        return {
            role: Post.objects.create(
                id=role, role=role, title_zh=role, title_en=role, organisation=body, scope="district"
            )
            for role in ("audit_admin", "duty_chief", "operator")
        }


@pytest.fixture
def months(posts: dict[str, Post], intruder: Intruder) -> Intruder:
    """Records from January to April, of two chains: the second begins in February."""
    intruder.grow("org:a", 6, OLD, timedelta(days=14))
    intruder.grow("org:b", 2, OLD + timedelta(days=20), timedelta(days=40))
    sign_heads(process="jobs", at=NOW)
    return intruder


def checked() -> None:
    runs.do_check(run_id=runs.begin_nightly_check(at=timezone.now()))


def as_admin(posts: dict[str, Post], month: str, *, at: datetime = NOW) -> int:
    with acting(posts["audit_admin"], second_factor=True):
        return retire(month=month, reason="留存期满", at=at)


def names() -> list[str]:
    with acting_system("cli"):
        return [name for name, _rows, _size in reading.months()]


def test_months_are_made_ahead_once(data: Path, intruder: Intruder) -> None:
    at = datetime(2031, 11, 30, 23, tzinfo=UTC)
    assert make_months(process="jobs", at=at) == ["2031-11", "2031-12", "2032-01"]
    assert make_months(process="jobs", at=at) == []


def test_what_the_default_partition_took_is_moved_into_its_month(data: Path, intruder: Intruder) -> None:
    intruder.grow("org:a", 2, OLD, timedelta(days=1))
    intruder._connection.execute("ALTER TABLE people_auditrecord DETACH PARTITION people_auditrecord_2026_01")
    intruder._connection.execute("INSERT INTO people_auditrecord SELECT * FROM people_auditrecord_2026_01")
    intruder._connection.execute("DROP TABLE people_auditrecord_2026_01")
    assert "2026-01" in make_months(process="jobs", at=timezone.now())
    assert check_database(process="cli").whole
    assert intruder._connection.execute("SELECT count(*) FROM people_auditrecord_2026_01").fetchone() == (2,)


def test_months_go_one_by_one_and_the_chains_go_on(posts: dict[str, Post], months: Intruder) -> None:
    checked()
    assert as_admin(posts, "2026-01") == 1
    assert "2026-01" not in names()
    report = check_database(process="cli")
    assert report.whole
    assert report.sealed == 1
    assert as_admin(posts, "2026-02") == 3
    report = check_database(process="cli")
    assert report.whole
    assert report.sealed == 4
    with acting_system("cli"):
        last = AuditRecord.objects.filter(action="audit.retire").order_by("-recorded_at")[0]
    assert (last.subject, last.purpose) == ("audit-month:2026-02", "留存期满")
    assert last.after is not None
    assert [run[:2] for run in last.after["runs"]["org:a"]] == [[1, 3]]
    assert last.after["runs"]["org:a"][0][3] == read_signed().seals["org:a"][-1].hash.hex()


def test_without_the_signed_heads_the_audit_itself_tells_what_went(posts: dict[str, Post], months: Intruder) -> None:
    checked()
    as_admin(posts, "2026-01")
    for file in heads_folder().glob("*.ndjson"):
        file.unlink()
    report = check_database(process="cli")
    assert {one.code for one in report.findings} == {"lines_cut", "missing"}, "a file that is gone is no proof"


def test_a_month_that_was_dropped_with_a_forged_record_of_it_is_missing(
    posts: dict[str, Post], months: Intruder
) -> None:
    """Whoever owns the database can write the record of a retirement, but not sign its seal."""
    with acting(posts["audit_admin"], second_factor=True):
        audit.record(reading.RETIRED, "audit-month:2026-01", at=NOW, after={"runs": {}})
    months._connection.execute("DROP TABLE people_auditrecord_2026_01")
    sign_heads(process="jobs", at=NOW)
    report = check_database(process="cli")
    assert [(one.code, one.chain, one.first, one.last) for one in report.findings] == [("missing", "org:a", 1, 1)]


def test_only_the_oldest_month_goes_and_only_when_it_is_due(posts: dict[str, Post], months: Intruder) -> None:
    checked()
    for month in ("2026-02", "2025-12", "nonsense", "2026-1"):
        with pytest.raises(MonthKept):
            as_admin(posts, month)
    with pytest.raises(MonthKept, match="2026-08-01"):
        as_admin(posts, "2026-01", at=datetime(2026, 7, 31, 23, tzinfo=UTC))
    assert "2026-01" in names()


def test_nothing_goes_that_was_not_found_whole_shortly_before(posts: dict[str, Post], months: Intruder) -> None:
    with pytest.raises(NotChecked):
        as_admin(posts, "2026-01")
    checked()
    with pytest.raises(NotChecked):
        as_admin(posts, "2026-01", at=NOW + timedelta(days=3))
    with months.unhindered() as database:
        database.execute("UPDATE people_auditrecord SET actor = 'x' WHERE chain = 'org:a' AND seq = 1")
    checked()
    with pytest.raises(NotChecked):
        as_admin(posts, "2026-01")


def test_only_the_audit_administrator_lets_a_month_go(posts: dict[str, Post], months: Intruder) -> None:
    checked()
    for role in ("duty_chief", "operator"):
        with pytest.raises(ActionForbidden), acting(posts[role]):
            retire(month="2026-01", reason="x", at=NOW)
    with pytest.raises(ActionForbidden), acting_system("jobs"):
        retire(month="2026-01", reason="x", at=NOW)


def test_where_no_pack_says_how_long_nothing_goes(
    posts: dict[str, Post], months: Intruder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "KEPT", "security.audit.unknown")
    checked()
    with pytest.raises(Exception, match="PARAM-001"):
        as_admin(posts, "2026-01")
    assert "2026-01" in names()


DROPS: list[tuple[str, str, str]] = [
    ("not old enough", "(now() - interval '1 month')::date", "0"),
    ("older months", "date '2026-02-01'", "6"),
    ("not sealed", "date '2026-01-01'", "6"),
]


@pytest.mark.parametrize(("told", "day", "kept"), DROPS)
def test_the_database_itself_refuses_to_drop_a_month(months: Intruder, told: str, day: str, kept: str) -> None:
    """Whatever the program says: six months, the oldest first, sealed in the same transaction."""
    with pytest.raises(DatabaseError, match=told), acting_system("jobs"), connection.cursor() as cursor:
        cursor.execute(f"SELECT people_audit_drop_month({day}, {kept})")


def test_a_failed_retirement_leaves_everything_and_the_check_whole(
    posts: dict[str, Post], months: Intruder, migrated: Any
) -> None:
    """The seal is signed before the rows go; where they stay after all, it speaks of rows that are there."""
    checked()
    with psycopg.connect(migrated.owner) as reader:
        reader.execute("SELECT * FROM people_auditrecord_2026_01")  # a reader of minutes holds the month
        with pytest.raises(DatabaseError, match="lock timeout"):
            as_admin(posts, "2026-01")
    assert "2026-01" in names()
    assert check_database(process="cli").whole
    assert as_admin(posts, "2026-01") == 1
    assert check_database(process="cli").whole


def test_a_month_that_goes_while_a_check_reads_is_no_finding(posts: dict[str, Post], months: Intruder) -> None:
    checked()
    gone: list[int] = []

    def tell(done: int, total: int) -> None:
        if not gone:
            gone.append(as_admin(posts, "2026-01"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading.batch, "__defaults__", (("", 0), 2))
        report = check_database(process="cli", tell=tell)
    assert gone == [1]
    assert report.whole
    assert report.sealed == 1


def work_off() -> None:
    """What the jobs process would do."""
    done: dict[str, Callable[..., None]] = {runs.CHECK: runs.do_check, runs.RETIRE: runs.do_retirement}
    with acting_system("jobs"):
        waiting = [(job.task_name, job.args) for job in ProcrastinateJob.objects.order_by("id")]
    for name, arguments in waiting:
        done[name](**arguments)


def test_a_check_is_asked_for_done_and_told(posts: dict[str, Post], months: Intruder) -> None:
    with acting(posts["audit_admin"], second_factor=True):
        number = runs.ask_check()
        with pytest.raises(runs.RunUnderWay):
            runs.ask_check()
    work_off()
    with acting_system("cli"):
        run = runs.run(number)
        assert run is not None
        assert (run.state, run.asked_by, run.records) == ("done", "audit_admin", run.total)
        assert run.report is not None
        assert run.report["whole"]
        told = standing()
        assert (told.whole, told.findings, told.late(timezone.now())) == (True, 0, False)
        assert AuditRecord.objects.get(action="audit.verify").subject == f"audit-run:{number}"
        rows = {one.chain: one for one in chains()}
    assert rows["org:a"].body is not None
    assert rows["org:a"].unsigned == 1


def test_a_check_that_found_something_says_what(posts: dict[str, Post], months: Intruder) -> None:
    with months.unhindered() as database:
        database.execute("UPDATE people_auditrecord SET actor = 'x' WHERE chain = 'org:a' AND seq = 1")
    checked()
    with acting_system("cli"):
        run = runs.runs("verify")[0]
        assert (standing().whole, standing().findings) == (False, 1)
    assert run.report is not None
    assert run.report["findings"][0]["code"] == "changed"


def test_a_retirement_is_asked_for_and_done_as_the_person_who_asked(posts: dict[str, Post], months: Intruder) -> None:
    checked()
    with acting_system("cli"):
        user = create_user(name="wang", display_name="王", password=None, posts=[posts["audit_admin"]])
    with acting(posts["audit_admin"], user=user, address="10.0.0.9", second_factor=True):
        number = runs.ask_retirement(month="2026-01", reason="留存期满")
        with pytest.raises(MonthKept):
            runs.ask_retirement(month="2026-03", reason="x")
    work_off()
    with acting_system("cli"):
        run = runs.run(number)
        record = AuditRecord.objects.get(action="audit.retire")
    assert run is not None
    assert (run.state, run.records) == ("done", 1)
    assert (record.account, record.post, record.address, record.organisation) == (
        "wang",
        "audit_admin",
        "10.0.0.9",
        "a",
    )


def test_a_run_whose_process_died_does_not_stand_in_the_way(posts: dict[str, Post]) -> None:
    with acting(posts["audit_admin"], second_factor=True):
        number = runs.ask_check()
        long_ago = timezone.now() - timedelta(hours=1)
        AuditRun.objects.filter(pk=number).update(state="running", asked_at=long_ago, told_at=long_ago)
        run = runs.run(number)
        assert run is not None
        assert runs.interrupted(run, timezone.now())
        assert runs.ask_check() != number
