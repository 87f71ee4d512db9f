"""One class meets every pack that ships: it is sound, and its rules do what its replays say."""

from __future__ import annotations

from pathlib import Path

import pytest

from zhiwan.kernel.packs.load import pack_folders, read_pack
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.place import load_place
from zhiwan.kernel.proof.check import check_pack, load_readable
from zhiwan.kernel.proof.replay import replay_pack

CHECKOUT = Path(__file__).parents[3]
PLACES = [*sorted((CHECKOUT / "places").glob("*/place.yml")), CHECKOUT / "tests/places/yunwan/place.yml"]
FOLDERS = pack_folders(CHECKOUT / "packs")


def test_packs_are_shipped() -> None:
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}.{folder.name}")
class TestPack:
    @pytest.mark.parametrize("place", PLACES, ids=lambda path: path.parent.name)
    def test_it_is_sound_in_front_of_each_place(self, folder: Path, place: Path) -> None:
        roles = {role.id for role in load_place(place.parent).roles}
        assert [str(fault) for fault in check_pack(folder, load_readable([CHECKOUT / "packs"]), roles)] == []

    def test_its_replays_hold(self, folder: Path) -> None:
        read = read_pack(folder)
        packs = PackSet.of(load_readable([CHECKOUT / "packs"]))
        replays = [replay for _, _, replay in read.replays]
        wrong = {
            result.replay.title: result.problems
            for result in replay_pack(packs, packs.pack(read.pack.id), replays)
            if result.problems
        }
        assert wrong == {}
