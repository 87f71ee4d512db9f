"""The steps of a story, one after the other: the clock runs fast to each, stops there, and goes on when it is done.

A step is done when what it expects has come and what must be signed is signed. Nothing is made up: what does not come
within its time is told as missed and the story goes on. For a signature it waits as long as it takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from zhiwan.city.people.acting import acting_system
from zhiwan.city.registry.models import Space
from zhiwan.city.registry.spaces import ENDED, RUNNING, tell
from zhiwan.city.watch.models import WarningState
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.facts.spaces import AHEAD, SpaceClock
from zhiwan.kernel.packs.stories import Story, StoryStep, StoryWarning
from zhiwan.run.story.making import Made
from zhiwan.run.story.persons import Persons
from zhiwan.run.story.senders import Senders
from zhiwan.run.story.signals import Signals
from zhiwan.run.story.witness import Happened, Witness

PATIENCE = 45.0  # seconds for what a step expects
LOOK_EVERY = 0.4
MOST_TOLD = 12  # of one step on the page; the rest is counted
#: While a step waits the clock runs this fast: minutes that a rule or a person must wait pass, hours do not.
WAITING_SPEED = 120.0
PERSON_SPEED = 1.0


class Dropped(InputRefused):
    code = "STORY-004"
    fact = 'the space "{space}" was dropped while its story was played'
    hint = "Play it again: zhiwan story {space}"


@dataclass
class Director:
    """Plays one story to its end."""

    story: Story
    made: Made
    signals: Signals
    senders: Senders
    persons: Persons
    witness: Witness
    say: Callable[[str], None]
    speed: float
    auto: bool
    address: str
    missed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._clock: SpaceClock = self.made.clock
        self._reported = self.story.start - self.story.every
        self._looked = 0.0
        self._number = 0
        self._steps: list[dict[str, Any]] = [
            {
                "at": self.story.moment(step.at).isoformat(),
                "title": step.title.model_dump(),
                "text": step.text.model_dump(),
                "state": "next",
                "happened": [],
                "more": 0,
            }
            for step in self.story.steps
        ]
        self._waiting: dict[str, Any] | None = None

    def play(self) -> None:
        """From the first step to the last."""
        self._tell()
        for number, step in enumerate(self.story.steps):
            self._number = number  # what happens on the way belongs to the step it leads to
            self._run_to(self.story.moment(step.at))
            self._begin(number, step)
            self._finish(number, step)
        self._set_clock(self._clock.then(_now() + AHEAD, 0.0))
        with acting_system("cli"):
            Space.objects.filter(id=self.made.space).update(state=ENDED)

    # -- the clock --------------------------------------------------------------------------------------------------

    def _run_to(self, moment: datetime) -> None:
        """Fast until the clock shows `moment`; both changes are written before the first takes effect."""
        start = _now() + AHEAD
        left = moment - self._clock.at(start)
        if left > timedelta(0):
            stop = start + left / self.speed
            self._set_clock(self._clock.then(start, self.speed).then(stop, WAITING_SPEED))
            while _now() < stop:
                self._round()

    def _set_clock(self, clock: SpaceClock) -> None:
        self._clock = clock
        with acting_system("cli"):
            Space.objects.filter(id=self.made.space).update(clock=clock.as_json())

    # -- a step -----------------------------------------------------------------------------------------------------

    def _begin(self, number: int, step: StoryStep) -> None:
        self._steps[number]["state"] = "now"
        self._tell()
        self.say(f"── {step.at}  {step.title.zh} / {step.title.en}")
        if step.outside is not None:
            self.persons.record(step.outside)
        if step.lift:
            self.persons.lift_all()

    def _finish(self, number: int, step: StoryStep) -> None:
        end = time.monotonic() + PATIENCE
        state = "done"
        while not self.witness.met(step.expect):
            if time.monotonic() > end:
                state = "missed"
                self.missed.append(step.title.zh)
                self.say("   did not come within its time")
                break
            self._round()
        if step.sign is not None:
            self._get_signed(step.sign)
        self._look()
        self._steps[number]["state"] = state
        self._tell()

    def _get_signed(self, wanted: StoryWarning) -> None:
        """The desk reviews, a person signs, the story publishes. Waits for the person as long as it takes."""
        slow = False
        end = time.monotonic() + PATIENCE
        while True:
            found = self.witness.waiting(wanted)
            if found is None and time.monotonic() > end:
                self.missed.append(f"{wanted.warning} {wanted.level}")
                return
            if found is not None and found.state == WarningState.PUBLISHED:
                break
            if found is not None and found.state in (WarningState.PROPOSED, WarningState.DRAFT):
                self.persons.review(found.pk)
            elif found is not None and found.state == WarningState.SIGNED:
                self.persons.publish(found.pk)
            elif found is not None and found.state == WarningState.REVIEWED:
                if self.auto:
                    self.persons.sign(found.pk)
                elif not slow:
                    slow = True
                    self._set_clock(self._clock.then(_now() + AHEAD, PERSON_SPEED))
                    self._wait_for_person(found.pk, found.title_zh, found.title_en)
            elif found is not None:  # rejected or lifted by a person: their decision, the story goes on
                self.missed.append(f"{wanted.warning} {wanted.level}")
                break
            self._round()
        if slow:
            self._waiting = None
            self._set_clock(self._clock.then(_now() + AHEAD, WAITING_SPEED))
            self._tell()

    def _wait_for_person(self, warning: int, zh: str, en: str) -> None:
        self._waiting = {
            "text": {
                "zh": f"请以值班长岗位打开“{zh}”，点“签发”。推演时钟此时与实际同速。",
                "en": f'As the duty chief open "{en}" and press Sign. The story waits.',
            },
            "url": f"/warnings/{warning}",
        }
        self._tell()
        self.say(f"   等待人工：请以值班长岗位签发“{zh}” / waiting for a person to sign: {en}")
        self.say(
            f"   {self.address}/warnings/{warning}   （先在顶栏切换到推演 / step into the story at the top first）"
        )

    # -- every moment -----------------------------------------------------------------------------------------------

    def _round(self) -> None:
        """Report what is due; now and then let the persons work and look what happened."""
        shown = self._clock.at(_now())
        while self._reported + self.story.every <= shown:
            self._reported += self.story.every
            for thing in self.made.things:
                self.senders.send(thing.id, self._reported, self.signals.values(thing, self._reported))
        if time.monotonic() - self._looked > LOOK_EVERY:
            self._looked = time.monotonic()
            self._refuse_to_go_on_when_dropped()
            self.persons.work()
            self._look()
        time.sleep(0.02)

    def _refuse_to_go_on_when_dropped(self) -> None:
        with acting_system("cli"):
            if not Space.objects.filter(id=self.made.space, state=RUNNING).exists():
                raise Dropped(space=self.made.space)

    def _look(self) -> None:
        fresh = self.witness.look()
        if not fresh:
            return
        step = self._steps[self._number]
        for one in fresh:
            self.say(f"   {one['text']['zh']}")
        room = max(0, MOST_TOLD - len(step["happened"]))
        step["happened"] += fresh[:room]
        step["more"] += len(fresh[room:])
        self._tell()

    def _tell(self) -> None:
        steps = [{**step, "happened": [*step["happened"], *_more(step["more"])]} for step in self._steps]
        with acting_system("cli"):
            tell(self.made.space, about=self.story.about.model_dump(), steps=steps, waiting=self._waiting)


def _more(count: int) -> list[Happened]:
    return [{"text": {"zh": f"另有 {count} 条", "en": f"and {count} more"}, "url": ""}] if count else []


def _now() -> datetime:
    return datetime.now(UTC)
