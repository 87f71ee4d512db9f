"""Places: what is local is data, and wrong data is told with its file and line."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from zhiwan.kernel.facts.calendar import WorkingCalendar, due
from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.place import load_place

INVENTED = Path(__file__).parents[2] / "places" / "yunwan"
SHIPPED = sorted((Path(__file__).parents[3] / "places").glob("*/place.yml"))


@pytest.mark.parametrize("place", [path.parent for path in SHIPPED] + [INVENTED], ids=lambda path: path.name)
def test_every_place_loads_and_holds_together(place: Path) -> None:
    loaded = load_place(place)
    codes = {area.code for area in loaded.areas}
    assert loaded.code in codes
    assert all(area.parent in codes for area in loaded.areas if area.code != loaded.code)
    assert {role.id for role in loaded.roles} >= {"duty_chief", "operator"}
    assert loaded.outline is not None
    assert all(area.synthetic for area in loaded.areas if area.geometry and area.code != loaded.code)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return Path(shutil.copytree(INVENTED, tmp_path / "yunwan"))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("place.yml", '"990101"', "990101", "valid string"),
        ("place.yml", "Asia/Shanghai", "Asia/Nowhere", "IANA"),
        ("place.yml", "zone:", "zonne:", "zone"),
        ("posts.yml", "role: flood_office,", "role: flood_ofice,", "flood_ofice"),
        ("posts.yml", "organisation: town-office", "organisation: town-ofice", "town-ofice"),
        ("posts.yml", '["990101001"]', '["990101999"]', "990101999"),
        ("demo.yml", "posts: [chief]", "posts: [cheif]", "cheif"),
        ("bodies.yml", "en: Operations centre", "de: Zentrale", "en"),
        ("calendar.yml", 'closes: "17:00"', 'closes: "08:00"', "closes after it opens"),
        ("calendar.yml", "from: 2026-07-01", "from: 2019-07-01", "order `hours` by `from`"),
        ("calendar.yml", "worked: [2099-01-04]", "worked: [2098-01-04]", "no day of 2099"),
        ("calendar.yml", "worked: [2099-01-04]", "worked: [2099-01-05]", "is a weekday"),
        ("calendar.yml", "reason: {zh: 台风停工, ", "reason: {", "zh"),
        ("calendar.yml", "source: 虚构的放假通知", "source: ''", "source"),
    ],
)
def test_a_mistake_is_told_with_file_and_line(place: Path, file: str, old: str, new: str, said: str) -> None:
    text = (place / file).read_text("utf-8")
    assert old in text
    (place / file).write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(PackFault) as refused:
        load_place(place)
    assert refused.value.file == file
    assert refused.value.line >= 1
    assert said in str(refused.value)


def test_terms_are_counted_by_the_calendar_of_the_place(place: Path) -> None:
    calendar = load_place(place).working_calendar
    friday = datetime(2026, 7, 31, 16, 30, tzinfo=ZoneInfo("Asia/Shanghai"))
    # Open until 17:30 since July; the Monday after is off for a typhoon, here only.
    assert f"{due(friday, 2, 'working_hour', calendar).at:%m-%d %H:%M}" == "08-04 10:00"
    assert f"{due(friday, 2, 'working_hour', WorkingCalendar()).at:%m-%d %H:%M}" == "08-03 10:00"
    eve = datetime(2098, 12, 31, 10, tzinfo=ZoneInfo("Asia/Shanghai"))
    stated = due(eve, 1, "working_day", calendar)
    assert (stated.at.date(), stated.provisional) == (date(2099, 1, 4), True), "2098 itself is not published"
    year_long = due(datetime(2099, 1, 3, 10, tzinfo=ZoneInfo("Asia/Shanghai")), 1, "working_day", calendar)
    assert (year_long.at.date(), year_long.provisional) == (date(2099, 1, 4), False)


def test_a_place_without_a_calendar_counts_by_the_usual_one(place: Path) -> None:
    (place / "calendar.yml").unlink()
    assert load_place(place).working_calendar == WorkingCalendar()


def test_areas_may_come_as_a_table(place: Path) -> None:
    (place / "areas.geojson").unlink()
    rows = ["code,name,name_en,lon,lat,synthetic", "990101001,云港,Yungang,122.1,29.1,true", "990101001001,一村,One,,,"]
    (place / "areas.csv").write_text("\n".join(rows), "utf-8")
    areas = {area.code: area for area in load_place(place).areas}
    assert areas["990101001"].seat == (122.1, 29.1)
    assert areas["990101001001"].parent == "990101001"
    assert areas["990101"].name == "云湾区"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("990101001,云港,,x,29,true", "read"),
        ("880101001,云港,,,,", "does not lie"),
        ("99010100,云港,,,,", "digits"),
        ("990101002001,村,,,,", "parent"),
        ("990101001,云港,,,,\n990101001,云港,,,,", "twice"),
        (",云港,,,,", "code"),
    ],
)
def test_a_wrong_row_of_areas_is_told(place: Path, row: str, said: str) -> None:
    (place / "areas.geojson").unlink()
    (place / "areas.csv").write_text(f"code,name,name_en,lon,lat,synthetic\n{row}\n", "utf-8")
    with pytest.raises(PackFault) as refused:
        load_place(place)
    assert refused.value.file == "areas.csv"
    assert refused.value.line >= 2
    assert said in str(refused.value)


def test_a_file_that_nobody_reads_is_told(place: Path) -> None:
    (place / "post.yml").write_text("", "utf-8")
    with pytest.raises(PackFault, match=r"post\.yml"):
        load_place(place)
