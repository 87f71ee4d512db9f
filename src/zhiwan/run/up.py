"""`zhiwan up`: one machine, everything, in order, until Ctrl-C.

PostgreSQL and NATS (embedded, unless URLs of others are given) → schema, place, demonstration → door → worker →
jobs, web, live → simulator → ready. Each process gets its addresses by environment variables and nothing else, so the
same processes run elsewhere without this file. What keeps them alive: supervisor.py.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from zhiwan.city import supervised
from zhiwan.kernel.facts.errors import InputRefused, PartUnavailable
from zhiwan.run.certificates import Certificates, certificates_for
from zhiwan.run.embedded import child as embedded
from zhiwan.run.embedded.nats import EmbeddedNats
from zhiwan.run.embedded.postgres import EmbeddedPostgres
from zhiwan.run.folder import DataFolder
from zhiwan.run.health import Health, ask
from zhiwan.run.lan import lan_settings, phone_words
from zhiwan.run.ports import Wanted, require_free
from zhiwan.run.supervisor import Child, Supervisor

CHECKOUT = Path(__file__).resolve().parents[3]
READY_WITHIN = 170.0  # seconds; the promise for a cold start is three minutes
ROUND = 0.2
ASK_EVERY = 0.5


class DidNotBecomeReady(PartUnavailable):
    code = "UP-004"
    fact = "Zhiwan did not become ready within {seconds} s"
    detail = "Waiting for: {parts}."
    hint = "Read the logs in {logs}; then start again, nothing is lost."


class StepFailed(PartUnavailable):
    code = "UP-005"
    fact = "the step `zhiwan {step}` failed (exit code {exit_code})"
    detail = "Its last words:\n{words}"
    hint = "The whole log is {log}."


class WhichPlace(InputRefused):
    code = "UP-006"
    fact = "which district shall run here?"
    detail = "Found below places/: {places}."
    hint = "Set ZHIWAN_PLACE to the folder of one that has a place.yml."


@dataclass(frozen=True)
class Options:
    data: Path
    port: int
    mqtt_port: int
    demo: bool
    demo_speed: float
    hj212_port: int | None = None
    lan: IPv4Address | None = None  # serve HTTPS on this address instead of HTTP on loopback
    lan_mqtt: bool = False

    @property
    def url(self) -> str:
        return f"{self._origin}:{self.port}"

    @property
    def live_url(self) -> str:
        return f"{self._origin}:{self.port + 1}"

    @property
    def mqtt_host(self) -> str:
        return "0.0.0.0" if self.lan_mqtt else "127.0.0.1"  # noqa: S104 - asked for with --lan-mqtt

    @property
    def _origin(self) -> str:
        return f"https://{self.lan}" if self.lan else "http://127.0.0.1"


@dataclass
class EmbeddedPart:
    """PostgreSQL or NATS as a part the supervisor can keep alive."""

    name: str
    server: Any  # EmbeddedPostgres | EmbeddedNats: both have start(), stop(), exit_code, complaint()
    started: Any = field(default=None, repr=False)

    def start(self) -> None:
        self.started = self.server.start()

    def exit_code(self) -> int | None:
        code: int | None = self.server.exit_code
        return code

    def complaint(self) -> str | None:
        found: str | None = self.server.complaint()
        return found

    def begin_stop(self) -> None:
        """Nothing yet: what stores outlives what writes."""

    def stop(self, grace: float) -> None:
        self.server.stop()


class Stopped(Exception):
    """Ctrl-C or SIGTERM; not an error."""


def run_up(options: Options) -> None:
    """Starts everything and returns after Ctrl-C, with everything stopped."""
    say = _progress()
    logging.getLogger("zhiwan").setLevel(logging.ERROR)  # what servers say while they come up is in their logs
    folder = DataFolder(options.data)
    folder.hold(what=f"zhiwan up, {options.url}", started=datetime.now(UTC).astimezone().isoformat(timespec="seconds"))
    require_free(_ports(options))
    supervisor = Supervisor(say, lambda parts: supervised.write(folder.path, parts))
    with _signals():
        try:
            _start(options, folder, supervisor, say)
            while True:
                supervisor.look()
                time.sleep(ROUND)
        except Stopped:
            say("stopping")
        finally:
            supervisor.stop_all()
    say("stopped; the data stays in " + str(folder.path))


def _ports(options: Options) -> list[Wanted]:
    return [
        Wanted(options.port, "web and live", "--port", span=2),
        *([] if os.environ.get("ZHIWAN_NATS_URL") else [Wanted(options.mqtt_port, "MQTT", "--mqtt-port")]),
        *([Wanted(options.hj212_port, "HJ 212", "--hj212-port")] if options.hj212_port else []),
    ]


def _start(options: Options, folder: DataFolder, supervisor: Supervisor, say: Callable[[str], None]) -> None:
    tls = certificates_for(options.lan, folder.path / "secrets", datetime.now(UTC)) if options.lan else None
    environment = {**os.environ, **_addresses(options, folder), **(lan_settings(tls) if tls else {})}
    owner = _start_servers(options, folder, supervisor, environment, say)
    folder.write_environment(environment)
    wanted = ["prepare", *([] if options.demo else ["--no-demo"])]
    prepared = _run_step(wanted, {**environment, "ZHIWAN_OWNER_DATABASE_URL": owner}, folder, say)

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
    _announce(options, folder, json.loads(prepared), tls)


def _addresses(options: Options, folder: DataFolder) -> dict[str, str]:
    """What every process is told. An operator's own setting wins over the place and packs of the checkout."""
    return {
        "DJANGO_SETTINGS_MODULE": "zhiwan.city.settings",
        "ZHIWAN_DATA": str(folder.path),
        "ZHIWAN_URL": options.url,
        "ZHIWAN_LIVE_URL": options.live_url,
        "ZHIWAN_MQTT_PORT": str(options.mqtt_port),
        "ZHIWAN_SECRET_KEY_FILE": str(folder.secret_key()),
        "ZHIWAN_PLACE": os.environ.get("ZHIWAN_PLACE") or str(_only_place()),
        "PYTHONUNBUFFERED": "1",
    }


