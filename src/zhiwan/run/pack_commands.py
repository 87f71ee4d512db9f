"""`zhiwan pack check | replay | new`: for authors of packs; needs no server, database or network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zhiwan.run.pack_history import as_it_was

if TYPE_CHECKING:
    from zhiwan.kernel.packs.models import Pack

CHECKOUT = Path(__file__).resolve().parents[3]

packs_app = typer.Typer(help="Packs: check, replay, start a new one.", no_args_is_help=True)

Folders = Annotated[
    list[Path] | None, typer.Argument(help="Pack folders (packs/life/air); without any, all packs.", exists=True)
]
With = Annotated[list[Path] | None, typer.Option("--with", help="More roots of packs that these may name.")]


@packs_app.command()
def check(
    folders: Folders = None,
    others: With = None,
    place: Annotated[Path | None, typer.Option(help="Place whose roles and rows the packs may name.")] = None,
    against: Annotated[
        str, typer.Option(help="Git revision, or folder of packs: meaning changes only together with the version.")
    ] = "",
) -> None:
    """Check packs whole: files, names, units, dates, expressions, code, replays. Exit code 1 when one is wrong."""
    from zhiwan.kernel.proof.check import check_pack, load_readable

    wanted, roots = _wanted(folders, others)
    among, places = load_readable(roots), _places(place)
    roles, rows = _roles(places), _rows(places)
    wrong = 0
    for folder in wanted:
        with as_it_was(folder, against) as before:
            faults = check_pack(folder, among, roles, rows, before)
        wrong += bool(faults)
        typer.echo(f"{'✗' if faults else '✓'} {_shown(folder)}")
        for fault in faults:
            texts = fault.as_dict()
            typer.echo(f"  {texts['code']} {texts['fact']}")
            for text in (texts["detail"], texts["hint"]):
                if text:
                    typer.echo(f"      {text}")
    typer.echo(f"{len(wanted)} checked, {wrong} wrong")
    raise typer.Exit(1 if wrong else 0)


@packs_app.command()
def replay(
    folders: Folders = None,
    others: With = None,
    rule: Annotated[str | None, typer.Option(help="Only replays of this rule or derive step.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show every alarm event.")] = False,
) -> None:
    """Run the replays of packs through the judge. Exit code 1 when an expectation does not hold."""
    from zhiwan.kernel.facts.errors import PackBroken
    from zhiwan.kernel.packs.load import read_pack
    from zhiwan.kernel.packs.packset import PackSet
    from zhiwan.kernel.proof.check import load_readable
    from zhiwan.kernel.proof.replay import replay_pack

    wanted, roots = _wanted(folders, others)
    among, ran, wrong = load_readable(roots), 0, 0
    for folder in wanted:
        typer.echo(_shown(folder))
        try:
            read = read_pack(folder)
            packs = PackSet.of([read.pack, *_needed(read.pack, among)])
            replays = [one for _, _, one in read.replays if rule is None or rule in (one.rule, one.derive)]
            for result in replay_pack(packs, packs.pack(read.pack.id), replays):
                ran, wrong = ran + 1, wrong + bool(result.problems)
                typer.echo(f"  {'✗' if result.problems else '✓'} {result.replay.kind:8}{result.replay.title}")
                for problem in result.problems:
                    typer.echo(f"      {problem}")
                if result.problems:
                    typer.echo(f"      what happened: {result.happened}")
                for event in result.events if verbose else ():
                    typer.echo(f"      {event.recorded_at:%H:%M:%S} {event.kind} {event.level}: {event.message_en}")
        except PackBroken as fault:
            wrong += 1
            typer.echo(f"  ✗ {fault}")
    typer.echo(f"{ran} replayed, {wrong} wrong")
    raise typer.Exit(1 if wrong else 0)


@packs_app.command()
def new(
    name: Annotated[str, typer.Argument(help="<part>/<name>, such as life/noise")],
    type: Annotated[str | None, typer.Option(help="Name of its first type, such as LampPost.")] = None,
    mission: Annotated[str, typer.Option(help="Row of the mission it works on, such as A18.")] = "A5",
    root: Annotated[Path, typer.Option(help="Folder of packs it is written to.")] = CHECKOUT / "packs",
) -> None:
    """Start a pack: a small complete one that passes check and replay."""
    from zhiwan.kernel.facts.errors import PackBroken
    from zhiwan.kernel.proof.scaffold import new_pack

    try:
        folder = new_pack(name, root, type=type, mission=mission)
    except PackBroken as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from None
    shown = _shown(folder)
    typer.echo(f"Wrote {shown}. Now: bin/zhiwan pack check {shown} && bin/zhiwan pack replay {shown}")
    typer.echo("What to change next: docs/how-to/first-pack.md")


def _wanted(folders: list[Path] | None, others: list[Path] | None) -> tuple[list[Path], list[Path]]:
    """The folders to look at, and the roots of all packs they may name."""
    from zhiwan.kernel.packs.load import pack_folders

    extra = [Path(part) for part in os.environ.get("ZHIWAN_PACKS", "").split(":") if part]
    roots = [root for root in (CHECKOUT / "packs", *extra, *(others or [])) if root.is_dir()]
    if folders:
        wanted = [folder.resolve() for folder in folders]
        own = {folder.parent.parent for folder in wanted}
        roots += [root for root in sorted(own) if root not in {known.resolve() for known in roots}]
        return wanted, roots
    return [folder for root in roots for folder in pack_folders(root)], roots


def _needed(pack: Pack, among: list[Pack]) -> list[Pack]:
    """The packs a pack needs, and those they need: the others' rules would only cost time."""
    by_id = {one.id: one for one in among}
    found: dict[str, Pack] = {}
    waiting = list(pack.manifest.needs)
    while waiting:
        name = waiting.pop()
        if name in by_id and name not in found and name != pack.id:
            found[name] = by_id[name]
            waiting += by_id[name].manifest.needs
    return list(found.values())


def _places(place: Path | None) -> list[Path]:
    """The named place, the place of this process, or all places of the checkout."""
    named = place or (Path(os.environ["ZHIWAN_PLACE"]) if "ZHIWAN_PLACE" in os.environ else None)
    return [named] if named else sorted(path.parent for path in (CHECKOUT / "places").glob("*/place.yml"))


def _roles(places: list[Path]) -> set[str] | None:
    from zhiwan.kernel.packs.place import load_place

    return {role.id for one in places for role in load_place(one).roles} or None


def _rows(places: list[Path]) -> set[str] | None:
    from zhiwan.kernel.packs.mission import plan_rows

    return {row.id for one in places for row in plan_rows(one)} or None


def _shown(folder: Path) -> str:
    return str(folder.relative_to(Path.cwd())) if folder.is_relative_to(Path.cwd()) else str(folder)
