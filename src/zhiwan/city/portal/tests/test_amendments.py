"""Changing a rule in the browser: the form tells what is wrong where, the proposal shows what it changes, two sign."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from zhiwan.city import packs_loaded
from zhiwan.city.amendments.models import Amendment, Preview
from zhiwan.city.amendments.previewing import compute_preview
from zhiwan.city.amendments.tests.conftest import FAST, LIMIT, pack, use
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.actions import create_user
from zhiwan.city.portal.tests.test_pages import Enter
from zhiwan.city.watch.tests import surge
from zhiwan.city.watch.tests.surge import RULE

FORM = {"when": "value > limit + 1", "note": "报得太多", "days": "7"}


@pytest.fixture
def chiefs(city: Any, monkeypatch: pytest.MonkeyPatch, enter: Enter) -> Callable[..., Client]:
    """Two persons of one post, and a pack with a parameter."""
    use(monkeypatch, pack())

    def sign_in(name: str, language: str = "zh-hans") -> Client:
        with acting_system("cli"):
            user = create_user(name=name, display_name=name, password=None, posts=[surge.post("chief")])
        client = Client()
        client.force_login(user)
        client.cookies["zhiwan_language"] = language
        return client

    return sign_in


def propose(client: Client, url: str = "", **form: str) -> str:
    """Send the form; the page it leads to."""
    answer = client.post(url or reverse("portal:rule_change", args=[RULE]), FORM | form, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def look_back() -> None:
    with acting_system("web"):
        waiting = list(Preview.objects.filter(state="waiting").values_list("pk", flat=True))
    for pk in waiting:
        compute_preview(preview_id=pk)


def step(client: Client, name: str, number: int = 0, **form: str) -> str:
    with acting_system("web"):
        number = number or Amendment.objects.latest("id").pk
    answer = client.post(reverse("portal:amendment_move", args=[number, name]), form, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def text(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_a_rule_is_changed_by_two_persons(chiefs: Callable[..., Client]) -> None:
    lin, zhou = chiefs("lin"), chiefs("zhou")
    page = propose(lin)
    assert "已提出修改" in page
    assert "您提出的修改须由另一人签署" in page
    assert "签署生效" not in page
    listing = zhou.get(reverse("portal:rules")).content.decode()
    assert re.search(r'待第二人签署 <span class="count">1</span>', listing)
    assert re.search(r'href="/rules".*?<span class="count">1</span>', listing, re.DOTALL), "the menu counts it"
    page = zhou.get(reverse("portal:amendment", args=[Amendment.objects.get().pk])).content.decode()
    assert "预览完成后可以签署" in page
    assert 'hx-trigger="load delay:1s, refresh"' in page
    look_back()
    page = zhou.get(reverse("portal:amendment", args=[Amendment.objects.get().pk])).content.decode()
    assert "没有哪一天会不同" in page
    assert "delay:1s, refresh" not in page, "it is done: the page stands still"
    assert "local.1" in step(zhou, "approve", note="看过")
    rule = text(zhou.get(reverse("portal:rule", args=[RULE])).content.decode())
    assert "版本 1.0.0+local.1" in rule
    assert "条件 value &gt; limit → value &gt; limit + 1" in rule
    assert re.search(r"lin .* zhou", rule)


def test_the_form_says_what_is_wrong_at_each_field_and_keeps_what_was_typed(chiefs: Callable[..., Client]) -> None:
    page = propose(chiefs("lin"), when="valu > 3", lasting="十分钟", level="'purple'")
    assert "第 0 个字符处：没有“valu”这个名称。是不是“value”？（JUDGE-001）" in page
    assert "“十分钟”不是可用的时长" in page
    assert "没有“purple”这个级别" in page
    assert "valu &gt; 3</textarea>" in page
    assert page.count('aria-invalid="true"') == 3
    english = propose(chiefs("zhou", "en"), when="valu > 3")
    assert "(JUDGE-001)" in english
    assert not Amendment.objects.exists()


def test_without_a_reason_nothing_is_proposed(chiefs: Callable[..., Client]) -> None:
    assert "缺少理由" in propose(chiefs("lin"), note=" ")
    assert "没有任何改动" in propose(chiefs("zhou"), when="value > limit")


def test_the_proposer_cannot_sign_by_any_form(chiefs: Callable[..., Client]) -> None:
    lin = chiefs("lin")
    propose(lin)
    look_back()
    assert "不能由本人签署" in step(lin, "approve")
    assert packs_loaded.packs().rule(RULE).when == "value > limit"
    assert "已撤回。" in step(lin, "withdraw")


def test_who_may_not_change_rules_sees_them_without_buttons(chiefs: Callable[..., Client], enter: Enter) -> None:
    propose(chiefs("lin"))
    look_back()
    desk = enter("desk")
    assert "修改判断" not in desk.get(reverse("portal:rule", args=[RULE])).content.decode()
    refused = desk.get(reverse("portal:rule_change", args=[RULE]))
    assert (refused.status_code, "duty_chief, pack_author" in refused.content.decode()) == (403, True)
    page = desk.get(reverse("portal:amendment", args=[Amendment.objects.get().pk])).content.decode()
    assert "签署生效" not in page
    for name, args in (("rule_change", [RULE]), ("amendment_move", [Amendment.objects.get().pk, "approve"])):
        refused = desk.post(reverse(f"portal:{name}", args=args), FORM)
        assert (refused.status_code, "本岗位不能办理此事" in refused.content.decode()) == (403, True), name


def test_a_parameter_gets_a_new_value_and_a_wrong_one_is_corrected(chiefs: Callable[..., Client]) -> None:
    lin, zhou = chiefs("lin"), chiefs("zhou")
    url = reverse("portal:parameter_change", args=[FAST, LIMIT])
    page = propose(lin, url, value="快", **{"from": "2020-01-01", "source": ""})
    assert "“快”不是数字" in page
    assert "缺少依据" in page
    page = propose(lin, url, value="15", **{"from": "2020-01-01", "source": "通知 2"})
    assert "早于今天，会改写已经生效的数值" in page
    page = propose(lin, url, value="15", **{"from": "2099-01-01", "source": "通知 2", "verify": "yes"})
    assert "新数值" in page
    look_back()
    step(zhou, "approve")
    page = lin.get(url + "?entry=2012-01-01").content.decode()
    assert "更正会改写已登记的数值" in page
    page = propose(lin, url, entry="2012-01-01", value="21", **{"from": "2012-01-01", "source": "order 1"})
    assert "这是更正" in page
    look_back()
    step(zhou, "approve")
    values = packs_loaded.packs().parameters.history(LIMIT).in_force
    assert [(one.value, one.verify) for one in values] == [(21, False), (15, True)]


def test_a_change_is_undone_and_proposed_again(chiefs: Callable[..., Client]) -> None:
    lin, zhou = chiefs("lin"), chiefs("zhou")
    propose(lin)
    look_back()
    step(zhou, "approve")
    first = Amendment.objects.get().pk
    assert "恢复 #" in step(zhou, "undo", note="原来的对")
    look_back()
    step(lin, "reject", note="再等等")
    page = lin.get(reverse("portal:rule_change", args=[RULE]) + f"?again={first}").content.decode()
    assert "value &gt; limit + 1</textarea>" in page
    assert "应用场景原文：" in page
    assert "已提出修改" in propose(lin, reverse("portal:rule_declared", args=[RULE]))


def test_a_change_that_its_pack_outgrew_is_told(chiefs: Callable[..., Client], monkeypatch: pytest.MonkeyPatch) -> None:
    lin, zhou = chiefs("lin"), chiefs("zhou")
    propose(lin)
    look_back()
    step(zhou, "approve")
    use(monkeypatch, pack(when="value >= limit"))
    for url in (reverse("portal:rules"), reverse("portal:rule", args=[RULE])):
        page = lin.get(url).content.decode()
        assert "没有采用" in page, url
    number = Amendment.objects.get().pk
    assert "这项修改没有采用" in lin.get(reverse("portal:amendment", args=[number])).content.decode()
    use(monkeypatch, pack(id="renamed"))
    assert "没有采用" in lin.get(reverse("portal:rules")).content.decode()
    assert lin.get(reverse("portal:amendment", args=[number])).status_code == 200


def test_a_story_shows_rules_and_changes_none(chiefs: Callable[..., Client]) -> None:
    from zhiwan.city.registry.models import Space

    lin = chiefs("lin")
    propose(lin)
    look_back()
    with acting_system("cli"):
        Space.objects.create(
            id="typhoon", title_zh="台风", title_en="Typhoon", clock=[["2026-07-01T00:00:00+00:00"] * 2 + [1.0]]
        )
    zhou = chiefs("zhou")
    zhou.post(reverse("portal:space"), {"space": "typhoon"})
    page = zhou.get(reverse("portal:amendment", args=[Amendment.objects.get().pk])).content.decode()
    assert "签署生效" not in page
    assert "推演中不修改规则" in step(zhou, "approve")


def test_pages_are_there_in_english_and_a_part_of_a_page_comes_with_its_frame(chiefs: Callable[..., Client]) -> None:
    lin = chiefs("lin", "en")
    propose(lin, note="because")
    number = Amendment.objects.get().pk
    urls = [
        reverse("portal:rules"), reverse("portal:rule", args=[RULE]), reverse("portal:rule_change", args=[RULE]),
        reverse("portal:parameter_change", args=[FAST, LIMIT]), reverse("portal:amendment", args=[number]),
    ]  # fmt: skip
    for _ in range(2):  # while the preview is computed, and when it is there
        for url in urls:
            page = re.sub("中文|云湾区", "", lin.get(url).content.decode())
            assert not re.findall("[\u4e00-\u9fff]+", page), url
        look_back()
    # htmx asks for the whole page where it picks a part of it.
    picked = {"HX-Request": "true", "HX-Request-Type": "full"}
    assert 'id="amendment"' in lin.get(urls[-1], headers=picked).content.decode()
    assert 'id="list"' in lin.get("/alarms", headers=picked).content.decode()
    assert lin.get(reverse("portal:amendment", args=[999])).status_code == 404
