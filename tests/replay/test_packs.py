"""Every pack of the product: sound by all checks, and each of its replays holds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from zhiwan.kernel.judge import RuleBook
from zhiwan.kernel.packs.load import load_packs, pack_folders, read_pack
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.place import load_place
from zhiwan.kernel.packs.replays import Replay
from zhiwan.kernel.proof.check import check_pack, load_readable
from zhiwan.kernel.proof.replay import run_replay

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = pack_folders(ROOT / "packs")
PLACES = sorted(path.parent for top in ("places", "tests/places") for path in (ROOT / top).glob("*/place.yml"))
REPLAYS = [
    pytest.param(folder, replay, id=f"{folder.name}: {replay.rule or replay.derive} {replay.kind} - {replay.title}")
    for folder in FOLDERS
    for _, _, replay in read_pack(folder).replays
]


@pytest.mark.parametrize("place", PLACES, ids=lambda path: path.name)
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_a_pack_is_sound_in_every_place(folder: Path, place: Path) -> None:
    roles = {role.id for role in load_place(place).roles}
    assert [str(fault) for fault in check_pack(folder, load_readable([ROOT / "packs"]), roles)] == []


@pytest.mark.parametrize(("folder", "replay"), REPLAYS)
def test_a_replay_holds(folder: Path, replay: Replay) -> None:
    packs, book = _compiled()
    found = run_replay(packs, packs.pack(f"{folder.parent.name}.{folder.name}"), replay, book)
    assert found.problems == []


@cache
def _compiled() -> tuple[PackSet, RuleBook]:
    packs = load_packs([ROOT / "packs"])
    return packs, RuleBook.compile(packs)
