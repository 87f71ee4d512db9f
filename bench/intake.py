"""Decoding and checking alone: messages as the broker hands them over become observations; no broker, no judge.

    .venv/bin/python -m bench.intake [--messages 20000] [--batches 4] [--devices 5000]

The forms: three values a message, ten readings of three values a message, SenML, rows of the HTTP door; then bad cells:
every fifth message is broken or says what nobody declared, and every reading was seen before.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bench.measure import CHECKOUT, Result, arguments
from zhiwan.kernel.bus.messages import INTAKE, MQTT, Message
from zhiwan.kernel.packs.load import load_packs
from zhiwan.kernel.sense import DeviceInfo, Intake, IntakeMemory

START = datetime(2026, 3, 1, tzinfo=UTC)
TYPE = "PumpStation"
Payload = Callable[[int, int], bytes]


def milliseconds(turn: int, n: int = 0) -> int:
    return int(START.timestamp() * 1000) + turn * 60_000 + n * 10


def values(device: int, turn: int) -> dict[str, float]:
    return {"level": round(1 + (device * 7 + turn) % 300 / 100, 2), "running": turn % 2, "power": 100.0 + device % 50}


def single(device: int, turn: int) -> bytes:
    return json.dumps({"at": milliseconds(turn), "values": values(device, turn)}, separators=(",", ":")).encode()


def array(device: int, turn: int) -> bytes:
    rows = [{"at": milliseconds(turn, n), "values": values(device, turn + n)} for n in range(10)]
    return json.dumps(rows, separators=(",", ":")).encode()


def senml(device: int, turn: int) -> bytes:
    base = {"bt": milliseconds(turn) / 1000}
    found = [{"n": name, "v": value} for name, value in values(device, turn).items()]
    return json.dumps([base | found[0], *found[1:]]).encode()


def row(device: int, turn: int) -> bytes:
    body = {"device": f"d{device}", "at": milliseconds(turn), "values": values(device, turn)}
    return json.dumps(body, separators=(",", ":")).encode()


def faulty(device: int, turn: int) -> bytes:
    bad = (b'{"values": {"level": "high"}}', b"\xff\xfe not json", b'{"values": {"unheard_of": 1}}',
           b'{"values": {"level": {"value": 3, "unit": "kg"}}}')  # fmt: skip
    return bad[device // 5 % len(bad)] if device % 5 == 0 else single(device, turn)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--messages", type=int, default=20_000, help="messages a batch")
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--devices", type=int, default=5000)
    options = parser.parse_args()
    packs = load_packs([CHECKOUT / "packs"])
    result = Result(
        "intake",
        "Decoding and checks alone",
        data=f"{options.devices:,} devices of type {TYPE}",
        load=f"{options.batches} batches of {options.messages:,} messages after one to warm up, one process",
    )
    devices = {f"d{n}": DeviceInfo(f"d{n}", TYPE) for n in range(options.devices)}

    def measure(case: str, payload: Payload, kind: str = "telemetry", points: int = 3, again: bool = False) -> float:
        intake, memory = Intake(packs, devices), IntakeMemory()
        took = cpu = 0.0
        taken = refused = seq = 0
        size = 0
        for batch in range(options.batches + 1):
            messages = []
            for n in range(options.messages):
                device, seq = n % options.devices, seq + 1
                turn = n // options.devices + (0 if again else batch * (options.messages // options.devices + 1))
                body = payload(device, turn)
                size += len(body)
                subject = "intake.http" if kind == "rows" else f"$MQTT.msgs.devices.d{device}.{kind}"
                stream = INTAKE.name if kind == "rows" else MQTT.name
                at = START + timedelta(minutes=turn, seconds=1)
                messages.append(Message(stream, seq, subject, body, at))
            used, began = time.process_time(), time.perf_counter()
            found = intake.take(messages, memory, START)
            if batch:
                took += time.perf_counter() - began
                cpu += time.process_time() - used
                taken += found.observations.height
                refused += sum(found.counts.values()) - found.counts.get("taken", 0)
            memory.changed()
            memory.mark_saved()
        sent = options.messages * options.batches
        result.add(
            case,
            bytes_per_message=round(size / seq),
            us_per_message=took / sent * 1e6,
            points_per_second=sent * points / took,
            cpu_seconds_per_million_points=cpu / (sent * points) * 1e6,
            points_taken=taken,
            refused_or_known=refused,
        )
        return float(cpu / (sent * points) * 1e6)

    million = measure("JSON, three values", single)
    measure("JSON, ten readings of three values", array, points=30)
    measure("SenML, three values", senml, kind="senml")
    measure("HTTP rows, three values", row, kind="rows")
    measure("every fifth message broken", faulty)
    measure("every reading seen before", single, again=True)
    share = million * 75_000 / 1e6
    result.promise(f"75,000 points/s take at most half a core to decode and check (measured {share:.2f})", share <= 0.5)
    result.write(options.results)


if __name__ == "__main__":
    main()
