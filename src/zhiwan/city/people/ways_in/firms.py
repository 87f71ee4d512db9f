"""Firms: known by their unified social credit code (GB 32100), acted for by people whom the firm's administrator names.

register(code, name, person, number, valid_to)          at the counter, which has seen the licence and the person
grant(by, firm, person, number, valid_to, administrator) -> FirmStaff      by an administrator of the firm
end(by, staff)                                          never the last administrator
send_code(code, number, address) · sign_in(code, number, sms_code, address) -> (User, Post)
staff_of(firm, at) · grants_of(user, at) · listed(text, at, page)

Nobody becomes a firm by typing its code, which anyone can look up: the first administrator is entered by an office.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from zhiwan.city.paging import Page, paged
from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import acting_system
from zhiwan.city.people.models import Organisation, Post, Scope, User
from zhiwan.city.people.ways_in import own, phones, residents
from zhiwan.city.people.ways_in.errors import CodeRefused, GrantRefused, NotYours
from zhiwan.city.people.ways_in.models import Firm, FirmStaff
from zhiwan.city.people.ways_in.proxies import check_end
from zhiwan.city.people.ways_in.seals import seal
from zhiwan.kernel.facts.ids import check_credit_code

MOST_NAME = 120


def in_force(day: date) -> Q:
    """Not ended, not past its day."""
    return Q(ended_at=None, valid_to__gte=day)


@transaction.atomic
def register(*, code: str, name: str, person: str, number: str, valid_to: date, at: datetime | None = None) -> Firm:
    """A firm with its first administrator. Raises IdRefused, GrantRefused."""
    guard.require("firm.register")
    now = at or timezone.now()
    code = check_credit_code(code)
    check_end(valid_to, now)
    if not 1 <= len(name.strip()) <= MOST_NAME:
        raise GrantRefused(problem=_("请填写企业名称。"))
    with acting_system("web"):
        if Firm.objects.filter(code=code).exists():
            raise GrantRefused(problem=_("这家企业已经登记。"))
        firm = Firm.objects.create(code=code, name=name.strip(), post=_post(code, name.strip()), registered_at=now)
        _keep(firm, person, number, valid_to, administrator=True, by=None, now=now)
    audit.record("firm.register", f"firm:{code}", at=now, after={"name": firm.name, "valid_to": valid_to.isoformat()})
    return firm


def _post(code: str, name: str) -> Post:
    id = f"firm-{code.lower()}"
    body = Organisation.objects.create(id=id, name_zh=name, name_en=name, area="")
    return Post.objects.create(
        id=id, role=residents.FIRM, title_zh=name, title_en=name, organisation=body, scope=Scope.TOWNS, towns=[]
    )


@transaction.atomic
def grant(
    *,
    by: User,
    firm: Firm,
    person: str,
    number: str,
    valid_to: date,
    administrator: bool = False,
    at: datetime | None = None,
) -> FirmStaff:
    """An administrator of the firm lets a person act for it. Raises NotYours, GrantRefused, PhoneRefused."""
    own.require(by)
    now = at or timezone.now()
    require_administrator(by, firm, now)
    check_end(valid_to, now)
    with acting_system("web"):
        staff = _keep(firm, person, number, valid_to, administrator=administrator, by=by, now=now)
    told = {"firm": firm.code, "staff": staff.pk, "administrator": administrator, "valid_to": valid_to.isoformat()}
    own.record("firm.grant", by, at=now, after=told)
    return staff


def _keep(
    firm: Firm, person: str, number: str, valid_to: date, *, administrator: bool, by: User | None, now: datetime
) -> FirmStaff:
    if not 1 <= len(person.strip()) <= residents.MOST_NAME:
        raise GrantRefused(problem=_("请填写办事人姓名。"))
    key = phones.key(number)
    past = FirmStaff.objects.filter(firm=firm, phone_key=key, ended_at=None)
    if past.filter(in_force(timezone.localdate(now))).exists():
        raise GrantRefused(problem=_("此人已经可以为企业办事。要改期限或身份，请先结束现有授权。"))
    past.update(ended_at=now)
    return FirmStaff.objects.create(
        firm=firm,
        phone_key=key,
        phone_sealed=seal(number),
        tail=phones.tail(number),
        name=person.strip(),
        administrator=administrator,
        valid_to=valid_to,
        granted_at=now,
        granted_by=by,
    )


def require_administrator(user: User, firm: Firm, at: datetime) -> None:
    """Raises NotYours for whoever does not administrate this firm today."""
    with acting_system("web"):
        mine = FirmStaff.objects.filter(in_force(timezone.localdate(at)), firm=firm, user=user, administrator=True)
        if not mine.exists():
            raise NotYours()


@transaction.atomic
def end(*, by: User, staff_id: int, at: datetime | None = None) -> None:
    """A person no longer acts for the firm; at once. Raises NotYours, GrantRefused."""
    own.require(by)
    now = at or timezone.now()
    with acting_system("web"):
        staff = FirmStaff.objects.select_related("firm").filter(pk=staff_id, ended_at=None).first()
        if staff is None:
            raise NotYours()
        Firm.objects.select_for_update().get(pk=staff.firm.pk)  # two administrators must not end each other
        require_administrator(by, staff.firm, now)
        others = FirmStaff.objects.filter(in_force(timezone.localdate(now)), firm=staff.firm, administrator=True)
        if staff.administrator and not others.exclude(pk=staff.pk).exists():
            raise GrantRefused(problem=_("企业至少要有一名管理员。请先指定另一名。"))
        FirmStaff.objects.filter(pk=staff.pk).update(ended_at=now)
    own.record("firm.end_grant", by, at=now, after={"firm": staff.firm.code, "staff": staff.pk})


def send_code(*, code: str, number: str, address: str, at: datetime | None = None) -> None:
    """A code for a person who acts for the firm. Whether the phone is one of theirs is not told: nothing is sent to
    any other, and the answer is the same. Raises IdRefused, TooOften, MessageNotSent."""
    now = at or timezone.now()
    code = check_credit_code(code)
    if _grant(code, number, now) is None:
        phones.allow(number, address, now)
        return
    phones.send(number=number, purpose=_purpose(code), words=_words, address=address, at=now)


def _words(code: str, minutes: int) -> str:
    return _("【智湾】企业登录验证码 {code}，{n} 分钟内有效。请勿告诉任何人。").format(code=code, n=minutes)


def sign_in(*, code: str, number: str, sms_code: str, address: str, at: datetime | None = None) -> tuple[User, Post]:
    """The person and the firm's post. Raises CodeRefused, TooOften."""
    now = at or timezone.now()
    code = check_credit_code(code)
    phones.check(number=number, purpose=_purpose(code), code=sms_code, address=address, at=now)
    with transaction.atomic():
        staff = _grant(code, number, now)
        if staff is None:
            raise CodeRefused()
        user = residents.account_of(number, now)
        if not user.is_active:
            raise CodeRefused()
        with acting_system("web"):
            FirmStaff.objects.filter(pk=staff.pk).update(user=user)
    return user, staff.firm.post


