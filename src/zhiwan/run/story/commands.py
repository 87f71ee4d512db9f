"""`zhiwan story <name>`, `zhiwan story drop <space>`, `zhiwan story list`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people.acting import acting_system
from zhiwan.city.registry.models import Space
from zhiwan.city.watch.heartbeat import Beat, beats
from zhiwan.kernel.facts.errors import InputRefused, PartUnavailable
from zhiwan.kernel.packs.stories import Story, read_stories
from zhiwan.run.embedded import child
from zhiwan.run.story.director import Director
from zhiwan.run.story.dropping import drop_space
from zhiwan.run.story.held import is_played, played
from zhiwan.run.story.making import Made, make_space
from zhiwan.run.story.persons import Persons
from zhiwan.run.story.senders import Senders
from zhiwan.run.story.signals import Signals
from zhiwan.run.story.witness import Witness

PATIENCE = 40.0


class StoryUnknown(InputRefused):
    code = "STORY-010"
    fact = 'no pack declares the story "{name}"'
    detail = "There are: {known}."
    hint = "Choose one of them, or write stories/{name}.yml in a pack."


class NotRunning(PartUnavailable):
    code = "STORY-011"
    fact = "Zhiwan does not run here: {what}"
    hint = "Start it with bin/up, and name its data folder with --data if it is not .data."


def declared() -> dict[str, Story]:
    """The stories of all packs."""
    return read_stories(packs().packs)


def play(name: str, *, speed: float | None, auto: bool, say: Callable[[str], None]) -> int:
    """Play a story to its end; 0 if everything it expects came."""
    known = declared()
    if name not in known:
        raise StoryUnknown(name=name, known=", ".join(sorted(known)) or "none")
    story = known[name]
    _beat_of("worker", lambda beat: True, "its worker gives no sign of life")
    address = os.environ.get("ZHIWAN_URL", "http://127.0.0.1:8000")
    with played(story.id):
        made = make_space(story, now=datetime.now(UTC))
        say(f"推演 {story.title.zh} / story {story.title.en}: {address}/story")
        missed = _play(story, made, speed or story.speed, auto, address, say)
    say("── 推演结束 / the story has ended" + (f"; missed: {', '.join(missed)}" if missed else ""))
    say(f"   留给查看；删除： / it stays readable; to remove it: zhiwan story drop {made.space}")
    return 1 if missed else 0


def _play(story: Story, made: Made, speed: float, auto: bool, address: str, say: Callable[[str], None]) -> list[str]:
    """With a worker of its own, from the first step to the last; what did not come. Raises Dropped."""
    with _worker(made.space):
        _beat_of(
            f"worker:{made.space}", lambda beat: beat.body.get("state") == "active", "the story's worker is silent"
        )
        # The live worker must know whose the new devices are before the first of them speaks.
        elsewhere = len(made.secrets)
        _beat_of("worker", lambda b: int(b.body.get("devices_elsewhere", 0)) >= elsewhere, "its worker is silent")
        director = _director(story, made, say, speed, auto, address)
        try:
            director.play()
            time.sleep(2.0)  # the worker's last batch reaches the lake
        finally:
            director.senders.close()
    return director.missed


def _director(story: Story, made: Made, say: Callable[[str], None], speed: float, auto: bool, address: str) -> Director:
    port = int(os.environ.get("ZHIWAN_MQTT_PORT", "1883"))
    return Director(
        story=story,
        made=made,
        signals=Signals(story, packs()),
        senders=Senders(made.secrets, host="127.0.0.1", port=port),
        persons=Persons(made.space, story.cast),
        witness=Witness(made.space),
        say=say,
        speed=speed,
        auto=auto,
        address=address,
    )


def drop(space: str, say: Callable[[str], None]) -> None:
    """Remove it and say what went."""
    gone = drop_space(space)
    _log_of(space).unlink(missing_ok=True)
    say(f"推演 {space} 已删除 / the story {space} is gone: " + ", ".join(f"{what} {n}" for what, n in gone.items()))
    say("   审计记录保留 / its audit records stay: they are one chain and say the space they belong to")


def list_all(say: Callable[[str], None]) -> None:
    """Declared stories, and the spaces that are there."""
    there = {one.id: one for one in Space.objects.all()}
    for id, story in sorted(declared().items()):
        state = _state(there[id]) if id in there else "not played"
        say(f"{id}  {story.title.zh} / {story.title.en}  [{state}]")
    for id in sorted(set(there) - set(declared())):
        say(f"{id}  {there[id].title_zh} / {there[id].title_en}  [{_state(there[id])}]")


def _state(space: Space) -> str:
    return "stopped half-way" if space.state == "running" and not is_played(space.id) else space.state


def _log_of(space: str) -> Path:
    return Path(settings.ZHIWAN_DATA) / "logs" / f"worker-{space}.log"


@contextmanager
def _worker(space: str) -> Iterator[None]:
    """The worker of the space; it ends with us, however we end."""
    log = _log_of(space)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "zhiwan.run.cli", "worker", "--space", space],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            preexec_fn=child.become(child.ourselves(), signal.SIGTERM),
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _beat_of(process: str, fits: Callable[[Beat], bool], what: str) -> None:
    """Wait until a process tells what we wait for."""
    end = time.monotonic() + PATIENCE
    while True:
        with acting_system("cli"):
            beat = beats().get(process)
        if beat is not None and beat.alive(datetime.now(UTC)) and fits(beat):
            return
        if time.monotonic() > end:
            raise NotRunning(what=what)
        time.sleep(0.2)
