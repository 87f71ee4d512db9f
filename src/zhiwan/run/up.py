"""`zhiwan up`: one machine, everything, in order, until Ctrl-C.

PostgreSQL and NATS (servers.py) → schema, place, demonstration (step.py) → door → worker → jobs, web, live →
simulator → ready; then, every night, a round of what is kept and let go (nightly/). Each process gets
its addresses by environment variables (options.py) and nothing else, so the same processes run elsewhere without this
file. What keeps them alive: supervisor.py.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from zhiwan.city import supervised
from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.run.certificates import Certificates, certificates_for
from zhiwan.run.folder import DataFolder
from zhiwan.run.health import Health, ask
from zhiwan.run.lan import lan_settings, phone_words
from zhiwan.run.nightly.schedule import Nightly
from zhiwan.run.options import Options, addresses, wanted_ports
from zhiwan.run.ports import require_free
from zhiwan.run.servers import start_servers
from zhiwan.run.step import run_step
from zhiwan.run.supervisor import Child, Supervisor

READY_WITHIN = 170.0  # seconds; the promise for a cold start is three minutes
ROUND = 0.2
ASK_EVERY = 0.5


class DidNotBecomeReady(PartUnavailable):
    code = "UP-004"
    fact = "Zhiwan did not become ready within {seconds} s"
    detail = "Waiting for: {parts}."
    hint = "Read the logs in {logs}; then start again, nothing is lost."


class Stopped(Exception):
    """Ctrl-C or SIGTERM; not an error."""


def run_up(options: Options) -> None:
    """Starts everything and returns after Ctrl-C, with everything stopped."""
    say = _progress()
    logging.getLogger("zhiwan").setLevel(logging.ERROR)  # what servers say while they come up is in their logs
    folder = DataFolder(options.data)
    folder.hold(what=f"zhiwan up, {options.url}", started=datetime.now(UTC).astimezone().isoformat(timespec="seconds"))
    require_free(wanted_ports(options))
    supervisor = Supervisor(say, lambda parts: supervised.write(folder.path, parts))
    night: Nightly | None = None
    with _signals():
        try:
            night = _start(options, folder, supervisor, say)
            while True:
                supervisor.look()
                night.look()
                time.sleep(ROUND)
        except Stopped:
            say("stopping")
        finally:
            if night is not None:
                night.stop()
            supervisor.stop_all()
    say("stopped; the data stays in " + str(folder.path))


def _start(options: Options, folder: DataFolder, supervisor: Supervisor, say: Callable[[str], None]) -> Nightly:
    tls = certificates_for(options.lan, folder.path / "secrets", datetime.now(UTC)) if options.lan else None
    environment = {**os.environ, **addresses(options, folder), **(lan_settings(tls) if tls else {})}
    owner = start_servers(options, folder, supervisor, environment, say)
    folder.write_environment(environment)
    wanted = ["prepare", *([] if options.demo else ["--no-demo"])]
    prepared = run_step(wanted, {**environment, "ZHIWAN_OWNER_DATABASE_URL": owner}, folder, say)

    def run(name: str, *arguments: str) -> None:
        supervisor.run(Child(name, [name, *arguments], environment, folder.log(name)))

    for name in ("door", "worker", "jobs"):
        run(name)
    listen = ["--host", str(options.lan), "--cert", str(tls.certificate), "--key", str(tls.key)] if tls else []
    run("web", "--port", str(options.port), *listen)
    run("live", "--port", str(options.port + 1), *listen)
    if options.hj212_port:
        run("hj212", "--port", str(options.hj212_port))
    if options.demo:
        run("simulator", "--speed", str(options.demo_speed))
    say("processes started; waiting for " + ("first readings" if options.demo else "all parts"))
    _await_ready(options, folder, supervisor, say)
    say("ready")
    told = json.loads(prepared)
    _announce(options, folder, told, tls)
    return Nightly(folder.path, environment, folder.log("nightly"), told["zone"], say)


def _await_ready(options: Options, folder: DataFolder, supervisor: Supervisor, say: Callable[[str], None]) -> None:
    """Returns when healthz says ok and, in a demonstration, the first readings are in."""
    began = datetime.now(UTC)
    deadline = time.monotonic() + READY_WITHIN
    told: tuple[str, ...] = ()
    while True:
        supervisor.look()
        health = ask(options.url, ca=folder.path / "secrets" / "ca.crt" if options.lan else None)
        waiting = _waiting_for(health, began if options.demo else None)
        if not waiting:
            return
        if waiting != told and health.answered:
            say("waiting for " + ", ".join(waiting))
            told = waiting
        if time.monotonic() > deadline:
            raise DidNotBecomeReady(seconds=int(READY_WITHIN), parts=", ".join(waiting), logs=folder.logs)
        time.sleep(ASK_EVERY)


def _waiting_for(health: Health, readings_since: datetime | None) -> tuple[str, ...]:
    waiting = list(health.unwell)
    if readings_since and health.answered and not health.has_readings_since(readings_since):
        waiting.append("first readings")
    return tuple(waiting)


def _announce(options: Options, folder: DataFolder, prepared: dict[str, str], tls: Certificates | None) -> None:
    if tls:
        print(phone_words(options.url, prepared["phone_link"], tls), flush=True)  # noqa: T201 - this too
    print(f"\nZhiwan is ready: {options.url}", flush=True)  # noqa: T201 - this line is the product
    print(f"Sign in once with this link: {prepared['link']}", flush=True)  # noqa: T201
    print(f"Accounts and one device's secret: {folder.demo_file}   Ctrl-C stops everything.", flush=True)  # noqa: T201


def _progress() -> Callable[[str], None]:
    """Progress lines with the seconds since bin/up began."""
    began = float(os.environ.get("ZHIWAN_BEGAN", time.time()))

    def say(text: str) -> None:
        print(f"[{time.time() - began:5.1f}s] {text}", flush=True)  # noqa: T201

    return say


@contextmanager
def _signals() -> Iterator[None]:
    """Ctrl-C, SIGTERM and a closed terminal raise Stopped once; more of them do not disturb the stopping."""

    def stop(number: int, frame: object) -> None:
        for name in numbers:
            signal.signal(name, signal.SIG_IGN)
        raise Stopped

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
