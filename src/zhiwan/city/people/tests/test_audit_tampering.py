"""Everything an intruder who owns the database can do to the audit is done, with the triggers put aside, and named."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from zhiwan.city.people import audit
from zhiwan.city.people.acting import acting, acting_system
from zhiwan.city.people.auditing import reading
from zhiwan.city.people.auditing.checking import check_database, check_export
from zhiwan.city.people.auditing.exporting import NotAnExport, export_audit
from zhiwan.city.people.auditing.signing import (
    HeadsNotWritable,
    KeyUnreadable,
    key_file,
    public_key,
    read_signed,
    sign_heads,
)
from zhiwan.city.people.models import AuditChain, AuditSigning, Organisation, Post
from zhiwan.city.people.tests.conftest import Intruder
from zhiwan.kernel.guard.chain import NotARecord, link
from zhiwan.kernel.guard.check import Report

pytestmark = pytest.mark.django_db(transaction=True)
CHAIN = "org:a"


def write(post: Post, *subjects: str) -> None:
    for subject in subjects:
        with acting(post, address="10.0.0.7"):
            audit.record("test.write", subject, at=timezone.now(), before={"n": 1}, after={"n": 0.5}, purpose="p")


def sign() -> None:
    sign_heads(process="jobs", at=timezone.now())


@pytest.fixture
def post(data: Path) -> Post:
    """Five records, heads signed after the third and the fifth, two more after that; a second chain beside it."""
    with acting_system("cli"):
        body = Organisation.objects.create(id="a", name_zh="a", name_en="a", area="990101")
        post = Post.objects.create(
            id="desk", role="operator", title_zh="a", title_en="a", organisation=body, scope="district"
        )
        audit.record("test.write", "y:1", at=timezone.now())
    write(post, "x:1", "x:2", "x:3")
    sign()
    write(post, "x:4", "x:5")
    sign()
    write(post, "x:6", "x:7")
    return post


def check() -> Report:
    return check_database(process="cli")


def found(report: Report) -> list[tuple[str, str, int, int]]:
    return [(one.code, one.chain, one.first, one.last) for one in report.findings]


def test_an_untouched_audit_is_whole_and_what_is_not_signed_yet_is_said(post: Post) -> None:
    report = check()
    assert report.whole
    assert report.compared
    assert (report.records, report.unsigned) == (8, 2)
    assert "owns the database" in report.blind[0].says


CHANGES = {
    "at": "at + interval '1 second'", "recorded_at": "recorded_at + interval '1 microsecond'", "user_id": "7",
    "account": "'w'", "actor": "'w'", "post": "'other'", "organisation": "NULL", "action": "'test.read'",
    "subject": "'x:9'", "before": "NULL", "after": """'{"n": 0.50}'""", "purpose": "''", "address": "'10.0.0.8'",
    "space": "'drill'", "previous": "hash", "hash": "previous",
}  # fmt: skip


def test_a_change_of_any_column_of_a_row_is_named(post: Post, intruder: Intruder) -> None:
    with acting_system("cli"):
        kept = next(one for one in reading.links() if (one.entry.chain, one.entry.seq) == (CHAIN, 4))
    for column, value in CHANGES.items():
        with intruder.unhindered() as database:
            database.execute(f"UPDATE people_auditrecord SET {column} = {value} WHERE chain = 'org:a' AND seq = 4")
        report = check()
        assert ("changed", CHAIN, 4, 4) in found(report), column
        assert "record 4 was changed" in next(one.says for one in report.findings if one.code == "changed")
        with intruder.unhindered() as database:
            database.execute("DELETE FROM people_auditrecord WHERE chain = 'org:a' AND seq = 4")
            intruder.put(kept)
        assert check().whole


def test_removed_rows_are_named(post: Post, intruder: Intruder) -> None:
    with intruder.unhindered() as database:
        database.execute("DELETE FROM people_auditrecord WHERE chain = 'org:a' AND seq IN (2, 3)")
    assert found(check()) == [("missing", CHAIN, 2, 3)]


def test_a_cut_tail_is_named_though_its_head_was_mended(post: Post, intruder: Intruder) -> None:
    with intruder.unhindered() as database:
        database.execute("DELETE FROM people_auditrecord WHERE chain = 'org:a' AND seq > 3")
    assert found(check()) == [("cut", CHAIN, 4, 7)], "by the head row, also what was not signed"
    intruder.mend_head(CHAIN)
    assert found(check()) == [("cut", CHAIN, 4, 5)], "by the signed head"


def test_a_cut_tail_over_which_new_records_grew_is_named(post: Post, intruder: Intruder) -> None:
    """The platform goes on signing; what was signed before still stands in the file."""
    with intruder.unhindered() as database:
        database.execute("DELETE FROM people_auditrecord WHERE chain = 'org:a' AND seq > 3")
    intruder.mend_head(CHAIN)
    write(post, "x:new", "x:new", "x:new")
    sign()
    assert found(check()) == [("rewritten", CHAIN, 5, 3)]


@pytest.mark.mission("E3")
def test_a_rewritten_chain_is_named(post: Post, intruder: Intruder) -> None:
    """Record 4 changed and every hash after it computed anew, the head too: in itself it is whole."""
    with acting_system("cli"):
        links = [one for one in reading.links() if one.entry.chain == CHAIN]
    with intruder.unhindered() as database:
        database.execute("DELETE FROM people_auditrecord WHERE chain = 'org:a' AND seq >= 4")
        previous = links[2].hash
        for one in links[3:]:
            changed = replace(one.entry, subject="x:other") if one.entry.seq == 4 else one.entry
            made = link(previous, changed)
            previous = made.hash
            intruder.put(made)
    intruder.mend_head(CHAIN)
    assert found(check()) == [("rewritten", CHAIN, 5, 3)]


def test_a_removed_chain_is_named(post: Post, intruder: Intruder) -> None:
    with intruder.unhindered() as database:
        database.execute("DELETE FROM people_auditrecord WHERE chain = 'org:a'")
        database.execute("DELETE FROM people_auditchain WHERE chain = 'org:a'")
    assert found(check()) == [("cut", CHAIN, 1, 5)]


@pytest.mark.parametrize("how", ["DROP TABLE {}", "ALTER TABLE people_auditrecord DETACH PARTITION {}"])
def test_a_removed_partition_is_named(data: Path, intruder: Intruder, how: str) -> None:
    intruder.grow("org:old", 6, datetime(2026, 1, 20, tzinfo=UTC), timedelta(days=14))
    sign()
    assert check().whole
    try:
        intruder._connection.execute(how.format("people_auditrecord_2026_02"))
        report = check()
    finally:
        intruder._connection.execute("DROP TABLE IF EXISTS people_auditrecord_2026_02")
    assert found(report) == [("missing", "org:old", 2, 3)]
    assert report.findings[0].values["months"] == ["2026-02"]
    assert "the partition of 2026-02 is gone" in report.findings[0].says


def test_a_record_put_in_beside_the_chain_is_named(post: Post, intruder: Intruder) -> None:
    with acting_system("cli"):
        last = [one for one in reading.links() if one.entry.chain == CHAIN][-1]
    intruder.put(replace(last, entry=replace(last.entry, recorded_at=last.entry.recorded_at + timedelta(seconds=1))))
    assert ("twice", CHAIN, 7, 7) in found(check())


def test_a_mended_change_after_the_last_signature_is_the_limit_and_is_told(post: Post, intruder: Intruder) -> None:
    with acting_system("cli"):
        last = [one for one in reading.links() if one.entry.chain == CHAIN][-1]
    with intruder.unhindered() as database:
        database.execute("DELETE FROM people_auditrecord WHERE chain = 'org:a' AND seq = 7")
        intruder.put(link(last.previous, replace(last.entry, subject="x:other")))
    intruder.mend_head(CHAIN)
    report = check()
    assert report.whole
    assert report.unsigned == 2
    sign()
    assert check().unsigned == 0


def heads_file(data: Path) -> Path:
    return next((data / "audit-heads").glob("heads-*.ndjson"))


def edit(data: Path, change: Callable[[list[str]], list[str]]) -> None:
    file = heads_file(data)
    file.write_text("".join(change(file.read_text().splitlines(keepends=True))))


FILE_BREAKS: list[tuple[str, Callable[[list[str]], list[str]], set[str]]] = [
    ("a line changed", lambda lines: [lines[0].replace('"n":1', '"n":9'), lines[1]], {"line"}),
    ("the first line gone", lambda lines: lines[1:], {"lines_gone"}),
    ("the last line gone", lambda lines: lines[:1], {"lines_cut"}),
    ("all gone", lambda lines: [], {"lines_cut"}),
    ("turned round", lambda lines: lines[::-1], {"line", "lines_gone", "lines_cut"}),
]


def test_what_is_done_to_the_signed_heads_is_named(post: Post, data: Path) -> None:
    kept = heads_file(data).read_text()
    for what, change, codes in FILE_BREAKS:
        edit(data, change)
        assert {one.code for one in check().findings} == codes, what
        sign()
        assert {one.code for one in check().findings} & {"line", "lines_gone"}, "going on signing does not hide it"
        heads_file(data).write_text(kept)
        with acting_system("cli"):
            AuditSigning.objects.update(line=2)
    assert check().whole


def test_heads_of_another_key_are_not_believed(post: Post, data: Path, tmp_path_factory: Any, settings: Any) -> None:
    """Someone who can write the file, and has no key of ours, signs with one of their own."""
    kept, own = heads_file(data).read_text(), public_key()
    settings.ZHIWAN_DATA = tmp_path_factory.mktemp("other")
    sign()
    forged = heads_file(settings.ZHIWAN_DATA).read_text()
    settings.ZHIWAN_DATA = data
    heads_file(data).write_text(kept + forged)
    assert {one.code for one in check().findings} >= {"line"}
    assert {one.code for one in check_database(process="cli", keys=[own]).findings} >= {"line"}


def test_a_crash_within_a_line_loses_nothing(post: Post, data: Path) -> None:
    with heads_file(data).open("a") as file:
        file.write('{"n":3,"at":"2026')
    told = check()
    assert told.whole
    assert "torn" in [one.code for one in told.blind]
    sign()
    told = check()
    assert told.whole
    assert "torn" not in [one.code for one in told.blind]


def test_only_what_changed_is_listed_and_the_first_line_of_a_file_lists_all(post: Post, data: Path) -> None:
    sign()
    sign()
    lines = [json.loads(line) for line in heads_file(data).read_text().splitlines()]
    assert [sorted(line["heads"]) for line in lines] == [[CHAIN, "system:cli"], [CHAIN], [CHAIN], []]
    sign_heads(process="jobs", at=timezone.now() + timedelta(days=40))
    files = sorted((data / "audit-heads").glob("heads-*.ndjson"))
    assert sorted(json.loads(files[1].read_text())["heads"]) == [CHAIN, "system:cli"]
    assert check().whole


def test_the_key_is_private_and_the_folder_too(post: Post, data: Path) -> None:
    assert key_file().stat().st_mode & 0o777 == 0o600
    assert heads_file(data).stat().st_mode & 0o777 == 0o600
    assert (data / "audit-heads").stat().st_mode & 0o777 == 0o700
    assert (data / "audit-heads" / "keys.txt").read_text().strip() == public_key()


def test_a_new_key_signs_on_and_what_the_old_one_signed_is_still_believed(post: Post) -> None:
    old = public_key()
    key_file().unlink()
    sign()
    assert public_key() != old
    assert check().whole


def test_a_folder_that_cannot_be_written_is_told_and_the_next_signature_covers_all(
    post: Post, data: Path, settings: Any
) -> None:
    (data / "a-file").write_text("")
    settings.ZHIWAN_AUDIT_HEADS = str(data / "a-file")
    with pytest.raises(HeadsNotWritable):
        sign()
    with acting_system("cli"):
        assert AuditSigning.objects.get().problem
    settings.ZHIWAN_AUDIT_HEADS = ""
    sign()
    with acting_system("cli"):
        assert not AuditSigning.objects.get().problem
        assert {one.seq - one.signed_seq for one in AuditChain.objects.all()} == {0}
    assert check().unsigned == 0


@pytest.fixture(params=["audit.ndjson", "audit.ndjson.gz"])
def export(post: Post, data: Path, request: Any) -> Path:
    sign()
    path: Path = data / request.param
    assert export_audit(path, process="cli", at=timezone.now()) == 9, "the export itself is among them"
    return path


def lines_of(path: Path) -> list[str]:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode().splitlines(keepends=True)


def rewrite(path: Path, lines: list[str]) -> None:
    content = "".join(lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def test_an_export_is_checked_without_the_database(export: Path) -> None:
    report = check_export(export)
    assert report.whole
    assert report.compared
    assert report.records == 9
    assert export.stat().st_mode & 0o777 == 0o600


def test_changes_of_an_export_are_named(export: Path) -> None:
    lines = lines_of(export)
    at = next(number for number, line in enumerate(lines) if '"x:4"' in line)
    rewrite(export, [*lines[:at], lines[at].replace('"x:4"', '"x:9"'), *lines[at + 1 :]])
    assert found(check_export(export)) == [("changed", CHAIN, 4, 4)]
    rewrite(export, [*lines[:at], *lines[at + 1 : -1], '{"records":8}\n'])
    assert found(check_export(export)) == [("missing", CHAIN, 4, 4)]
    rewrite(export, [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]])
    assert {code for code, *_ in found(check_export(export))} == {"missing", "order"}


def test_an_export_that_was_cut_is_refused(export: Path) -> None:
    lines = lines_of(export)
    for wrong in (lines[:-1], lines[:3], [], ["{}\n"], ["not json\n"], [*lines, lines[2]], lines[1:]):
        rewrite(export, wrong)
        with pytest.raises(NotAnExport):
            check_export(export)
    rewrite(export, [lines[0], "{}\n", *lines[2:]])
    with pytest.raises(NotARecord, match="line 2"):
        check_export(export)


def test_a_cut_tail_of_an_export_is_named_by_the_signed_heads(export: Path) -> None:
    """Whoever makes the export smaller can make its first and last line agree; not the file of signed heads."""
    lines = lines_of(export)
    head = json.loads(lines[0])
    kept = [line for line in lines[1:-1] if '"x:7"' not in line]
    one = json.loads(next(line for line in kept if '"x:6"' in line))
    head["heads"][CHAIN] = [6, one["hash"]]
    rewrite(export, [json.dumps(head) + "\n", *kept, json.dumps({"records": len(kept)}) + "\n"])
    assert found(check_export(export)) == [("cut", CHAIN, 7, 7)]


def test_heads_and_key_of_elsewhere_are_used_when_given(post: Post, data: Path, tmp_path_factory: Any) -> None:
    """The copy that the auditor keeps: an intruder who has the key and the folder cannot change it."""
    elsewhere = tmp_path_factory.mktemp("auditor")
    copy, own = elsewhere / "heads.ndjson", elsewhere / "key.txt"
    copy.write_text(heads_file(data).read_text())
    own.write_text(public_key() + "\n")
    heads_file(data).unlink()
    key_file().unlink()
    (data / "audit-heads" / "keys.txt").unlink()
    assert check_database(process="cli", heads=copy, keys=[str(own)]).whole
    assert not check().whole
    with pytest.raises(KeyUnreadable):
        read_signed(copy, ["12"])
