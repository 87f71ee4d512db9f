"""Codes by phone: six digits, kept as a digest, for five minutes and five tries; and the adapters that carry them."""

from __future__ import annotations

import json
import re
import stat
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import User
from zhiwan.city.people.queries import posts_of
from zhiwan.city.people.tests.conftest import AT
from zhiwan.city.people.ways_in import limits, phones, residents, sms
from zhiwan.city.people.ways_in.errors import CodeRefused, MessageNotSent, PhoneRefused, TooOften
from zhiwan.city.people.ways_in.models import PhoneCode, PhoneNumber

pytestmark = pytest.mark.django_db
RULES = limits.at(AT)
NUMBER, HERE = "13800138000", "192.0.2.1"
Outbox = Callable[[], list[dict[str, str]]]
SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def code_in(message: dict[str, str]) -> str:
    return str(re.findall(r"\b(\d{6})\b", message["text"])[0])


def come_in(code: str, at: Any = AT, number: str = NUMBER, address: str = HERE) -> User:
    return residents.sign_in(number=number, code=code, address=address, at=at)


@pytest.mark.parametrize("text", ["138 0013 8000", "+86 138-0013-8000", "13800138000"])
def test_a_number_is_read_as_people_write_it(text: str) -> None:
    assert phones.read(text) == NUMBER


@pytest.mark.parametrize("text", ["", "1380013800", "12800138000", "02157921234", "138001380001", "+1 13800138000"])
def test_what_is_no_mobile_number_is_refused(text: str) -> None:
    with pytest.raises(PhoneRefused):
        phones.read(text)


@pytest.mark.mission("E3")
def test_a_resident_comes_in_by_the_code_and_is_the_same_the_next_time(outbox: Outbox) -> None:
    residents.send_code(number=NUMBER, address=HERE, at=AT)
    user = come_in(code_in(outbox()[0]))
    assert [post.role for post in posts_of(user)] == ["resident"]
    residents.send_code(number=NUMBER, address=HERE, at=AT + MINUTE)
    assert come_in(code_in(outbox()[1]), AT + MINUTE) == user


def test_what_is_kept_names_neither_code_nor_number(outbox: Outbox) -> None:
    residents.send_code(number=NUMBER, address=HERE, at=AT)
    code = code_in(outbox()[0])
    come_in(code)
    with acting_system("cli"):
        kept = [value for table in (PhoneCode, PhoneNumber) for value in table.objects.values_list().get()]
        texts = b" ".join(bytes(one) if isinstance(one, bytes | memoryview) else str(one).encode() for one in kept)
        user = User.objects.get()
        assert phones.masked(PhoneNumber.objects.get(user=user).tail) == "*******8000"
    assert code.encode() not in texts
    assert NUMBER.encode() not in texts
    assert NUMBER not in user.username


def test_a_code_ends_after_its_minutes_and_works_once(outbox: Outbox) -> None:
    residents.send_code(number=NUMBER, address=HERE, at=AT)
    code = code_in(outbox()[0])
    ends = AT + timedelta(minutes=RULES.code_minutes)
    with pytest.raises(CodeRefused):
        come_in(code, ends)
    come_in(code, ends - SECOND)
    with pytest.raises(CodeRefused):
        come_in(code, ends - SECOND)


def test_a_code_bears_five_tries(outbox: Outbox) -> None:
    residents.send_code(number=NUMBER, address=HERE, at=AT)
    code = code_in(outbox()[0])
    wrong = f"{(int(code) + 1) % 10**6:06}"
    for _ in range(RULES.code_tries):
        with pytest.raises(CodeRefused):
            come_in(wrong)
    with pytest.raises(CodeRefused):
        come_in(code)


def test_the_next_code_replaces_the_one_before_and_another_purpose_does_not_take_it(outbox: Outbox) -> None:
    residents.send_code(number=NUMBER, address=HERE, at=AT)
    residents.send_code(number=NUMBER, address=HERE, at=AT + MINUTE)
    old, new = map(code_in, outbox())
    with pytest.raises(CodeRefused):
        phones.check(number=NUMBER, purpose="proxy:1", code=new, address=HERE, at=AT + MINUTE)
    if old != new:
        with pytest.raises(CodeRefused):
            come_in(old, AT + MINUTE)
    come_in(new, AT + MINUTE)


