"""The processes of a running product: found below `zhiwan up` by what they run, never by name alone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from bench.measure import usage
from bench.product import Product, part_name

#: How a part is told from its command line. A supervised part is a direct child of `up`.
COMMANDS = {"nats": "nats-server", "postgres": "bin/postgres"}


def children(pid: int) -> list[int]:
    """Its direct children."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in task.read_text().split()]
        except OSError:
            continue
    return found


def command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def pid_of(product: Product, part: str) -> int | None:
    """The supervised process of a part; None while there is none."""
    wanted = COMMANDS.get(part, f"zhiwan.run.cli {part}")
    found = [pid for pid in children(product.process.pid) if wanted in command(pid)]
    return found[0] if found else None


def kill(product: Product, part: str) -> int:
    """kill -9 of a part; its process id."""
    pid = pid_of(product, part)
    if pid is None:
        raise LookupError(f"no process of {part}")
    os.kill(pid, signal.SIGKILL)
    return pid


def await_other(product: Product, part: str, than: int, seconds: float = 60.0) -> int:
    """The process that took the place of `than`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pid = pid_of(product, part)
        if pid not in (None, than):
            return int(pid or 0)
        time.sleep(0.1)
    raise TimeoutError(f"{part} was not started again within {seconds:g} s")


def memory_of(product: Product) -> dict[str, float]:
    """Resident megabytes of every part."""
    return {name: used.resident_mb for name, used in usage(product.process.pid, part_name).items()}
