"""The pages of the ways in: steps between the first proof and coming in, residents and firms, one's own page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.actions import create_user
from zhiwan.city.people.models import Organisation, Post, User
from zhiwan.city.people.tests.test_grants import credit_code
from zhiwan.city.people.tests.test_second_factor import code_at
from zhiwan.city.people.ways_in import errors, firms, locks, phones, residents, second_factor
from zhiwan.city.people.ways_in.models import Firm, RateWindow, ServiceKey, Session
from zhiwan.city.portal import entering
from zhiwan.city.portal.refusals import sentence
from zhiwan.kernel.facts.errors import CityError

Enter = Callable[..., Client]
PASSWORD = "Correct-horse-7"
NUMBER = "13900000001"


@pytest.fixture(autouse=True)
def quick_hashes(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def account(role: str = "duty_chief", name: str = "li", password: str | None = PASSWORD) -> User:
    with acting_system("cli"):
        post, _made = Post.objects.get_or_create(
            id=f"p-{role}",
            defaults={
                "role": role,
                "title_zh": role,
                "title_en": role,
                "organisation": Organisation.objects.get(id="office"),
                "scope": "district",
            },
        )
        return create_user(name=name, display_name=name, password=password, posts=[post])


def sign_in(client: Client, name: str = "li", password: str = PASSWORD, onward: str = "/alarms") -> Any:
    return client.post("/in", {"username": name, "password": password, "next": onward})


def clean(answer: Any) -> str:
    return str(answer.content.decode())


def last_message(folder: Path) -> str:
    line = (folder / "sms" / "outbox.jsonl").read_text(encoding="utf-8").splitlines()[-1]
    return str(re.findall(r"\b(\d{6})\b", json.loads(line)["text"])[0])


# -- staff


def test_the_fifth_wrong_password_is_told_as_a_lock_with_the_time_to_wait(city: object) -> None:
    account()
    client = Client()
    answers = [sign_in(client, password="guess") for _ in range(5)]
    assert [one.status_code for one in answers] == [401] * 4 + [429]
    assert "还可再试 1 次" in clean(answers[3])
    assert "30 分钟后自动解锁" in clean(answers[4])
    assert 1700 < int(answers[4].headers["Retry-After"]) <= 1801
    assert sign_in(client).status_code == 429, "the right password waits too"


def enrol(user: User, at: datetime) -> str:
    secret = second_factor.begin(user=user, issuer="x").secret
    second_factor.confirm(user=user, code=code_at(secret, at), at=at)
    return secret


def test_a_post_that_demands_it_enrols_before_anything_is_shown(city: object) -> None:
    account("data_steward")
    client = Client()
    assert sign_in(client).headers["Location"] == reverse("portal:enrol")
    assert client.get("/alarms").headers["Location"].startswith("/in?"), "nothing is open half-way"
    page = clean(client.get(reverse("portal:enrol")))
    secret = re.sub(r"\s", "", re.findall(r'<code class="expression">([A-Z2-7 ]+)</code>', page)[0])
    assert client.post(reverse("portal:enrol"), {"code": "000000"}).status_code == 422
    shown = client.post(reverse("portal:enrol"), {"code": code_at(secret, timezone.now())})
    codes = re.findall(r"<code>([A-Z0-9-]{19})</code>", clean(shown))
    assert len(codes) == 10
    assert 'href="/alarms"' in clean(shown)
    assert client.get("/alarms").status_code == 200
    again = Client()
    assert sign_in(again).headers["Location"] == reverse("portal:second")
    assert again.get("/alarms").status_code == 302
    assert again.post(reverse("portal:second"), {"code": "000000"}).status_code == 422
    assert again.post(reverse("portal:second"), {"code": codes[0]}).headers["Location"] == "/alarms"
    with acting_system("cli"):
        assert all(one.second_at for one in Session.objects.exclude(user=None))


def test_a_proof_that_is_left_half_way_grows_old(city: object, monkeypatch: pytest.MonkeyPatch) -> None:
    user = account()
    secret = enrol(user, timezone.now() - timedelta(minutes=5))
    client = Client()
    sign_in(client)
    later = timezone.now() + timedelta(minutes=11)
    monkeypatch.setattr(entering, "timezone", type("T", (), {"now": staticmethod(lambda: later)}))
    answer = client.post(reverse("portal:second"), {"code": code_at(secret, timezone.now())})
    assert answer.headers["Location"] == reverse("portal:sign_in")
    assert client.get("/alarms").status_code == 302


def test_no_step_is_skipped(city: object) -> None:
    user = account()
    enrol(user, timezone.now() - timedelta(minutes=5))
    client = Client()
    sign_in(client)
    for name in ("enrol", "new_password"):
        assert client.get(reverse(f"portal:{name}")).headers["Location"] == reverse("portal:sign_in")
    for name in ("enrol", "second", "new_password"):
        assert Client().get(reverse(f"portal:{name}")).headers["Location"] == reverse("portal:sign_in")


def test_a_password_that_is_too_old_is_replaced_on_the_way_in(city: object) -> None:
    user = account()
    with acting_system("cli"):
        user.credential.password_set_at = timezone.now() - timedelta(days=91)
        user.credential.save()
    client = Client()
    assert sign_in(client).headers["Location"] == reverse("portal:new_password")
    weak = client.post(reverse("portal:new_password"), {"new": "short", "again": "short"})
    assert weak.status_code == 422
    assert "至少 10 位" in clean(weak)
    differ = client.post(reverse("portal:new_password"), {"new": "Neues-Wort-77", "again": "Neues-Wort-78"})
    assert "不一样" in clean(differ)
    new = {"new": "Neues-Wort-77", "again": "Neues-Wort-77"}
    assert client.post(reverse("portal:new_password"), new).headers["Location"] == "/alarms"
    assert sign_in(Client(), password="Neues-Wort-77").headers["Location"] == "/alarms"


def test_a_password_near_its_end_is_told(city: object) -> None:
    user = account()
    with acting_system("cli"):
        user.credential.password_set_at = timezone.now() - timedelta(days=80)
        user.credential.save()
    client = Client()
    sign_in(client)
    assert "密码还有 10 天到期" in clean(client.get("/alarms"))


def test_who_is_signed_out_elsewhere_reads_why(city: object) -> None:
    account()
    here, there = Client(), Client(headers={"user-agent": "Mozilla/5.0 (iPhone) Safari/605"})
    sign_in(here)
    sign_in(there)
    page = clean(here.get(reverse("portal:own")))
    assert "iPhone" in page
    other = re.findall(r"/me/devices/([0-9a-f-]{36})/end", page)
    assert len(other) == 1, "this device is not offered"
    here.post(reverse("portal:own_session_end", args=other))
    assert there.get("/alarms").headers["Location"].startswith("/in")
    sign_in(there)
    here.post(reverse("portal:own_sessions_end"))
    assert "已在另一台设备上结束" in clean(there.get("/in"))
    assert here.get("/alarms").status_code == 200


def test_signing_out_everywhere_takes_this_browser_too(city: object) -> None:
    account()
    here, there = Client(), Client()
    sign_in(here)
    sign_in(there)
    here.post(reverse("portal:own_sessions_end"), {"all": "1"})
    assert [client.get("/alarms").status_code for client in (here, there)] == [302, 302]


def test_an_idle_page_is_signed_out_and_the_next_sign_in_says_so(city: object) -> None:
    account()
    client = Client()
    sign_in(client)
    assert 'data-idle-seconds="1800"' in clean(client.get("/alarms"))
    with acting_system("cli"):
        Session.objects.update(seen_at=timezone.now() - timedelta(minutes=31))
    assert client.get("/live/ticket", headers={"Accept": "application/json"}).status_code == 401
    assert "30 分钟没有操作" in clean(client.get("/in"))
    sign_in(client)
    client.post("/here", {"idle": "1"})
    assert "30 分钟没有操作" in clean(client.get("/in"))


def test_the_live_ticket_names_the_session_that_ends_with_it(city: object) -> None:
    from zhiwan.city.portal.tests.test_sign_in import read_ticket

    account()
    client = Client()
    sign_in(client)
    with acting_system("cli"):
        assert read_ticket(client).session == str(Session.objects.exclude(user=None).get().public_id)


# -- administrators


def come_in(client: Client, user: User) -> None:
    """As an administrator does: with a second factor."""
    client.force_login(user)
    session = client.session
    session["ways_in"] = {"second_at": timezone.now().isoformat()}
    session.save()


def test_an_administrator_recovers_an_account_by_a_link(city: object) -> None:
    user, security = account(), Client()
    admin = account("security_admin", name="sec")
    come_in(security, admin)
    page = clean(security.post(reverse("portal:account_recover", args=[user.pk]), {"without_second": "1"}))
    link = re.findall(r"http://testserver(/in/[\w-]+)", page)[0]
    client = Client()
    assert client.get(link).headers["Location"] == reverse("portal:new_password")
    new = {"new": "Neues-Wort-77", "again": "Neues-Wort-77"}
    assert client.post(reverse("portal:new_password"), new).headers["Location"] == "/"
    assert client.get("/alarms").status_code == 200
    own = security.post(reverse("portal:account_recover", args=[admin.pk]))
    assert own.headers["Location"] == reverse("portal:account", args=[admin.pk])


def test_a_locked_account_is_shown_and_unlocked(city: object) -> None:
    user, client = account(), Client()
    come_in(client, account("security_admin", name="sec"))
    for _ in range(5):
        locks.begin("password", "li", timezone.now())
    assert "已锁定" in clean(client.get(reverse("portal:accounts")))
    assert "解锁" in clean(client.get(reverse("portal:account", args=[user.pk])))
    client.post(reverse("portal:account_unlock", args=[user.pk]))
    assert "已锁定" not in clean(client.get(reverse("portal:accounts")))
    assert sign_in(Client()).status_code == 302


@pytest.mark.parametrize("name", ["accounts", "services", "ways_in_rules", "firms"])
def test_a_town_opens_no_page_of_administrators(enter: Enter, name: str) -> None:
    refused = enter("east").get(reverse(f"portal:{name}"))
    assert refused.status_code == 403
    assert "PEOPLE-002" in clean(refused)


def test_a_new_service_accounts_key_is_shown_once_and_opens_its_scopes(enter: Enter) -> None:
    chief = enter("chief")
    form = {"title": "水务平台", "post": "desk", "days": "30", "scopes": ["alarm.read", "nonsense"]}
    page = clean(chief.post(reverse("portal:services"), form))
    key = re.findall(r"zw_[\w-]{32}", page)[0]
    api = Client(headers={"authorization": f"Bearer {key}"})
    assert [api.get(f"/api/v1/{name}").status_code for name in ("alarms", "cases")] == [200, 403]
    with acting_system("cli"):
        row = ServiceKey.objects.select_related("account").get(account__title="水务平台")
    assert row.account.scopes == ["alarm.read"]
    detail = reverse("portal:service", args=[row.account.pk])
    assert key not in clean(chief.get(detail))
    new = re.findall(r"zw_[\w-]{32}", clean(chief.post(f"{detail}/rotate", {"days": "30"})))[0]
    assert new != key
    chief.post(f"{detail}/end", {})
    assert api.get("/api/v1/alarms").status_code == 401


def test_the_rules_page_says_every_limit_with_its_source(enter: Enter) -> None:
    page = clean(enter("chief").get(reverse("portal:ways_in_rules")))
    assert page.count("GB/T 22239-2019") >= 5
    assert "待核实" in page


# -- residents and firms


def phone_in(client: Client, folder: Path, number: str = NUMBER) -> Any:
    client.post("/in/phone", {"phone": number})
    return client.post("/in/phone", {"code": last_message(folder)})


def test_a_resident_comes_in_by_phone_and_lands_on_the_own_page(city: object) -> None:
    client = Client()
    asked = client.post("/in/phone", {"phone": "139 0000 0001"})
    assert asked.headers["Location"] == "/in/phone"
    page = clean(client.get("/in/phone"))
    assert "*******0001" in page
    assert "outbox.jsonl" in page, "no gateway is connected, and the page says where codes are"
    wrong = client.post("/in/phone", {"code": "abcdef"})
    assert wrong.status_code == 422
    entered = client.post("/in/phone", {"code": last_message(Path(settings.ZHIWAN_DATA))})
    assert entered.headers["Location"] == "/me"
    own = clean(client.get("/me"))
    assert "未核验" in own
    menu = own.partition('<nav class="sidenav"')[2].partition("</nav>")[0]
    assert re.findall(r'<a href="(/[^"]*)"', menu) == ["/warnings"], "what is published, and nothing else of the city"


def test_a_resident_finds_none_of_the_desks_pages(city: object) -> None:
    client = Client()
    phone_in(client, Path(settings.ZHIWAN_DATA))
    assert client.get("/").headers["Location"] == "/me"
    for path in ("/alarms", "/cases", "/entities", "/map/state.json", "/health", "/setup", "/accounts", "/search?q=a"):
        assert client.get(path).status_code == 403, path
    assert client.post(reverse("portal:warning_new"), {}).status_code == 403


def test_the_number_of_a_visitor_is_not_kept_in_plain_words(city: object) -> None:
    client = Client()
    client.post("/in/phone", {"phone": NUMBER})
    with acting_system("cli"):
        (row,) = Session.objects.all()
    assert NUMBER not in json.dumps(row.get_decoded())


def test_too_many_codes_are_told_with_the_time_to_wait(city: object) -> None:
    client = Client()
    client.post("/in/phone", {"phone": NUMBER})
    often = client.post("/in/phone", {"resend": "1"})
    assert often.status_code == 429
    assert 0 < int(often.headers["Retry-After"]) <= 61


def test_a_family_proxy_from_asking_to_ending(city: object) -> None:
    folder = Path(settings.ZHIWAN_DATA)
    daughter, father = Client(), Client()
    phone_in(daughter, folder)
    day = (timezone.localdate() + timedelta(days=30)).isoformat()
    form = {"name": "老张", "relation": "parent", "phone": "13900000002", "valid_to": day}
    asked = daughter.post(reverse("portal:proxy_new"), form)
    confirm = asked.headers["Location"]
    assert "老张" in clean(daughter.get(confirm))
    assert daughter.post(confirm, {"code": last_message(folder)}).headers["Location"] == "/me"
    assert "老张" in clean(daughter.get("/me"))
    with acting_system("cli"):
        RateWindow.objects.all().delete()  # the father's phone had a code in this minute
    phone_in(father, folder, "13900000002")
    page = clean(father.get("/me"))
    end = re.findall(r"/me/proxies/\d+/end", page)
    assert len(end) == 1
    father.post(end[0])
    assert "老张" not in clean(daughter.get("/me"))


def test_a_firm_is_registered_comes_in_and_names_its_staff(enter: Enter) -> None:
    folder, clerk = Path(settings.ZHIWAN_DATA), enter("chief")
    day = (timezone.localdate() + timedelta(days=30)).isoformat()
    entry = {"code": credit_code(), "name": "云湾水泥厂", "person": "张晓", "phone": NUMBER, "valid_to": day}
    wrong = clerk.post(reverse("portal:firms"), {**entry, "code": credit_code()[:-1] + "0"})
    assert wrong.status_code == 422
    assert "ID-001" in clean(wrong)
    clerk.post(reverse("portal:firms"), entry)
    assert "张晓" in clean(clerk.get(reverse("portal:firms")))
    boss = Client()
    boss.post("/in/firm", {"credit_code": credit_code().lower(), "phone": NUMBER})
    assert boss.post("/in/firm", {"code": last_message(folder)}).headers["Location"] == "/me"
    assert "云湾水泥厂" in clean(boss.get("/me"))
    staff = reverse("portal:staff_new", args=[credit_code()])
    boss.post(staff, {"name": "王", "phone": "13900000002", "valid_to": day})
    assert "*******0002" in clean(boss.get("/me"))
    stranger = Client()
    stranger.post("/in/phone", {"phone": "13900000003"})
    stranger.post("/in/phone", {"code": last_message(folder)})
    assert stranger.get(staff).headers["Location"] == "/me"
    stranger.post(staff, {"name": "王", "phone": "13900000004", "valid_to": day})
    with acting_system("cli"):
        assert len(firms.staff_of(Firm.objects.get(), timezone.now())) == 2


# -- words


def test_every_refusal_has_a_chinese_sentence() -> None:
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, CityError) and kind.code.startswith("WAYS-"):
            if kind.code == "WAYS-013":
                continue  # told to machines only
            now = timezone.now()
            problem = kind(until=now, at=now) if issubclass(kind, errors.TooOften) else kind()
            assert re.search("[\u4e00-\u9fff]", sentence(problem)), kind


def test_english_pages_of_the_own_account_hold_no_chinese(city: object) -> None:
    client = Client()
    client.cookies["zhiwan_language"] = "en"
    phone_in(client, Path(settings.ZHIWAN_DATA))
    account()
    staff = Client()
    staff.cookies["zhiwan_language"] = "en"
    sign_in(staff)
    stranger = Client()
    stranger.cookies["zhiwan_language"] = "en"
    pages = [
        *((client, path) for path in ("/me", "/me/proxies/new")),
        *((staff, path) for path in ("/me", "/me/password", "/in/enrol", "/accounts/rules", "/accounts", "/firms")),
        *((staff, path) for path in ("/accounts/services", f"/accounts/{User.objects.get(username='li').pk}")),
        *((stranger, path) for path in ("/in", "/in/phone", "/in/firm")),
    ]
    for browser, path in pages:
        text = clean(browser.get(path))
        text = re.sub(r"中文|云湾区|所|居民|智湾|GB/T 22239-2019[^<]*|[^<>]*[\u4e00-\u9fff][^<>]* / ", "", text)
        assert not re.findall("[\u4e00-\u9fff]+", text), (path, re.findall("[\u4e00-\u9fff]+", text))


def test_residents_are_found_by_their_phone_and_not_by_name_lists(enter: Enter, city: object) -> None:
    user = residents.account_of(phones.read(NUMBER), timezone.now())
    chief = enter("chief")
    assert "*******0001" not in clean(chief.get(reverse("portal:accounts")))
    assert "*******0001" in clean(chief.get(reverse("portal:accounts"), {"kind": "residents", "q": "0001"}))
    assert user.username not in clean(chief.get(reverse("portal:setup_list", args=["people"])))
