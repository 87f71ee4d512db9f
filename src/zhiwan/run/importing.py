"""`zhiwan import`: history from files, told on the console (city/watch/importing.py does the work)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from django.utils import timezone
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from zhiwan.city.watch.importing import Outcome, data_folder, find_source, import_file, roll_up


def run_import(source_id: str, files: Sequence[Path], *, create_entities: bool) -> int:
    """Imports files one after the other; 1 when something of them was refused."""
    console = Console()
    id, source = find_source(source_id)
    outcomes = []
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn(),
        console=console,
    ) as progress:  # fmt: skip
        for file in files:
            task = progress.add_task(file.name, total=1.0)
            outcomes.append(
                import_file(
                    id,
                    source,
                    file,
                    now=timezone.now(),
                    create_entities=create_entities,
                    tell=lambda part, task=task: progress.update(task, completed=part),  # type: ignore[misc]
                )
            )
            progress.update(task, completed=1.0)
        if any(not outcome.before for outcome in outcomes):
            task = progress.add_task("hourly and daily figures", total=None)
            roll_up()
            progress.update(task, total=1.0, completed=1.0)
    print_outcomes(console, outcomes)
    return 1 if any(outcome.refused for outcome in outcomes) else 0


def print_outcomes(console: Console, outcomes: Sequence[Outcome]) -> None:
    for one in outcomes:
        console.print(_sentence(one), highlight=False, soft_wrap=True)
    if any(one.refused for one in outcomes):
        console.print(f"Refused cells with reason and next step: {data_folder()}/<file>.refused.csv", soft_wrap=True)
    if any(one.unknown for one in outcomes):
        console.print("Stations that are not registered: register them, or import with --create-entities.")


def _sentence(one: Outcome) -> str:
    if one.before:
        return f"{one.file.name}: imported before, nothing changed"
    parts = [f"{one.rows:,} rows", f"{one.values:,} values", f"{one.derived:,} derived", f"{one.seconds:.1f} s"]
    parts += [f"{one.duplicates:,} duplicates"] if one.duplicates else []
    parts += [f"refused {code} {number:,}" for code, number in one.refused.items()]
    parts += [f"undeclared column {column} {number:,}" for column, number in one.extra.items()]
    return f"{one.file.name}: " + ", ".join(parts)