def test_a_phone_gets_one_code_a_minute_and_few_a_day(outbox: Outbox) -> None:
    for number in range(RULES.codes_a_day):
        at = AT + number * MINUTE
        residents.send_code(number=NUMBER, address=HERE, at=at)
        with pytest.raises(TooOften) as refused:
            residents.send_code(number=NUMBER, address="192.0.2.9", at=at + 59 * SECOND)
        assert refused.value.retry_after == 2
    with pytest.raises(TooOften) as refused:
        residents.send_code(number=NUMBER, address=HERE, at=AT + timedelta(hours=1))
    assert refused.value.retry_after > 22 * 3600
    assert len(outbox()) == RULES.codes_a_day


def test_an_address_asks_for_codes_to_few_phones(outbox: Outbox) -> None:
    for number in range(RULES.codes_of_an_address):
        residents.send_code(number=f"139{number:08}", address=HERE, at=AT)
    with pytest.raises(TooOften):
        residents.send_code(number=NUMBER, address=HERE, at=AT)
    residents.send_code(number=NUMBER, address="192.0.2.9", at=AT)


def test_an_address_that_guesses_codes_of_many_phones_is_stopped(outbox: Outbox) -> None:
    for number in range(RULES.failures_of_an_address):
        with pytest.raises(CodeRefused):
            come_in("000000", number=f"139{number:08}")
    with pytest.raises(TooOften):
        come_in("000000")


def test_an_account_that_was_switched_off_stays_out(outbox: Outbox) -> None:
    user = residents.account_of(NUMBER, AT)
    with acting_system("cli"):
        User.objects.filter(pk=user.pk).update(is_active=False)
    residents.send_code(number=NUMBER, address=HERE, at=AT)
    with pytest.raises(CodeRefused):
        come_in(code_in(outbox()[0]))


# -- adapters


def test_the_files_messages_are_for_this_account_only(outbox: Outbox, tmp_path: Path) -> None:
    sms.gateway().send(NUMBER, "一")
    sms.gateway().send(NUMBER, "二")
    assert [one["text"] for one in outbox()] == ["一", "二"]
    assert stat.S_IMODE((tmp_path / "sms" / "outbox.jsonl").stat().st_mode) == 0o600


class StandIn(BaseHTTPRequestHandler):
    """A gateway as providers describe theirs. It answers with the statuses it was given, then with 200."""

    answers: ClassVar[list[int]] = []
    taken: ClassVar[list[tuple[str, dict[str, str]]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.taken.append((self.headers["Authorization"], body))
        self.send_response(self.answers.pop(0) if self.answers else 200)
        self.end_headers()
        self.wfile.write(b'{"code": "OK"}')

    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture
def provider(settings: Any, tmp_path: Path) -> Iterator[type[StandIn]]:
    StandIn.answers, StandIn.taken = [], []
    server = HTTPServer(("127.0.0.1", 0), StandIn)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    key = tmp_path / "sms.key"
    key.write_text("secret-of-the-gateway\n")
    settings.ZHIWAN_SMS = f"http://127.0.0.1:{server.server_port}/send"
    settings.ZHIWAN_SMS_KEY_FILE = str(key)
    yield StandIn
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_real_gateway_gets_the_number_the_words_and_its_key(provider: type[StandIn]) -> None:
    residents.send_code(number=NUMBER, address=HERE, at=AT)
    ((key, body),) = provider.taken
    assert key == "Bearer secret-of-the-gateway"
    assert body["phone"] == NUMBER
    assert set(body) == {"phone", "text", "id"}
    assert come_in(code_in(body)).username.startswith("r-")


def test_a_gateway_that_stumbles_is_asked_again_with_the_same_id(provider: type[StandIn]) -> None:
    provider.answers[:] = [503]
    residents.send_code(number=NUMBER, address=HERE, at=AT)
    first, second = (body for _key, body in provider.taken)
    assert first == second


@pytest.mark.parametrize(("answers", "asked"), [([503, 502], 2), ([403], 1)])
def test_what_was_not_sent_is_told_and_its_code_is_void(
    provider: type[StandIn], answers: list[int], asked: int
) -> None:
    provider.answers[:] = answers
    with pytest.raises(MessageNotSent):
        residents.send_code(number=NUMBER, address=HERE, at=AT)
    assert len(provider.taken) == asked
    with pytest.raises(CodeRefused):
        come_in(code_in(provider.taken[0][1]))


def test_a_gateway_that_is_away_is_told_too(settings: Any) -> None:
    settings.ZHIWAN_SMS = "http://127.0.0.1:9/send"
    with pytest.raises(MessageNotSent):
        residents.send_code(number=NUMBER, address=HERE, at=AT)


def test_a_gateway_without_https_is_refused(settings: Any) -> None:
    settings.ZHIWAN_SMS = "http://sms.example/send"
    with pytest.raises(MessageNotSent):
        residents.send_code(number=NUMBER, address=HERE, at=AT)
