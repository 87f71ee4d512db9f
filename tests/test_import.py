"""`zhiwan import`: units, refused cells with their lines, AQI by the law of the day, the same file twice."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import acting_system
from zhiwan.city.registry.models import Device, Entity
from zhiwan.city.registry.place import load_place
from zhiwan.city.watch import importing

pytestmark = pytest.mark.django_db(transaction=True)
PLACE = Path(__file__).parent / "places" / "yunwan"
NOW = datetime(2026, 4, 1, 8, tzinfo=UTC)
COLUMNS = "No,year,month,day,hour,PM2.5,PM10,SO2,NO2,CO,O3,TEMP,PRES,DEWP,RAIN,wd,WSPM,station"


def row(number: int, at: datetime, station: str = "Gucheng", **changed: str) -> list[str]:
    """A line of the Beijing files: hours of local time, CO in µg/m³."""
    values = {
        "PM2.5": "80", "PM10": "120", "SO2": "10", "NO2": "40", "CO": "900", "O3": "60", "TEMP": "4.1",
        "PRES": "1021", "DEWP": "-8", "RAIN": "0", "wd": "N", "WSPM": "2.4",
    } | changed  # fmt: skip
    clock = [str(number), str(at.year), str(at.month), str(at.day), str(at.hour)]
    return [*clock, *values.values(), station]


@pytest.fixture
def city(tmp_path: Path) -> Iterator[Path]:
    """A small place with a lake of its own."""
    with override_settings(ZHIWAN_DATA=tmp_path, ZHIWAN_PLACE=PLACE):
        packs_loaded.forget()
        with acting_system("cli"):
            load_place(declared=packs_loaded.place())
        yield tmp_path
    packs_loaded.forget()


def write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as handle:
        handle.write(COLUMNS + "\n")
        csv.writer(handle).writerows(rows)
    return path


def bring(file: Path, *, create: bool = True) -> importing.Outcome:
    id, source = importing.find_source("beijing_hourly")
    return importing.import_file(id, source, file, now=NOW, create_entities=create)


def values(entity: str, property: str) -> list[float]:
    start = datetime(2026, 2, 1, tzinfo=UTC)
    return list(packs_loaded.lake().history(entity, property, start, start + timedelta(days=90))["value"])


def raw_count(entity: str, property: str) -> int:
    start = datetime(2026, 2, 1, tzinfo=UTC)
    return packs_loaded.lake().rows(entity, property, start, start + timedelta(days=90)).height


SHANGHAI = timezone(timedelta(hours=8))
HOURS = [datetime(2026, 2, 28, 22, tzinfo=SHANGHAI) + timedelta(hours=hour) for hour in range(4)]


def test_units_are_those_of_the_source_and_aqi_those_of_the_day(city: Path) -> None:
    outcome = bring(write(city / "a.csv", [row(n, at) for n, at in enumerate(HOURS, 1)]))
    assert (outcome.rows, dict(outcome.refused)) == (4, {})
    assert values("beijing-gucheng", "co") == [0.9] * 4  # the file says µg/m³, the standard wants mg/m³
    aqi = values("beijing-gucheng", "aqi")
    assert aqi[0] == aqi[1]
    assert aqi[2] == aqi[3]
    assert aqi[0] != aqi[2], "PM2.5 of 80 has another index since 2026-03-01"


def test_the_same_file_twice_changes_nothing(city: Path) -> None:
    file = write(city / "a.csv", [row(n, at) for n, at in enumerate(HOURS, 1)])
    bring(file)
    before = raw_count("beijing-gucheng", "pm25")
    again = bring(file)
    assert again.before
    assert raw_count("beijing-gucheng", "pm25") == before == 4


def test_refused_cells_are_told_with_line_and_reason_and_the_rest_lives(city: Path) -> None:
    rows = [row(1, HOURS[0], **{"PM2.5": "lots"}), row(2, HOURS[1], CO="inf"), row(3, HOURS[2]), ["short", "line"]]
    outcome = bring(write(city / "a.csv", rows))
    assert dict(outcome.refused) == {"NOT_A_NUMBER": 1, "NOT_FINITE": 1, "MALFORMED": 1}
    with (city / "imports" / "a.csv.refused.csv").open(encoding="utf-8") as handle:
        told = list(csv.DictReader(handle))
    assert [(one["line"], one["code"]) for one in told] == [
        ("2", "NOT_A_NUMBER"), ("3", "NOT_FINITE"), ("5", "MALFORMED"),
    ]  # fmt: skip
    assert all(one["reason_zh"] and one["hint_en"] for one in told)
    assert values("beijing-gucheng", "pm25") == [80.0, 80.0]
    assert len(values("beijing-gucheng", "pm10")) == 3


def test_unknown_stations_wait_until_they_are_registered(city: Path) -> None:
    file = write(city / "a.csv", [row(1, HOURS[0]), row(2, HOURS[0], "Tiantan")])
    first = bring(file, create=False)
    assert first.unknown == {"beijing-gucheng", "beijing-tiantan"}
    assert values("beijing-gucheng", "pm25") == []
    importing.register(importing.find_source("beijing_hourly")[1], {"beijing-gucheng"}, "cli")
    second = bring(file, create=False)
    assert second.unknown == {"beijing-tiantan"}
    assert values("beijing-gucheng", "pm25") == [80.0]
    third = bring(file, create=True)
    assert not third.unknown
    assert values("beijing-tiantan", "pm25") == [80.0]
    assert raw_count("beijing-gucheng", "pm25") == 1
    assert bring(file).before


def test_an_import_that_was_cut_off_goes_on(city: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK_ROWS", 2)
    file = write(city / "a.csv", [row(n, at) for n, at in enumerate(HOURS, 1)])
    whole = importing.HistoryDeriver.derive
    calls: list[int] = []

    def cut_off(self: Any, chunk: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self, chunk, **more)

    with monkeypatch.context() as patch:
        patch.setattr(importing.HistoryDeriver, "derive", cut_off)
        with pytest.raises(KeyboardInterrupt):
            bring(file)
    assert raw_count("beijing-gucheng", "pm25") == 2
    assert not bring(file).before
    assert raw_count("beijing-gucheng", "pm25") == 4
    assert raw_count("beijing-gucheng", "aqi") == 4


def test_new_stations_get_a_device_whose_secret_is_private(city: Path) -> None:
    bring(write(city / "a.csv", [row(1, HOURS[0])]))
    with acting_system("cli"):
        assert Entity.objects.get(id="beijing-gucheng").type == "AirStation"
        assert Device.objects.filter(id="beijing-gucheng", simulated=False).exists()
    file = city / "secrets" / "imported-devices.json"
    assert file.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(file.read_text(encoding="utf-8"))) == {"beijing-gucheng"}


def test_a_source_nobody_declares_is_told_with_those_that_are(city: Path) -> None:
    with pytest.raises(importing.NoSuchSource) as caught:
        importing.find_source("nowhere")
    assert "life.air.beijing_hourly" in str(caught.value)
