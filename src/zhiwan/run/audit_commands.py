"""`zhiwan audit verify · export · key · sign`: the audit, looked at from outside its own pages.

Exit codes of `verify`, for scripts: 0 whole, and so say the signed heads · 1 something was found · 2 it could not be
checked · 3 whole in itself, but there were no signed heads to compare with.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.kernel.guard.check import Report
from zhiwan.run.django_ready import make_django_ready

audit_app = typer.Typer(help="The audit: check its chains, export it, sign its heads.", no_args_is_help=True)
Data = Annotated[Path, typer.Option("--data", help="Data folder of the running Zhiwan.")]
DEFAULT_DATA = Path(".data")
WHOLE, FOUND, UNPROVED = 0, 1, 3


class AuditUnreachable(PartUnavailable):
    """The database with the audit does not answer."""

    code = "AUDIT-011"
    fact = "the database of {data} does not answer"
    detail = "{problem}"
    hint = "Start Zhiwan (bin/up), or check an export: zhiwan audit verify --from FILE"


@audit_app.command()
def verify(
    from_: Annotated[
        Path | None, typer.Option("--from", exists=True, dir_okay=False, help="An export, instead of the database.")
    ] = None,
    heads: Annotated[
        Path | None, typer.Option(exists=True, help="Signed heads: a folder or one file. Default: those of --data.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="Public key to trust: 64 digits, or a file. Default: those of --data.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Follow every chain, compare with the signed heads. Exit code 0: whole, 1: found, 2: not checked, 3: unproved."""
    make_django_ready(data)
    from django.db import OperationalError

    from zhiwan.city.people.auditing.checking import check_database, check_export

    try:
        if from_ is not None:
            report = check_export(from_, heads=heads, keys=key or ())
        else:
            report = check_database(process="cli", tell=_progress, heads=heads, keys=key or ())
    except OperationalError as problem:
        raise AuditUnreachable(data=data, problem=str(problem).strip()) from problem
    code = exit_code(report)
    body = {"exit_code": code, **report.as_dict()}
    typer.echo(json.dumps(body, ensure_ascii=False, indent=1) if as_json else _text(report))
    raise typer.Exit(code)


def exit_code(report: Report) -> int:
    """What a script needs to know of a report."""
    if not report.whole:
        return FOUND
    return WHOLE if report.compared else UNPROVED


def _text(report: Report) -> str:
    """The report for a person: what was read, what was found, what could not be seen."""
    signed = f"last signed {report.signed_at:%Y-%m-%d %H:%M:%S} UTC" if report.signed_at else "no signed heads"
    lines = [f"{report.records} records in {report.chains} chains read; {signed}."]
    if report.whole:
        lines.append("Nothing was found: every record is as it was hashed and follows the one before it.")
    else:
        lines.append(f"FOUND {len(report.findings) + report.left_out}:")
        lines += [f"  - {one.says} [{one.code}]" for one in report.findings]
        lines += [f"  - and {report.left_out} more"] * bool(report.left_out)
    lines.append("What this check cannot see:")
    lines += [f"  - {one.says}" for one in report.blind]
    return "\n".join(lines)


@audit_app.command()
def export(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="NDJSON; packed when the name ends with .gz")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Write every record to a file that can be checked anywhere. The export is itself recorded."""
    make_django_ready(data)
    from django.db import OperationalError
    from django.utils import timezone

    from zhiwan.city.people.auditing.exporting import export_audit

    try:
        count = export_audit(file, process="cli", at=timezone.now())
    except OperationalError as problem:
        raise AuditUnreachable(data=data, problem=str(problem).strip()) from problem
    typer.echo(f"{count} records in {file}")


@audit_app.command()
def key(data: Data = DEFAULT_DATA) -> None:
    """Print the public key by which heads are signed; keep it where the data folder is not."""
    make_django_ready(data)
    from zhiwan.city.people.auditing.signing import public_key

    typer.echo(public_key())


@audit_app.command()
def sign(data: Data = DEFAULT_DATA) -> None:
    """Sign all heads now, besides every five minutes."""
    make_django_ready(data)
    from django.utils import timezone

    from zhiwan.city.people.auditing.signing import heads_folder, sign_heads

    told = sign_heads(process="cli", at=timezone.now())
    typer.echo(f"line {told.line} signed in {heads_folder()}: {told.chains} chains changed, key {told.key}")


def _progress(done: int, total: int) -> None:
    """A line that counts, for a person who waits."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {total} records" + ("\n" if done >= total else ""))
