"""Both lakes keep the promise of lake_contract."""

from __future__ import annotations

from pathlib import Path

import pytest
from lake_contract import LakeContract

from zhiwan.kernel.lake import Lake, LakePort, MemoryLake


class TestMemoryLake(LakeContract):
    @pytest.fixture
    def lake(self) -> LakePort:
        return MemoryLake()


class TestDeltaLake(LakeContract):
    @pytest.fixture
    def lake(self, tmp_path: Path) -> LakePort:
        return Lake(tmp_path / "lake")
