"""The simulated district: the same for the same seed, physically linked, alike in any place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from zhiwan.kernel.facts.observations import OBSERVATION_SCHEMA
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.packs.packset import PackSet
from zhiwan.kernel.packs.place import PlaceDecl, load_place
from zhiwan.kernel.packs.signals import AnySignal, Signal
from zhiwan.run.simulator.fleet import SimDevice, build_fleet, hand_devices
from zhiwan.run.simulator.history import history
from zhiwan.run.simulator.models import MODELS, World

ROOT = Path(__file__).resolve().parents[2]
PLACES = [ROOT / "places/jinshan", ROOT / "tests/places/yunwan"]
BEGAN = datetime(2026, 7, 8, 6, 0, tzinfo=UTC)


@cache
def district(folder: Path) -> tuple[PackSet, PlaceDecl, list[SimDevice], World]:
    packs, place = load_packs([ROOT / "packs"]), load_place(folder)
    fleet = build_fleet(packs, place)
    return packs, place, fleet, World(fleet, place, began=BEGAN)


def of_type(fleet: list[SimDevice], name: str) -> list[SimDevice]:
    return [device for device in fleet if device.type == name]


@pytest.mark.parametrize("folder", PLACES, ids=lambda path: path.name)
def test_two_thousand_devices_of_at_least_twelve_types(folder: Path) -> None:
    packs, place, fleet, _ = district(folder)
    assert len(fleet) >= 2000
    assert len({device.type for device in fleet}) >= 12
    assert len({device.id for device in fleet}) == len(fleet)
    areas = {area.code for area in place.areas}
    assert all(device.area in areas and device.town in areas for device in fleet)
    assert {signal["model"] for device in fleet for signal in device.signals.values()} <= MODELS.keys()
    assert all(packs.type(device.type).properties.keys() >= device.signals.keys() for device in fleet)


def test_every_town_has_devices() -> None:
    _, place, fleet, _ = district(PLACES[0])
    assert {device.town for device in fleet} == {area.code for area in place.areas if len(area.code) == 9}


def test_the_same_seed_gives_the_same_fleet_and_values() -> None:
    packs, place, fleet, world = district(PLACES[1])
    again = build_fleet(packs, place)
    assert again == fleet
    other = World(again, place, began=BEGAN)
    at = BEGAN + timedelta(minutes=17)
    assert [other.values(device, at) for device in again[::40]] == [world.values(device, at) for device in fleet[::40]]
    assert build_fleet(packs, place, seed=8) != fleet


@pytest.mark.parametrize("folder", PLACES, ids=lambda path: path.name)
def test_values_are_finite_and_within_the_declared_range(folder: Path) -> None:
    packs, _, fleet, world = district(folder)
    times = np.array([(BEGAN + timedelta(hours=number)).timestamp() for number in range(-48, 72, 3)])
    for device in fleet[::7]:
        for name, column in world.series(device, times, device.every).items():
            low, high = packs.type(device.type).properties[name].range or (-np.inf, np.inf)
            assert np.isfinite(column).all(), (device.id, name)
            assert ((column >= low) & (column <= high)).all(), (device.id, name, column.min(), column.max())


def test_the_tide_turns_every_12_hours_and_25_minutes_with_springs_and_neaps() -> None:
    _, _, fleet, world = district(PLACES[0])
    gauge = of_type(fleet, "TideGauge")[0]
    minutes = np.arange(0, 15 * 1440, 5.0)
    level = world.series(gauge, BEGAN.timestamp() + minutes * 60, timedelta(minutes=1))["level"]
    smooth = np.convolve(level, np.ones(13) / 13, "valid")
    window = 36  # three hours to each side
    crests = [i for i in range(window, len(smooth) - window) if smooth[i] == smooth[i - window : i + window + 1].max()]
    crests = [i for number, i in enumerate(crests) if number == 0 or i - crests[number - 1] > window]  # of equals, one
    between = np.diff(minutes[crests]) / 60
    assert abs(float(np.mean(between)) - 12.42) < 0.1
    heights = smooth[crests]
    assert heights.max() - heights.min() > 0.8  # springs against neaps


def test_rivers_follow_the_tide_late_and_weak() -> None:
    _, _, fleet, world = district(PLACES[0])
    gauge = of_type(fleet, "TideGauge")[0]
    near = min(of_type(fleet, "RiverLevelStation"), key=world.inland)
    far = max(of_type(fleet, "RiverLevelStation"), key=world.inland)
    # Days after all that was staged, in ten-minute steps.
    times = BEGAN.timestamp() + 6 * 86400 + np.arange(0, 3 * 86400, 600.0)
    tide = world.series(gauge, times, timedelta(minutes=1))["level"]

    def delay(level: np.ndarray) -> float:
        steps = [float(np.corrcoef(tide[: len(tide) - k], level[k:])[0, 1]) for k in range(40)]
        return int(np.argmax(steps)) / 6

    swings = []
    for station in (near, far):
        level = world.series(station, times, timedelta(minutes=1))["level"]
        swings.append(float(np.std(level[36:] - level[:-36])))
    assert 0.3 <= delay(world.series(near, times, timedelta(minutes=1))["level"]) <= 3
    assert swings[1] < swings[0] < float(np.std(tide[36:] - tide[:-36])) / 2


def test_ponding_follows_rain_with_a_lag_and_drains() -> None:
    world = district(PLACES[0])[3]
    spot = world._marks["underpass"]
    assert spot is not None
    minutes = np.arange(-120, 480, 5.0)
    times = BEGAN.timestamp() + minutes * 60
    rain = world.rain(spot, times).rate(times)
    depth = world.series(spot, times, timedelta(minutes=1))["depth"]
    assert minutes[int(np.argmax(depth))] - minutes[int(np.argmax(rain))] >= 15
    assert depth.max() >= 27
    assert depth[-1] < 5


def test_what_rain_gauges_tell_adds_up_to_what_falls() -> None:
    """Sums of reports of one minute equal the hour, at any speed of the clock."""
    _, place, fleet, _ = district(PLACES[0])
    gauge = next(device for device in of_type(fleet, "RainGauge") if device.fault is None)
    for speed in (1.0, 10.0):
        world = World(fleet, place, began=BEGAN, speed=speed)
        end = BEGAN + timedelta(hours=1)
        seconds = 60 / speed
        times = BEGAN.timestamp() + np.arange(1, 61 * speed) * seconds
        told = world.series(gauge, times[: int(60 * speed)], gauge.every)
        exact = world.rain(gauge, world.physical(times)).amount(
            world.physical(np.array([BEGAN.timestamp()])), world.physical(np.array([end.timestamp()]))
        )
        assert abs(float(told["rain"].sum()) - float(exact[0]) / speed) < 0.05 * 60 * speed / 2 + 0.2


def test_air_stations_share_the_weather() -> None:
    _, _, fleet, world = district(PLACES[0])
    times = BEGAN.timestamp() + np.arange(0, 10 * 86400, 3600.0)
    one, other = of_type(fleet, "AirStation")[0], of_type(fleet, "AirStation")[-1]
    a, b = (world.series(station, times, timedelta(hours=1))["pm25"] for station in (one, other))
    assert float(np.corrcoef(a, b)[0, 1]) > 0.9


def test_a_demonstration_begins_quiet_and_alive() -> None:
    """Some things are wrong in the first quarter of an hour, and not many: a duty officer would believe it."""
    _, _, fleet, world = district(PLACES[0])
    at = BEGAN + timedelta(minutes=5)
    now = {device.id: world.values(device, at) for device in fleet}
    flooded = [one.id for one in of_type(fleet, "UnderpassGauge") if now[one.id]["depth"] >= 27]
    dusty = [one.id for one in of_type(fleet, "DustMonitor") if now[one.id]["tsp"] > 1]
    high = [
        one.id
        for one in of_type(fleet, "RiverLevelStation")
        if now[one.id]["level"] >= float(one.fields["warning_level"] or 9)
    ]
    assert 1 <= len(flooded) <= 3
    assert 1 <= len(dusty) <= 4
    assert 1 <= len(high) <= 8
    assert world.jammed


def test_two_days_of_history_come_with_what_is_derived() -> None:
    packs, place, fleet, world = district(PLACES[1])
    few = [device for device in fleet if device.number % 25 == 0] + of_type(fleet, "AirStation")[:2]
    few += [device for device in fleet if device.id in ("lamp-0001", "lamp-leak-0001")]  # one sends less than the other
    frames = list(history(packs, few, world, now=BEGAN, region=place.code))
    assert all(frame.schema == OBSERVATION_SCHEMA for frame in frames)
    names = {name for frame in frames for name in frame["property"].unique()}
    assert {"level", "depth", "pm25", "aqi", "primary"} <= names
    lamps = next(frame for frame in frames if "leakage" in frame["property"])
    told = {id: set(of["property"]) for (id,), of in lamps.group_by("entity")}
    assert told["lamp-leak-0001"] == {"leakage"}
    assert {"power", "leakage", "door"} <= told["lamp-0001"]
    level = next(frame for frame in frames if "level" in frame["property"])
    assert level["observed_at"].max() == BEGAN
    assert level["observed_at"].min() == BEGAN - timedelta(hours=48)


def test_every_model_of_the_format_is_played_and_the_other_way_round() -> None:
    assert set(MODELS) == {name for name, _ in declared_models()}


PLAIN = {
    "constant": {"value": 4, "spread": 2, "jitter": 0.5},
    "daily": {"mean": 20, "swing": 8},
    "daylight": {},
    "night": {"on": 120, "jitter": 3},
    "switch": {"share": 0.3},
    "grows": {"start": 40, "per_day": 2, "upto": 43},
}


def plain(name: str, hours: np.ndarray) -> np.ndarray:
    """What a device of the place sends for a plain model, at hours of the clock on the wall from a midnight on."""
    _, place, fleet, world = district(PLACES[0])
    signal = dict(declared_models())[name].model_validate({"model": name} | PLAIN[name]).model_dump()
    device = replace(fleet[0], signals={"reading": signal}, decimals={"reading": 3}, fault=None)
    midnight = datetime(2026, 7, 8, tzinfo=ZoneInfo(place.place.zone)).timestamp()
    return world.series(device, midnight + hours * 3600, timedelta(minutes=5))["reading"]


def test_lamps_burn_in_the_dark_and_only_then() -> None:
    hours = np.arange(0, 24, 0.25)
    light, power = plain("daylight", hours), plain("night", hours)
    assert ((power > 100) == (light < 1)).all()
    assert 20_000 < light.max() <= 60_000
    assert 8 <= hours[power > 100].size / 4 <= 14


def test_plain_signals_do_what_the_reference_says() -> None:
    hours = np.arange(0, 240, 0.1)
    constant, daily = plain("constant", hours), plain("daily", hours[hours < 24])
    assert ((constant >= 1.5) & (constant <= 6.5)).all()
    assert float(np.ptp(constant)) > 0.5
    assert (round(float(daily.max()), 1), round(float(daily.min()), 1)) == (28.0, 12.0)
    assert hours[int(np.argmax(daily))] == pytest.approx(15, abs=0.2)
    door = plain("switch", hours)
    assert set(door) == {0.0, 1.0}
    assert 0.2 < float(door.mean()) < 0.4
    progress = plain("grows", hours)
    assert progress.max() == 43
    assert (np.diff(progress) >= 0).all()


def test_devices_by_hand_stand_beside_the_first_of_their_kind_whatever_packs_there_are() -> None:
    packs, _, fleet, _ = district(PLACES[0])
    hands = hand_devices(packs, fleet)
    assert (hands[0].id, hands[0].type) == ("hand-0001", "RiverLevelStation")
    assert not {device.id for device in hands} & {device.id for device in fleet}
    assert all(device.fault is None and device.fields for device in hands)


def declared_models() -> list[tuple[str, type[Signal]]]:
    union, _ = get_args(AnySignal)
    return [(get_args(model.model_fields["model"].annotation)[0], model) for model in get_args(union)]
