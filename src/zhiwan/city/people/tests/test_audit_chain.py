"""The chains as the database keeps them: linked at the end of a transaction, one chain waits for no other."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, ProgrammingError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhiwan.city.people import audit, chaining
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.actions import create_user
from zhiwan.city.people.auditing.reading import heads_now, links
from zhiwan.city.people.models import AuditChain, AuditRecord, Organisation, Post
from zhiwan.kernel.guard.check import Checker, Report

pytestmark = pytest.mark.django_db(transaction=True)
BODIES = ("a", "b", "c")


@pytest.fixture
def posts() -> dict[str, Post]:
    """One post for each of three organisations; that of `c` covers one town only."""
    with acting_system("cli"):
        found = {}
        for id in BODIES:
            body = Organisation.objects.create(id=id, name_zh=id, name_en=id, area="990101")
            towns = ["990101001"] if id == "c" else []
            found[id] = Post.objects.create(
                id=f"desk-{id}", role="operator", title_zh=id, title_en=id, organisation=body,
                scope="towns" if towns else "district", towns=towns,
            )  # fmt: skip
    return found


def write(subject: str, **more: Any) -> None:
    audit.record("test.write", subject, at=timezone.now(), **more)


def check() -> Report:
    with acting_system("cli"):
        checker = Checker(heads=heads_now())
        for one in links():
            checker.take(one)
        return checker.finish()


def subjects(chain: str) -> list[str]:
    with acting_system("cli"):
        return list(AuditRecord.objects.filter(chain=chain).order_by("seq").values_list("subject", flat=True))


def test_each_organisation_each_kind_of_process_and_accounts_have_a_chain(posts: dict[str, Post]) -> None:
    with acting(posts["a"]):
        write("x:1")
        with acting_system("jobs"):
            write("x:2")
        write("x:3")
    with acting(posts["c"], address="::ffff:10.0.0.7"):
        write("x:4")
    with acting_system("cli"):
        user = create_user(name="li", display_name="李", password=None)
    audit.record_of_account("people.sign_in", user, at=timezone.now(), address="10.0.0.7", after={"how": "link"})
    assert (subjects("org:a"), subjects("system:jobs"), subjects("org:c")) == (["x:1", "x:3"], ["x:2"], ["x:4"])
    assert subjects("accounts") == ["user:li"]
    report = check()
    assert report.whole
    assert (report.records, report.chains) == (6, 5)


def test_a_record_says_who_as_which_post_why_and_from_where(posts: dict[str, Post]) -> None:
    with acting_system("cli"):
        user = create_user(name="li", display_name="李", password=None, posts=[posts["a"]])
    with acting(posts["a"], user=user, address="2001:DB8::7", space="drill"):
        write("person:1", before={"n": 1.0}, after={"n": 1.5}, purpose="核对身份")
    with acting_system("cli"):
        one = AuditRecord.objects.get(subject="person:1")
    assert (one.user_id, one.account, one.actor, one.post, one.organisation) == (user.pk, "li", "李", "desk-a", "a")
    assert (one.purpose, one.address, one.space, one.before, one.after) == (
        "核对身份", "2001:db8::7", "drill", {"n": 1}, {"n": 1.5},
    )  # fmt: skip


def test_what_is_rolled_back_leaves_no_record_and_no_hole(posts: dict[str, Post]) -> None:
    def fail() -> None:
        write("x:lost")
        raise ZeroDivisionError

    with acting(posts["a"]):
        write("x:1")
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            fail()
        with pytest.raises(ZeroDivisionError), acting_system("jobs"):
            fail()
        write("x:2")
    with pytest.raises(ZeroDivisionError), acting(posts["a"]):
        fail()
    with acting(posts["a"]):
        write("x:lost")
        transaction.set_rollback(True)
    with acting(posts["a"]):
        write("x:3")
    assert subjects("org:a") == ["x:1", "x:2", "x:3"]
    assert subjects("system:jobs") == []
    assert check().whole


def test_a_transaction_that_would_commit_without_its_record_fails_loudly(
    posts: dict[str, Post], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zhiwan.city.people.acting.flush", lambda: None)
    with pytest.raises(chaining.Unchained, match=r"test\.write x:1"), acting(posts["a"]):
        write("x:1")


def test_without_sm3_the_action_is_rolled_back(posts: dict[str, Post], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail closed: what cannot be recorded does not happen."""
    from zhiwan.kernel.guard import chain

    def refuse() -> None:
        raise chain.Sm3Missing(openssl="none")

    monkeypatch.setattr(chain, "_sm3", refuse)

    def act() -> None:
        with acting(posts["a"]):
            Organisation.objects.create(id="new", name_zh="x", name_en="x", area="990101")
            write("x:1")

    with pytest.raises(chain.Sm3Missing):
        act()
    assert not Organisation.objects.filter(id="new").exists()