def _grant(code: str, number: str, at: datetime) -> FirmStaff | None:
    with acting_system("web"):
        found = FirmStaff.objects.filter(in_force(timezone.localdate(at)), firm_id=code, phone_key=phones.key(number))
        return found.select_related("firm__post").first()


def _purpose(code: str) -> str:
    return f"firm:{code}"


def staff_of(firm: Firm, at: datetime) -> list[FirmStaff]:
    """Who may act for the firm today, administrators first."""
    with acting_system("web"):
        return list(
            FirmStaff.objects.filter(in_force(timezone.localdate(at)), firm=firm).order_by("-administrator", "id")
        )


def grants_of(user: User, at: datetime) -> list[FirmStaff]:
    """The firms that the account may act for today."""
    with acting_system("web"):
        rows = FirmStaff.objects.filter(in_force(timezone.localdate(at)), user=user)
        return list(rows.select_related("firm__post").order_by("firm_id"))


@dataclass(frozen=True)
class FirmRow:
    """A firm as the counter lists it."""

    firm: Firm
    staff: int
    administrators: tuple[str, ...]


def listed(*, text: str = "", at: datetime, page: int = 1, size: int = 50) -> Page[FirmRow]:
    """Registered firms by name, found by a part of the name or the code."""
    with acting_system("web"):
        found = Firm.objects.order_by("name", "code")
        if text:
            found = found.filter(Q(name__icontains=text) | Q(code__startswith=text.upper()))
        firms = paged(found, lambda firm: firm, page, size)
        grants: dict[str, list[FirmStaff]] = {}
        for one in FirmStaff.objects.filter(in_force(timezone.localdate(at)), firm__in=firms.rows):
            grants.setdefault(one.firm_id, []).append(one)
        rows = [
            FirmRow(
                firm,
                len(grants.get(firm.code, ())),
                tuple(one.name for one in grants.get(firm.code, ()) if one.administrator),
            )
            for firm in firms.rows
        ]
        return Page(rows, firms.total, firms.page, firms.size)
