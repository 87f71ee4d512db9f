"""Family proxies (家人代办): somebody acts for an elder until a day, once that person's phone has confirmed it.

ask(agent, number, name, relation, valid_to, address) -> Proxy      a code goes to the ward's phone
confirm(agent, proxy, code, address)                                the ward tells the code, and it begins
end(user, proxy)                                                    by either side, at once
of_agent(user) · of_ward(user)                                      what is asked or in force
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in import limits, own, phones, residents
from zhiwan.city.people.ways_in.errors import GrantRefused, NotYours
from zhiwan.city.people.ways_in.models import PhoneNumber, Proxy
from zhiwan.city.people.ways_in.seals import seal, unseal

RELATIONS = ("parent", "child", "spouse", "other")
ASKED_FOR = timedelta(minutes=30)  # an unconfirmed one may be confirmed so long, with a fresh code if need be


def in_force(day: date) -> Q:
    """Confirmed, not ended, not past its day."""
    return Q(confirmed_at__isnull=False, ended_at=None, valid_to__gte=day)


def last_day(at: datetime) -> date:
    """The latest day a grant may end on."""
    return timezone.localdate(at) + timedelta(days=limits.at(at).grant_days)


def check_end(valid_to: date, at: datetime) -> None:
    """A grant ends: not in the past, not later than the limit. Raises GrantRefused."""
    if not timezone.localdate(at) <= valid_to <= last_day(at):
        raise GrantRefused(problem=_("截止日期要在今天到 {day} 之间。").format(day=last_day(at).isoformat()))


def ask(
    *,
    agent: User,
    number: str,
    name: str,
    relation: str,
    valid_to: date,
    address: str,
    at: datetime | None = None,
) -> Proxy:
    """Ask to act for the holder of a phone. Raises GrantRefused, TooOften, MessageNotSent."""
    own.require(agent)
    now = at or timezone.now()
    check_end(valid_to, now)
    if relation not in RELATIONS or not 1 <= len(name.strip()) <= residents.MOST_NAME:
        raise GrantRefused(problem=_("请填写姓名和关系。"))
    key = phones.key(number)
    with acting_system("web"):
        if PhoneNumber.objects.filter(user=agent, key=key).exists():
            raise GrantRefused(problem=_("这是您自己的手机号。"))
        mine = Proxy.objects.filter(agent=agent, ward_phone_key=key, ended_at=None)
        if mine.filter(in_force(timezone.localdate(now))).exists():
            raise GrantRefused(problem=_("已经可以为此人代办。要改截止日期，请先结束现有授权。"))
        mine.update(ended_at=now)
        proxy = Proxy.objects.create(
            agent=agent,
            ward_phone_key=key,
            ward_phone_sealed=seal(number),
            ward_tail=phones.tail(number),
            ward_name=name.strip(),
            relation=relation,
            valid_to=valid_to,
            asked_at=now,
        )
    send_code(agent=agent, proxy=proxy, address=address, at=now)
    return proxy


def send_code(*, agent: User, proxy: Proxy, address: str, at: datetime | None = None) -> None:
    """The code that lets the ward confirm, sent (again). Raises TooOften, MessageNotSent."""
    own.require(agent)

    def words(code: str, minutes: int) -> str:
        return _(
            "【智湾】{who} 申请为您代办事项，到 {day} 为止。同意请把验证码 {code} 告诉对方"
            "（{n} 分钟内有效）；不同意请勿理会。"
        ).format(who=str(agent), day=proxy.valid_to.isoformat(), code=code, n=minutes)

    phones.send(number=_number(proxy), purpose=_purpose(proxy), words=words, address=address, at=at)


def confirm(*, agent: User, proxy_id: int, code: str, address: str, at: datetime | None = None) -> Proxy:
    """The ward has told the code. Raises CodeRefused, TooOften, NotYours."""
    own.require(agent)
    now = at or timezone.now()
    proxy = asked(agent, proxy_id, now)
    phones.check(number=_number(proxy), purpose=_purpose(proxy), code=code, address=address, at=now)
    with transaction.atomic(), acting_system("web"):
        proxy.ward = residents.account_of(_number(proxy), now)
        proxy.confirmed_at = now
        proxy.save(update_fields=["ward", "confirmed_at"])
        told = {"ward": proxy.ward.username, "valid_to": proxy.valid_to.isoformat()}
        own.record("account.begin_proxy", agent, address=address, at=now, after=told)
    return proxy


def asked(agent: User, proxy_id: int, at: datetime) -> Proxy:
    """A proxy of this account that waits for its code. Raises NotYours."""
    with acting_system("web"):
        waiting = Proxy.objects.filter(agent=agent, confirmed_at=None, ended_at=None, asked_at__gt=at - ASKED_FOR)
        proxy = waiting.filter(pk=proxy_id).first()
    if proxy is None:
        raise NotYours()
    return proxy


@transaction.atomic
def end(*, user: User, proxy_id: int, at: datetime | None = None) -> None:
    """Over from now on; the ward and the agent may both say so. Raises NotYours."""
    own.require(user)
    now = at or timezone.now()
    with acting_system("web"):
        mine = Proxy.objects.filter(Q(agent=user) | Q(ward=user), pk=proxy_id, ended_at=None)
        if mine.update(ended_at=now) != 1:
            raise NotYours()
    own.record("account.end_proxy", user, at=now, after={"proxy": proxy_id})


def of_agent(user: User, at: datetime) -> list[Proxy]:
    """Whom the account acts for, and what still waits for a code."""
    with acting_system("web"):
        waiting = Q(confirmed_at=None, ended_at=None, asked_at__gt=at - ASKED_FOR)
        rows = Proxy.objects.filter(in_force(timezone.localdate(at)) | waiting, agent=user)
        return list(rows.select_related("ward").order_by("id"))


def of_ward(user: User, at: datetime) -> list[Proxy]:
    """Who acts for the account."""
    with acting_system("web"):
        rows = Proxy.objects.filter(in_force(timezone.localdate(at)), ward=user)
        return list(rows.select_related("agent").order_by("id"))


def _number(proxy: Proxy) -> str:
    return unseal(proxy.ward_phone_sealed)


def _purpose(proxy: Proxy) -> str:
    return f"proxy:{proxy.pk}"
