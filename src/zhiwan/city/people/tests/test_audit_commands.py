"""`zhiwan audit …`: exit codes for scripts, text for people, JSON for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.utils import timezone
from typer.testing import CliRunner, Result

from zhiwan.city.people import audit
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.tests.conftest import Intruder
from zhiwan.run.audit_commands import AuditUnreachable, audit_app

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def told(data: Path) -> Path:
    """Three records, nothing signed yet."""
    with acting_system("cli"):
        for number in range(3):
            audit.record("test.write", f"x:{number}", at=timezone.now())
    return data


def run(*words: str) -> Result:
    return CliRunner().invoke(audit_app, list(words))


def test_verify_has_an_exit_code_for_each_outcome(told: Path, intruder: Intruder) -> None:
    assert run("verify").exit_code == 3, "whole, but nothing was signed"
    assert run("sign").exit_code == 0
    whole = run("verify")
    assert whole.exit_code == 0
    assert "3 records in 1 chains read; last signed" in whole.stdout
    assert "What this check cannot see:" in whole.stdout
    with intruder.unhindered() as database:
        database.execute("UPDATE people_auditrecord SET actor = 'x' WHERE seq = 2")
    found = run("verify")
    assert found.exit_code == 1
    assert "system:cli: record 2 was changed (test.write x:1" in found.stdout
    report = json.loads(run("verify", "--json").stdout)
    assert (report["exit_code"], report["whole"], report["findings"][0]["first"]) == (1, False, 2)


def test_an_export_is_verified_with_heads_and_key_of_elsewhere(told: Path) -> None:
    run("sign")
    key = run("key").stdout.strip()
    file = told / "audit.ndjson.gz"
    assert "4 records" in run("export", str(file)).stdout
    assert run("verify", "--from", str(file)).exit_code == 0
    heads = str(told / "audit-heads")
    assert run("verify", "--from", str(file), "--heads", heads, "--key", key).exit_code == 0
    assert run("verify", "--from", str(file), "--heads", heads, "--key", "00" * 32).exit_code == 1


def test_a_database_that_does_not_answer_is_told_without_a_traceback(
    told: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    from zhiwan.city.people.auditing import checking

    def refuse(*words: object, **more: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(checking, "acting_system", refuse)
    problem = run("verify").exception
    assert isinstance(problem, AuditUnreachable)
    assert "bin/up" in problem.as_dict()["hint"]
