"""Replays three measured Shanghai stations into a running Zhiwan with a stock MQTT client, their time shifted to now.

    .venv/bin/python bench/replay_shanghai.py FILE.csv[.gz] --data .data [--hours 72] [--every 5]

FILE is the Shanghai file of "PM2.5 Data of Five Chinese Cities" (UCI, CC BY 4.0); it is not part of this project. The
stations are registered as simulated, under names that say that they are a replay. First the last `--hours` hours go in
with shifted times (the live door takes seven days), then one row every `--every` seconds as of now, until Ctrl-C.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

ZONE = ZoneInfo("Asia/Shanghai")
#: column of PM2.5 → device and its names
STATIONS = {
    "PM_Jingan": ("replay-jingan", "静安站（历史回放，时间平移）", "Jing'an (measured history, shifted to now)"),
    "PM_US Post": ("replay-us-post", "美领馆站（历史回放，时间平移）", "US Post (measured history, shifted to now)"),
    "PM_Xuhui": ("replay-xuhui", "徐汇站（历史回放，时间平移）", "Xuhui (measured history, shifted to now)"),
}
WEATHER = {"TEMP": "temperature", "PRES": "pressure", "DEWP": "dew_point", "precipitation": "rain"}


@dataclass(frozen=True)
class Row:
    """One hour of the file: when it was measured and what each station's device sends."""

    at: datetime
    values: dict[str, dict[str, float]]


def main() -> None:
    """Register, replay the past hours, go on live."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--data", type=Path, default=Path(".data"), help="data folder of the running Zhiwan")
    parser.add_argument("--hours", type=int, default=72, help="hours that are sent at once, with shifted times")
    parser.add_argument(
        "--every", type=float, default=5.0, help="seconds between further hours; 0: stop after the past"
    )
    options = parser.parse_args()
    rows = list(read(options.file))
    if not rows:
        sys.exit(f"{options.file} holds no hour with a measured value")
    secrets = register(options.data.resolve())
    port = int(os.environ.get("ZHIWAN_MQTT_PORT", "1883"))
    clients = {id: connect(id, secret, port) for id, secret in secrets.items()}
    past, future = rows[: options.hours], rows[options.hours :]
    now = datetime.now(UTC)
    shift = now.replace(minute=0, second=0, microsecond=0) - past[-1].at
    print(f"REPLAY, not live data: hours measured from {past[0].at:%Y-%m-%d %H:%M} on are told {shift.days} days later")
    sent = sum(publish(clients, row, row.at + shift) for row in past)
    print(f"{len(past)} hours, {sent} messages, all acknowledged by the broker")
    for row in future if options.every > 0 else []:
        time.sleep(options.every)
        publish(clients, row, datetime.now(UTC))
        print(f"measured {row.at:%Y-%m-%d %H:%M}, told as of now", flush=True)
    for client in clients.values():
        client.disconnect()
        client.loop_stop()


def read(path: Path) -> Iterator[Row]:
    """The hours in which at least one station measured."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as handle:
        for line in csv.DictReader(handle):
            year, month, day, hour = (int(line[name]) for name in ("year", "month", "day", "hour"))
            at = datetime(year, month, day, hour, tzinfo=ZONE)
            weather = {name: float(line[column]) for column, name in WEATHER.items() if line[column] not in ("NA", "")}
            values = {
                device: {"pm25": float(line[column])} | weather
                for column, (device, _, _) in STATIONS.items()
                if line[column] not in ("NA", "")
            }
            if values:
                yield Row(at, values)


def register(data: Path) -> dict[str, str]:
    """The three stations in the registry of the running Zhiwan; their secrets are kept beside its own."""
    from zhiwan.run.folder import DataFolder

    DataFolder(data).adopt_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhiwan.city.settings")
    import django

    django.setup()
    from zhiwan.city.files import private_file
    from zhiwan.city.packs_loaded import place
    from zhiwan.city.people.acting import acting_system
    from zhiwan.city.registry.actions import EntityDraft, create_devices, save_entities

    file = data / "secrets" / "replay.json"
    if file.exists():
        known: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
        return known
    towns = [area for area in place().areas if len(area.code) == 9 and area.seat]
    drafts = [
        EntityDraft(
            id=id, type="AirStation", name=name, name_en=name_en, area=town.code,
            lon=town.seat[0], lat=town.seat[1], simulated=True,
        )
        for (id, name, name_en), town in zip(STATIONS.values(), towns, strict=False)
        if town.seat
    ]  # fmt: skip
    with acting_system("cli"):
        save_entities(drafts=drafts)
        given = create_devices(pairs=[(draft.id, draft.id) for draft in drafts], simulated=True)
    private_file(file, json.dumps(given))
    print("registered; the worker takes new devices up within a minute", flush=True)
    time.sleep(20)
    return given


def connect(device: str, secret: str, port: int) -> Client:
    """A client as any device would use it: id and user are the device's id, the password its secret."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=device)
    client.username_pw_set(device, secret)
    client.connect("127.0.0.1", port)
    client.loop_start()
    until = time.monotonic() + 10
    while not client.is_connected():
        if time.monotonic() > until:
            sys.exit(f"the broker at port {port} did not let {device} in")
        time.sleep(0.05)
    return client


def publish(clients: dict[str, Client], row: Row, at: datetime) -> int:
    """One message a station; returns after the broker has stored each."""
    told = at.isoformat(timespec="seconds")
    waiting = [
        clients[device].publish(f"devices/{device}/telemetry", json.dumps({"at": told, "values": values}), qos=1)
        for device, values in row.values.items()
        if device in clients
    ]
    for one in waiting:
        one.wait_for_publish(10)
    return len(waiting)


if __name__ == "__main__":
    main()
