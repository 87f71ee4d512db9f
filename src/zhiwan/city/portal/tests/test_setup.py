"""Lists of a first installation: seen before they are written, wrong rows named, secrets given once."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Callable
from typing import Any

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import AuditRecord, Organisation, Post, SignInLink, User
from zhiwan.city.registry.lists import KINDS
from zhiwan.city.registry.models import Area, Device, Entity, Place
from zhiwan.city.watch.tests.surge import DISTRICT, EAST

Enter = Callable[..., Client]


def send(client: Client, kind: str, content: bytes | str, name: str = "list.csv") -> tuple[str, str]:
    """Upload a list; the address and the text of the page it leads to."""
    body = content.encode() if isinstance(content, str) else content
    answer = client.post(
        reverse("portal:setup_list", args=[kind]), {"file": SimpleUploadedFile(name, body)}, follow=True
    )
    return answer.redirect_chain[-1][0], answer.content.decode()


def confirm(client: Client, url: str, **form: str) -> tuple[str, str]:
    answer = client.post(url, form, follow=True)
    return answer.redirect_chain[-1][0], answer.content.decode()


def count(model: Any, **which: Any) -> int:
    with acting_system("web"):
        return int(model.objects.filter(**which).count())


def test_every_template_can_be_sent_back_as_it_is(enter: Enter) -> None:
    """The example of a template is a good row once what it names is there."""
    chief = enter("chief")
    for kind in ("place", "areas", "bodies", "posts", "people"):
        for form in ("xlsx", "csv"):
            answer = chief.get(reverse("portal:setup_template", args=[kind, form]))
            body = answer.content if form == "xlsx" else b"".join(answer)
            url, page = send(chief, kind, body, f"t.{form}")
            assert "有问题的行改好之前" not in page, (kind, form, page)
        confirm(chief, url)
    assert count(Area, code=f"{DISTRICT}999") == 1
    assert count(Organisation, id="water-office") == 1
    assert count(Post, id="water-desk") == 1
    assert count(User, username="zhang.san") == 1


def test_a_wrong_row_stops_the_list_and_is_named_with_row_column_reason_and_next_step(enter: Enter) -> None:
    chief = enter("chief")
    url, page = send(
        chief, "areas", f"code,name,lon,lat\n{EAST}001,一村,121.1,30.1\n123,二村,,\n{EAST}002,,x,30\n{EAST}001,重,,\n"
    )
    for told in (
        "不是本城区的区划代码",
        "没有填写",
        "不是 -180 到 180 之间的数",
        "与第 2 行重复",
        "有问题的行改好之前",
    ):
        assert told in page, told
    assert count(Area, level="village") == 0
    assert "还有不对的行，没有写入" in confirm(chief, url)[1]
    assert count(Area, level="village") == 0
    problems = b"".join(chief.get(url + "?format=csv")).decode("utf-8-sig")
    assert [row[:2] for row in csv.reader(io.StringIO(problems))][1:] == [
        ["3", "code"],
        ["4", "lon"],
        ["4", "name"],
        ["5", "code"],
    ]
    confirm(chief, url, take="good")
    assert count(Area, level="village") == 1


def test_devices_get_secrets_that_are_given_once(enter: Enter) -> None:
    chief = enter("chief")
    rows = f"device,type,name,area,lon,lat,limit,kind\nnew-1,Gauge,甲站,{EAST},121.2,30.2,3.5,river\n"
    url, page = send(chief, "devices", rows)
    assert "写入全部 1 行" in page
    url, page = confirm(chief, url)
    assert "每台设备一个密钥" in page
    answer = chief.post(url)
    ((device, secret),) = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))[1:]
    assert device == "new-1"
    assert len(secret) > 20
    assert "no-store" in answer.headers["Cache-Control"]
    assert "已经取走" in chief.post(url, follow=True).content.decode()
    with acting_system("web"):
        assert Entity.objects.get(id="new-1").fields == {"limit": 3.5, "kind": "river"}
        assert secret.encode() not in bytes(Device.objects.get(id="new-1").secret_hash)
        assert AuditRecord.objects.filter(action="registry.create_devices", actor="chief").exists()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("gauge-e,Gauge,甲,990101001,,,3.5,", "设备已登记"),
        ("n-1,Pump,甲,990101001,,,3.5,", "没有这个类型"),
        ("n-1,Gauge,甲,990101009,,,3.5,", "没有这个区域"),
        ("n-1,Gauge,甲,990101001,121,,3.5,", "经度和纬度要一起填"),
        ("n-1,Gauge,甲,990101001,,,,", "必须填写limit"),
        ("n-1,Gauge,甲,990101001,,,3.5,sea", "没有这个选项"),
        ("n 1,Gauge,甲,990101001,,,3.5,", "编号的写法不对"),
    ],
)
def test_a_device_that_does_not_fit_is_refused(enter: Enter, row: str, told: str) -> None:
    assert told in send(enter("chief"), "devices", f"device,type,name,area,lon,lat,limit,kind\n{row}\n")[1]


def test_people_get_a_link_and_no_password(enter: Enter) -> None:
    chief = enter("chief")
    url, _page = send(chief, "people", "account,name,posts\nli.si,李四,desk;east\nchief2,王,nobody\n")
    assert count(User, username="li.si") == 0
    url, page = confirm(chief, url, take="good")
    assert "一次性登录链接" in page
    rows = list(csv.reader(io.StringIO(chief.post(url).content.decode("utf-8-sig"))))
    link = rows[1][2]
    with acting_system("web"):
        user = User.objects.get(username="li.si")
        assert not user.has_usable_password()
        assert SignInLink.objects.filter(user=user).count() == 1
    assert "li.si" in chief.get(reverse("portal:setup_list", args=["people"])).content.decode()
    stranger = Client()
    # Nobody gave the account a password, so its holder chooses one before coming in.
    assert stranger.get(link.removeprefix("http://testserver")).headers["Location"] == reverse("portal:new_password")
    assert stranger.get("/alarms").headers["Location"].startswith("/in")
    chosen = {"new": "Eine-lange-Nacht-8", "again": "Eine-lange-Nacht-8"}
    assert stranger.post(reverse("portal:new_password"), chosen).headers["Location"] == "/"
    assert stranger.get("/alarms").status_code == 200
    assert "li.si" not in chief.get(reverse("portal:setup_list", args=["people"])).content.decode()
    assert "/in/" in chief.post(reverse("portal:setup_new_link"), {"account": "li.si"}).content.decode()


def book(cells: dict[str, Any]) -> bytes:
    made = openpyxl.Workbook()
    sheet = made.worksheets[0]
    for place, value in cells.items():
        sheet[place] = value
    file = io.BytesIO()
    made.save(file)
    return file.getvalue()


def with_part(content: bytes, name: str, body: bytes) -> bytes:
    file = io.BytesIO(content)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as folder:
        folder.writestr(name, body)
    return file.getvalue()


GOOD = {"A1": "code", "B1": "name", "A2": int(f"{EAST}003"), "B2": "三村"}


def test_a_spreadsheet_is_read_with_codes_that_became_numbers(enter: Enter) -> None:
    chief = enter("chief")
    url, _page = send(chief, "areas", book(GOOD), "list.xlsx")
    confirm(chief, url)
    assert count(Area, code=f"{EAST}003") == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "没有选择|先选择|空的"),
        (b"\x00\x01\x02", "既不是 XLSX 也不是 CSV"),
        (b"\xd0\xcf\x11\xe0old", "旧版 XLS"),
        (b"PK\x03\x04broken", "文件已损坏"),
        (with_part(book(GOOD), "xl/vbaProject.bin", b"macro"), "含有宏"),
        (with_part(book(GOOD), "xl/externalLinks/externalLink1.xml", b"<a/>"), "外部链接"),
        (with_part(book(GOOD), "xl/media/bomb", b"0" * 80_000_000), "解压后过大"),
        (b"code,name\n", "只有表头"),
        (book({"A1": "code", "B1": "name", "A2": "=1+1", "B2": "x"}), "公式不会被计算"),
        (b"code,title\n1,2\n", "没有“title”这一列"),
    ],
)
def test_a_hostile_or_foreign_file_is_refused_with_a_reason(enter: Enter, content: bytes, told: str) -> None:
    page = send(enter("chief"), "areas", content, "list.xlsx")[1]
    assert any(one in page for one in told.split("|"))
    assert count(Area, level="village") == 0


def test_only_the_duty_chief_founds_the_district(enter: Enter) -> None:
    desk = enter("desk")
    assert desk.get("/setup").status_code == 403
    assert desk.get(reverse("portal:setup_list", args=["people"])).status_code == 403


def test_another_persons_list_is_not_there(enter: Enter) -> None:
    url, _page = send(enter("chief"), "areas", f"code,name\n{EAST}001,一村\n")
    with acting_system("cli"):
        other = User.objects.create(username="other")
        from zhiwan.city.people.models import Holding

        Holding.objects.create(user=other, post=Post.objects.get(id="chief"))
    client = Client()
    client.force_login(other)
    assert "已处理或已过期" in client.get(url, follow=True).content.decode()


def test_an_empty_registry_leads_the_chief_to_the_guide_until_it_is_put_off(enter: Enter) -> None:
    chief = enter("chief")
    assert chief.get("/").status_code == 200
    with acting_system("cli"):
        Device.objects.all().delete()
    assert chief.get("/").headers["Location"] == "/setup"
    assert chief.get("/setup?later=1").headers["Location"] == "/"
    assert chief.get("/").status_code == 200


def test_the_place_gets_its_name_and_extent(enter: Enter) -> None:
    chief = enter("chief")
    url, _page = send(
        chief, "place", f"code,name,name_en,west,south,east,north\n{DISTRICT},新湾,New Bay,120,29,121,30\n"
    )
    confirm(chief, url)
    with acting_system("web"):
        place = Place.objects.get()
    assert (place.name_zh, place.bounds, place.lon) == ("新湾", [120, 29, 121, 30], 120.5)


def test_english_pages_of_the_guide_hold_no_chinese(enter: Enter) -> None:
    chief = enter("chief", "en")
    url, page = send(chief, "areas", "code,name\n1,a\n")
    pages = {url: page}
    for kind in KINDS:
        pages[kind] = chief.get(reverse("portal:setup_list", args=[kind])).content.decode()
    for path in ("/setup", "/import", "/mission"):
        pages[path] = chief.get(path).content.decode()
    for path, text in pages.items():
        assert not re.findall("[\u4e00-\u9fff]+", text.replace("中文", "")), path
