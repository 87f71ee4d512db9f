"""Both lakes keep the promise of lake_contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
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


def test_a_lake_that_is_only_looked_at_makes_no_folder(tmp_path: Path) -> None:
    """A page that still asks when a story was dropped must not bring its lake back."""
    gone = Lake(tmp_path / "lakes" / "typhoon")
    at = datetime(2026, 7, 1, tzinfo=UTC)
    assert gone.history("e", "level", at, at + timedelta(hours=1)).is_empty()
    assert gone.rows("e", "level", at, at + timedelta(hours=1)).is_empty()
    assert gone.committed("app") == -1
    assert not (tmp_path / "lakes").exists()