class Elsewhere:
    """Another connection, as another process has: a thread that works while this one waits for it."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.problem: Exception | None = None
        self._work = work
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as problem:
            self.problem = problem
        finally:
            connection.close()

    def ended(self, within: float = 20.0) -> bool:
        self.thread.join(within)
        if self.problem:
            raise self.problem
        return not self.thread.is_alive()


def test_nobody_waits_for_a_transaction_that_has_recorded_and_goes_on_working(posts: dict[str, Post]) -> None:
    """The lock is taken last: a slow transaction holds up not even its own organisation."""

    def act() -> None:
        with acting(posts["a"]):
            write("x:quick")

    with acting(posts["a"]):
        write("x:slow")
        assert Elsewhere(act).ended()
    assert subjects("org:a") == ["x:quick", "x:slow"]
    assert check().whole


def test_while_a_chain_is_locked_others_go_on_and_its_own_writers_wait(posts: dict[str, Post]) -> None:
    def act(body: str) -> Callable[[], None]:
        def run() -> None:
            with acting(posts[body]):
                write(f"x:{body}")

        return run

    with acting(posts["a"]):
        write("x:first")
        chaining.flush()
        assert Elsewhere(act("b")).ended()
        same = Elsewhere(act("a"))
        assert not same.ended(within=0.5)
    assert same.ended()
    assert subjects("org:a") == ["x:first", "x:a"]


def test_many_writers_of_several_organisations_make_whole_chains(posts: dict[str, Post]) -> None:
    """Each writes into several chains at once and in any order: no deadlock, no hole, nothing twice."""
    writers, rounds = 8, 12

    def work(number: int) -> Callable[[], None]:
        def run() -> None:
            for turn in range(rounds):
                first, second = BODIES[(number + turn) % 3], BODIES[(number * turn) % 3]
                with acting(posts[first]):
                    write(f"w{number}:{turn}")
                    with acting(posts[second]), acting_system("jobs"):
                        write(f"w{number}:{turn}b")
                    if turn % 4 == 0:
                        transaction.set_rollback(True)

        return run

    started = [Elsewhere(work(number)) for number in range(writers)]
    assert all(one.ended(60) for one in started)
    report = check()
    assert report.whole
    kept = Counter(one for body in BODIES for one in subjects(f"org:{body}"))
    assert kept == Counter(f"w{number}:{turn}" for number in range(writers) for turn in range(rounds) if turn % 4)
    assert len(subjects("system:jobs")) == len(kept)
    with acting_system("cli"):
        seqs = dict(AuditChain.objects.values_list("chain", "seq"))
    assert seqs == {chain: len(subjects(chain)) for chain in ("org:a", "org:b", "org:c", "system:jobs")}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.text(max_size=4), JSON, max_size=3), min_size=1, max_size=8))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_was_changed_the_database_gives_back_what_was_hashed(
    posts: dict[str, Post], values: list[dict[str, Any]]
) -> None:
    with acting(posts["a"]):
        for value in values:
            write("x:1", after=value, purpose="\0")
    assert check().whole


FORGED: list[tuple[str, dict[str, Any]]] = [
    ("does not follow", {"seq": 3}),
    ("does not follow", {"seq": 1}),
    ("does not follow", {"previous": "11" * 32}),
    ("does not follow", {"hash": "11"}),
    ("does not follow", {"chain": "org:nobody"}),
    ("claims the time", {"recorded_at": "2020-01-01T00:00:00Z"}),
    ("claims the time", {"recorded_at": "2099-01-01T00:00:00Z"}),
]


@pytest.mark.parametrize(("told", "change"), FORGED)
def test_the_database_itself_refuses_what_does_not_follow(
    posts: dict[str, Post], told: str, change: dict[str, Any]
) -> None:
    with acting(posts["a"]):
        write("x:1")
    with acting_system("cli"):
        first = next(iter(links()))
    row = {
        **{name: getattr(first.entry, name) for name in ("chain", "account", "actor", "action", "subject", "purpose")},
        "seq": 2, "previous": first.hash.hex(), "hash": "22" * 32, "form": 1, "space": "live",
        "at": str(timezone.now()), "recorded_at": str(timezone.now()),
    }  # fmt: skip
    with pytest.raises(DatabaseError, match=told), acting(posts["c"]), connection.cursor() as cursor:
        cursor.execute("SELECT people_audit_append(%s::jsonb)", [json.dumps([row | change])])


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO people_auditrecord SELECT * FROM people_auditrecord",
        "UPDATE people_auditchain SET seq = 0",
        "DELETE FROM people_auditchain",
        "SELECT people_audit_make_rest()",
        "SELECT * FROM people_auditrecord_rest",
        "ALTER TABLE people_auditrecord DISABLE TRIGGER USER",
        "DROP TABLE people_auditrecord_rest",
    ],
)
def test_the_login_role_has_no_other_way_in(posts: dict[str, Post], statement: str) -> None:
    for actor in (acting(posts["c"]), acting_system("cli")):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), actor:
            connection.cursor().execute(statement)


def test_a_post_of_a_town_writes_and_does_not_read(posts: dict[str, Post]) -> None:
    with acting(posts["c"]):
        write("x:1")
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            list(AuditRecord.objects.all())
    assert subjects("org:c") == ["x:1"]


@pytest.fixture
def owner(migrated: Any) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(migrated.owner, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("verb", ["UPDATE {} SET actor = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_the_owner_is_refused_too_in_every_partition(
    posts: dict[str, Post], owner: psycopg.Connection[Any], verb: str
) -> None:
    with acting(posts["a"]):
        write("x:1")
    found = owner.execute("SELECT tableoid::regclass::text FROM people_auditrecord LIMIT 1").fetchone()
    assert found is not None
    for table in ("people_auditrecord", found[0]):
        with pytest.raises(psycopg.Error, match="append-only"):
            owner.execute(verb.format(table))


def test_what_lies_in_the_default_partition_moves_when_its_month_is_made(
    posts: dict[str, Post], owner: psycopg.Connection[Any]
) -> None:
    """Nothing is refused for want of a month, and the chain does not notice where its rows lie."""
    name = f"people_auditrecord_{datetime.now(UTC):%Y_%m}"
    owner.execute(f"DROP TABLE IF EXISTS {name}")
    with acting(posts["a"]):
        write("x:1")
        write("x:2")

    def where() -> set[str]:
        return {row[0] for row in owner.execute("SELECT tableoid::regclass::text FROM people_auditrecord").fetchall()}

    assert where() == {"people_auditrecord_rest"}
    with acting_system("jobs"), connection.cursor() as cursor:
        cursor.execute("SELECT people_audit_make_month(%s)", [timezone.now().astimezone(UTC).date()])
    assert where() == {name}
    with acting(posts["a"]):
        write("x:3")
    assert check().whole
    for table in (name, "people_auditrecord_rest"):
        with pytest.raises(psycopg.Error, match="append-only"):
            owner.execute(f"TRUNCATE {table}")


def test_times_are_those_after_the_lock(posts: dict[str, Post]) -> None:
    """Within a chain no record is earlier than the one before it, however long its writer had been working."""

    def act() -> None:
        with acting(posts["a"]):
            write("x:quick")

    with acting(posts["a"]):
        write("x:slow")
        assert Elsewhere(act).ended()
    with acting_system("cli"):
        times = list(AuditRecord.objects.order_by("seq").values_list("recorded_at", flat=True))
    assert times == sorted(times)
    assert timezone.now() - times[-1] < timedelta(minutes=1)