def _only_place() -> Path:
    """The district this checkout carries; with several of them a person has to choose."""
    found = sorted(path.parent for path in (CHECKOUT / "places").glob("*/place.yml"))
    if len(found) != 1:
        raise WhichPlace(places=", ".join(path.name for path in found) or "none")
    return found[0]


def _start_servers(
    options: Options,
    folder: DataFolder,
    supervisor: Supervisor,
    environment: dict[str, str],
    say: Callable[[str], None],
) -> str:
    """Starts the embedded servers that no URL replaces, writes their addresses into `environment`; the owner's URL."""
    if "ZHIWAN_DATABASE_URL" in os.environ:
        owner = os.environ.get("ZHIWAN_OWNER_DATABASE_URL", os.environ["ZHIWAN_DATABASE_URL"])
        environment.pop("ZHIWAN_OWNER_DATABASE_URL", None)
    else:
        postgres = EmbeddedPart("PostgreSQL", EmbeddedPostgres(folder.path))
        supervisor.run(postgres)
        owner, environment["ZHIWAN_DATABASE_URL"] = postgres.started.owner, postgres.started.login
        say("PostgreSQL answers")
    if "ZHIWAN_NATS_URL" not in os.environ:
        nats = EmbeddedPart("NATS", EmbeddedNats(folder.path, options.mqtt_port, mqtt_host=options.mqtt_host))
        supervisor.run(nats)
        environment["ZHIWAN_NATS_URL"] = nats.started.url
        environment["ZHIWAN_NATS_CREDENTIALS_FILE"] = str(nats.started.credentials_file)
        environment["ZHIWAN_DOOR_FILE"] = str(nats.started.door_file)
        environment["ZHIWAN_NATS_LOG"] = str(nats.started.log)
        say("NATS answers")
    return str(owner)


def _run_step(arguments: list[str], environment: dict[str, str], folder: DataFolder, say: Callable[[str], None]) -> str:
    """Runs `zhiwan <arguments>` to its end and gives the last line it prints; the lines before are its progress.

    What it says on standard error goes to the log prepare.log.
    """
    log = folder.log("prepare")
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "zhiwan.run.cli", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            preexec_fn=embedded.become(embedded.ourselves(), signal.SIGKILL),
        )
    last = ""
    try:
        for line in process.stdout or ():
            if last:
                say(last)
            last = line.rstrip()
        process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode != 0:
        raise StepFailed(step=arguments[0], exit_code=process.returncode, words=embedded.last_words(log), log=log)
    return last


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
