"""Forms do what they say and tell why not: each goes through an action, comes back to its page, and needs a POST."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from zhiwan.city.cases.models import Case
from zhiwan.city.people.acting import acting_system
from zhiwan.city.plans.models import Response, Task
from zhiwan.city.watch.models import Alarm, SetAside, Warning
from zhiwan.city.watch.tests.surge import OUTSIDE_KIND
from zhiwan.kernel.bus.memory import MemoryBus

Enter = Callable[..., Client]


def one(model: Any) -> Any:
    with acting_system("web"):
        return model.objects.get()


def send(client: Client, url: str, **form: str) -> str:
    """Post a form and give the page it leads to."""
    answer = client.post(url, form, follow=True)
    assert answer.status_code == 200, url
    return answer.content.decode()


def test_an_alarm_is_acknowledged_once(enter: Enter) -> None:
    desk = enter("desk")
    url = reverse("portal:alarm_acknowledge", args=["a1"])
    assert desk.get(url).status_code == 405
    assert f'action="{url}"' in desk.get("/alarms/a1").content.decode(), "the page offers it"
    assert "已确认告警。" in send(desk, url)
    assert f'action="{url}"' not in desk.get("/alarms/a1").content.decode()
    assert one(Alarm).acknowledged_by_id == "desk"
    assert "这条告警已由 desk 确认" in send(desk, url)


def test_an_alarm_is_rechecked_by_other_engines(enter: Enter) -> None:
    page = send(enter("desk"), reverse("portal:alarm_recompute", args=["a1"]))
    assert "当时的判断" in page
    assert "DuckDB" in page


def test_a_case_is_taken_handled_and_closed_with_an_outcome_that_scores(enter: Enter) -> None:
    patrol = enter("patrol")
    number = one(Case).pk
    send(patrol, reverse("portal:case_move", args=[number, "take"]))
    assert one(Case).state == "taken"
    send(patrol, reverse("portal:case_move", args=[number, "handle"]), note="开泵")
    page = send(patrol, reverse("portal:case_move", args=[number, "close"]), outcome="true")
    assert "已结案" in page
    assert (one(Case).state, one(Case).note, one(Alarm).score) == ("closed", "开泵", "hit")
    assert "现在不能这样办理" in send(patrol, reverse("portal:case_move", args=[number, "take"]))


def test_a_case_is_not_closed_without_a_known_outcome(enter: Enter) -> None:
    desk = enter("desk")
    number = one(Case).pk
    send(desk, reverse("portal:case_move", args=[number, "take"]))
    assert "没有这种结果" in send(desk, reverse("portal:case_move", args=[number, "close"]), outcome="perhaps")
    assert one(Case).state == "taken"


def test_only_the_authority_signs_a_warning_and_publishing_starts_the_response(enter: Enter) -> None:
    desk, flood, east = enter("desk"), enter("flood"), enter("east")
    number = one(Warning).pk

    def step(client: Client, name: str) -> str:
        return send(client, reverse("portal:warning_move", args=[number, name]))

    step(desk, "review")
    assert "本岗位不能办理此事" in step(desk, "sign")
    assert one(Warning).state == "reviewed"
    step(flood, "sign")
    assert "已发布" in step(flood, "publish")
    with acting_system("web"):
        assert Warning.objects.get().state == "published"
    assert "已签收预警。" in step(east, "receive")


def test_a_response_is_started_by_hand_and_its_tasks_are_received_and_done(enter: Enter) -> None:
    chief = enter("chief")
    assert "已启动响应" in send(chief, reverse("portal:response_start"), plan="governance.surge.surge|iii")
    response = one(Response).pk
    with acting_system("web"):
        task = Task.objects.get(role="patrol").pk
    patrol = enter("patrol")
    send(patrol, reverse("portal:task_move", args=[task, "receive"]))
    assert "任务已完成。" in send(patrol, reverse("portal:task_move", args=[task, "finish"]), note="关闸")
    assert chief.get(reverse("portal:response", args=[response])).status_code == 200
    assert "响应已终止。" in send(chief, reverse("portal:response_end", args=[response]), note="雨停")


def test_a_warning_of_another_authority_is_recorded_as_it_came(enter: Enter) -> None:
    flood, url = enter("flood"), reverse("portal:warning_outside")
    local = f"{timezone.localtime() - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}"
    given = {"kind": f"{OUTSIDE_KIND}|iii", "message_id": "沪气预警〔2026〕17 号", "issued_at": local}
    page = send(flood, url, **given | {"issued_at": "昨天"})
    assert "“昨天”不是时间" in page
    assert "沪气预警〔2026〕17 号" in page, "what was typed is still there"
    assert "已登记，即时生效" in send(flood, url, **given)
    assert "这条预警已经登记过" in send(flood, url, **given)
    assert "沪气预警〔2026〕17 号" in send(flood, url, **given)
    assert f'value="{OUTSIDE_KIND}' not in flood.get(reverse("portal:warning_new")).content.decode()


def test_a_refused_value_is_fixed_and_enters_the_stream_again(enter: Enter, city: MemoryBus) -> None:
    desk = enter("desk")
    url = reverse("portal:set_aside_move", args=[one(SetAside).pk, "fix"])
    assert "不是数字" in send(desk, url, value="高", property="level")
    reader = city.open_reader("INTAKE")
    local = f"{timezone.localtime() - timedelta(hours=1):%Y-%m-%dT%H:%M}"
    assert "已修正并重新送入数据流。" in send(desk, url, value="3.35", property="level", observed_at=local)
    (message,) = reader.pull(10, 0.1)
    sent = orjson.loads(message.payload)
    assert (sent["device"], sent["values"]) == ("gauge-e", {"level": 3.35})
    assert sent["at"] == datetime.fromisoformat(f"{local}:00+08:00").timestamp() * 1000
    assert one(SetAside).state == "fixed"


def test_a_refused_value_is_dropped_only_with_a_reason(enter: Enter) -> None:
    desk = enter("desk")
    url = reverse("portal:set_aside_move", args=[one(SetAside).pk, "drop"])
    send(desk, url, note=" ")
    assert one(SetAside).state == "open"
    send(desk, url, note="测试报文")
    assert (one(SetAside).state, one(SetAside).note) == ("dropped", "测试报文")


def test_a_foreign_site_cannot_send_a_form(enter: Enter) -> None:
    desk = enter("desk")
    desk.handler.enforce_csrf_checks = True
    assert desk.post(reverse("portal:alarm_acknowledge", args=["a1"])).status_code == 403
