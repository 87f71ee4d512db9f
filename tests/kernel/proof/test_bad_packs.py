"""Each check bites: the packs in tests/bad_packs fail with their own code, told with file, line and next step."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from zhiwan.kernel.packs import broken
from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.check import check_pack
from zhiwan.kernel.proof.scaffold import new_pack

BAD = Path(__file__).parents[2] / "bad_packs"
FOLDERS = sorted(path for path in BAD.iterdir() if path.is_dir())
ROLES = ["operator", "duty_chief"]

#: Faults that only a comparison with the pack below them shows.
COMPARED = {"PACK-055", "PACK-056", "PACK-057", "PACK-058"}
#: Faults that need more than one wrong file; each has its own test (below or in tests/kernel/packs).
TESTED_APART = {"PACK-013", "PACK-046"}


def laid_over(folder: Path, root: Path) -> Path:
    pack = new_pack("life/bad", root)
    if folder.is_dir():
        shutil.copytree(folder, pack, dirs_exist_ok=True, ignore=shutil.ignore_patterns("error.txt", "before"))
    return pack


def test_the_pack_below_them_is_sound(tmp_path: Path) -> None:
    assert check_pack(new_pack("life/bad", tmp_path), roles=ROLES) == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_bad_pack_fails_with_its_own_code_and_says_where_and_what_next(folder: Path, tmp_path: Path) -> None:
    code = folder.name.split("_")[0]
    before = laid_over(folder / "before", tmp_path / "before") if code in COMPARED else None
    found = check_pack(laid_over(folder, tmp_path), roles=ROLES, before=before)
    assert {fault.code for fault in found} == {code}
    for fault in found:
        assert isinstance(fault, PackFault)
        texts = fault.as_dict()
        assert (tmp_path / "life" / "bad" / fault.file).is_file()
        # A file that does not belong has no line of its own.
        assert fault.line >= 1 or fault.code == "PACK-008"
        assert texts["hint"]
        assert "?" not in texts["fact"]
    shown = "\n".join(str(fault) for fault in found) + "\n"
    if os.environ.get("ZHIWAN_WRITE_ERRORS"):
        (folder / "error.txt").write_text(shown, "utf-8")
    assert (folder / "error.txt").read_text("utf-8") == shown


def test_every_fault_has_a_pack_that_fails_with_it() -> None:
    codes = [
        kind.code
        for module in (broken, faults)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, PackFault) and kind is not PackFault
    ]
    tried = {folder.name.split("_")[0] for folder in FOLDERS}
    assert set(codes) - TESTED_APART == tried


def test_no_code_is_used_twice() -> None:
    kinds = {kind for module in (broken, faults) for kind in vars(module).values() if isinstance(kind, type)}
    codes = [kind.code for kind in kinds if issubclass(kind, PackFault) and kind is not PackFault]
    assert len(codes) == len(set(codes))
