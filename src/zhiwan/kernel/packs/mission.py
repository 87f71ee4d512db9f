"""The rows of a place's plan (`mission.csv` of its folder: id, title, title_en), which packs and tests name."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PlanRow:
    id: str
    title: str
    title_en: str


def plan_rows(folder: Path) -> list[PlanRow]:
    """All rows in their order; a place without a plan has none."""
    file = folder / "mission.csv"
    if not file.is_file():
        return []
    with file.open(encoding="utf-8-sig", newline="") as handle:
        listed = list(csv.DictReader(handle))
    return [PlanRow(row["id"], row["title"], row.get("title_en") or row["title"]) for row in listed]
