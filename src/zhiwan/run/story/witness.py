"""What happened in a story since the last look, in words with links, for its page and the terminal."""

from __future__ import annotations

from typing import Any

from zhiwan.city.cases.models import Case, CaseStep
from zhiwan.city.people.acting import acting_system
from zhiwan.city.plans.models import Response, Task
from zhiwan.city.watch.models import Alarm, AlarmEvent, AlarmState, Warning, WarningState, WarningStep
from zhiwan.city.watch.queries.words import pack_of, rule_or_none, scale_of
from zhiwan.kernel.packs.stories import StoryExpectation, StoryWarning

Happened = dict[str, Any]  # {"text": {zh, en}, "url"}

_ALARM = {"opened": ("告警", "Alarm"), "raised": ("告警升级", "Alarm raised"), "cleared": ("告警解除", "Alarm over")}
_WARNING = {
    "propose": ("平台拟出预警", "Proposed"),
    "review": ("预警审核", "Reviewed"),
    "sign": ("预警签发", "Signed"),
    "publish": ("预警发布", "Published"),
    "record": ("外来预警登记", "Recorded from outside"),
    "lift": ("预警解除", "Lifted"),
}
_CASE = {"open": ("案件", "Case"), "take": ("案件签收", "Case taken"), "close": ("案件结案", "Case closed")}


class Witness:
    """Remembers what it has told."""

    def __init__(self, space: str) -> None:
        self._space = space
        self._told: set[str] = set()

    def look(self) -> list[Happened]:
        """What is new, oldest first."""
        with acting_system("cli", space=self._space):
            found = [*self._alarms(), *self._warnings(), *self._responses(), *self._tasks(), *self._cases()]
        fresh = [one for one in found if one["key"] not in self._told]
        self._told |= {one["key"] for one in fresh}
        return [{"text": one["text"], "url": one["url"]} for one in fresh]

    def _alarms(self) -> list[Happened]:
        events = AlarmEvent.objects.filter(kind__in=_ALARM).order_by("recorded_at", "id")
        return [
            _one(f"e{one.id}", _ALARM[one.kind], (one.message_zh, one.message_en), f"/alarms/{one.alarm_id}")
            for one in events
        ]

    def _warnings(self) -> list[Happened]:
        steps = WarningStep.objects.filter(step__in=_WARNING).select_related("warning").order_by("id")
        return [
            _one(
                f"w{one.id}",
                _WARNING[one.step],
                (f"{one.warning.title_zh}（{one.actor}）", f"{one.warning.title_en} ({one.actor})"),
                f"/warnings/{one.warning_id}",
            )
            for one in steps
        ]

    def _responses(self) -> list[Happened]:
        return [
            _one(f"r{one.id}{one.level}{one.state}", ("响应", "Response"), _response_words(one), f"/responses/{one.id}")
            for one in Response.objects.order_by("id")
        ]

    def _tasks(self) -> list[Happened]:
        tasks = Task.objects.exclude(receipted_at=None).order_by("receipted_at", "id")
        return [
            _one(
                f"t{one.id}",
                ("任务签收", "Task receipted"),
                (f"{one.text_zh}（{one.receipted_by}）", f"{one.text_en} ({one.receipted_by})"),
                f"/responses/{one.response_id}",
            )
            for one in tasks
        ]

    def _cases(self) -> list[Happened]:
        steps = CaseStep.objects.filter(step__in=_CASE).select_related("case").order_by("id")
        return [
            _one(f"c{one.id}", _CASE[one.step], (one.case.title_zh, one.case.title_en), f"/cases/{one.case_id}")
            for one in steps
        ]

    # -- expectations -----------------------------------------------------------------------------------------------

    def met(self, expected: StoryExpectation) -> bool:
        """Whether all of it has come."""
        with acting_system("cli", space=self._space):
            return (
                (expected.alarm is None or self._alarm_came(expected.alarm, expected.level))
                and (expected.warning is None or self._in_force(expected.warning))
                and (expected.response is None or self._response_at(expected.response))
                and (expected.case is None or Case.objects.filter(kind=expected.case).exists())
                and not (expected.receipted and Task.objects.filter(receipted_at=None).exists())
                and not (expected.all_clear and self._anything_open())
            )

    def waiting(self, wanted: StoryWarning) -> Warning | None:
        """The newest warning of this kind and at least this level, whatever its state."""
        with acting_system("cli", space=self._space):
            for one in Warning.objects.filter(kind=wanted.warning).order_by("-id"):
                if one.rank >= _rank_of_warning(one.kind, wanted.level):
                    return one
        return None

    def _alarm_came(self, rule: str, level: str | None) -> bool:
        found = Alarm.objects.exclude(state=AlarmState.WITHDRAWN).filter(rule=rule)
        return any(level is None or one.peak_rank >= _rank_of_alarm(one.rule, level) for one in found)

    def _in_force(self, wanted: StoryWarning) -> bool:
        found = Warning.objects.filter(state=WarningState.PUBLISHED, kind=wanted.warning)
        return any(one.rank >= _rank_of_warning(one.kind, wanted.level) for one in found)

    def _response_at(self, level: str) -> bool:
        return Response.objects.filter(state="active", level=level).exists()

    def _anything_open(self) -> bool:
        return (
            Alarm.objects.exclude(state__in=AlarmState.ended()).exists()
            or Case.objects.exclude(state="closed").exists()
            or Response.objects.filter(state="active").exists()
        )


def _one(key: str, what: tuple[str, str], text: tuple[str, str], url: str) -> Happened:
    return {"key": key, "text": {"zh": f"{what[0]}：{text[0]}", "en": f"{what[1]}: {text[1]}"}, "url": url}


def _response_words(one: Response) -> tuple[str, str]:
    from zhiwan.city.packs_loaded import packs

    plan, pack = packs().plan(one.plan), packs().owner(one.plan)
    level = next(level for level in packs().scale(pack, plan.scale).levels if level.id == one.level)
    zh, en = ("终止", "ended") if one.state != "active" else ("启动", "in force")
    return f"{plan.title.zh} {level.title.zh}{zh}", f"{plan.title.en}, {level.title.en} {en}"


def _rank_of_alarm(rule: str, level: str) -> int:
    declared = rule_or_none(rule)
    scale = scale_of(pack_of(rule), declared.scale) if declared is not None else None
    return next((one.rank for one in scale.levels if one.id == level), 99) if scale is not None else 99


def _rank_of_warning(kind: str, level: str) -> int:
    from zhiwan.city.watch.actions.warnings import level_of

    return level_of(kind, level).rank
