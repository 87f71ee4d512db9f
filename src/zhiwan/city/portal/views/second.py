"""The steps behind a first proof, and the same pages for a signed-in account: second factor and password."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from zhiwan.city.people.models import User
from zhiwan.city.people.routes import declares
from zhiwan.city.people.ways_in import passwords, second_factor, sessions
from zhiwan.city.people.ways_in.errors import PasswordRefused, SignInRefused
from zhiwan.city.portal import entering
from zhiwan.city.portal.gate import opens
from zhiwan.city.portal.refusals import sentence
from zhiwan.city.portal.views.base import address_of, door, local_url
from zhiwan.kernel.facts.errors import CityError, InputRefused


class NotTheSame(InputRefused):
    """A new password is typed twice, because nobody can see it."""

    code = "WAYS-015"
    fact = "the two passwords differ"
    hint = "Type the new password twice."


def _account(request: HttpRequest) -> User | None:
    return request.user if isinstance(request.user, User) else None


@declares("way.enter")
@never_cache
@require_http_methods(["GET", "POST"])
def second(request: HttpRequest) -> HttpResponse:
    """A code of the second factor: to come in, or once more before something that asks for a fresh one."""
    pending = entering.waiting(request, "second")
    user = pending.user if pending else _account(request)
    if user is None or not second_factor.enrolled(user):
        return redirect("portal:sign_in")
    onward = local_url(request, request.POST.get("next") or request.GET.get("next"))
    problem: CityError | None = None
    if request.method == "POST":
        now = timezone.now()
        try:
            code = request.POST.get("code", "")
            second_factor.verify(user=user, code=code, address=address_of(request) or None, at=now)
        except CityError as refused:
            problem = refused
        else:
            if pending:
                return entering.done(request, pending)
            sessions.confirm_second(request, now)
            return redirect(onward)
    return door(request, "second", _("动态码"), {"next": onward, "entering": pending}, problem)


@declares("way.enter")
@never_cache
@require_http_methods(["GET", "POST"])
def enrol(request: HttpRequest) -> HttpResponse:
    """A device for the second factor: its QR code, its first code, then the recovery codes, shown once.

    Replacing a device needs a code of the old one (or a recovery code) first.
    """
    pending = entering.waiting(request, "enrol")
    user = pending.user if pending else _account(request)
    if user is None:
        return redirect("portal:sign_in")
    now = timezone.now()
    if not pending and second_factor.enrolled(user) and not sessions.second_is_fresh(request, now):
        return redirect(f"{reverse('portal:second')}?next={request.path}")
    problem: CityError | None = None
    if request.method == "POST":
        try:
            code = request.POST.get("code", "")
            codes = second_factor.confirm(user=user, code=code, address=address_of(request) or None, at=now)
        except CityError as refused:
            problem = refused
        else:
            onward = entering.done(request, pending).url if pending else reverse("portal:own")
            if not pending:
                sessions.confirm_second(request, now)
            return _codes(request, codes, onward)
    enrolment = second_factor.begin(user=user, issuer=_("智湾"))
    shown = {"enrolment": enrolment, "entering": pending, "account": user}
    return door(request, "enrol", _("绑定动态码"), shown, problem)


def _codes(request: HttpRequest, codes: list[str], onward: str) -> HttpResponse:
    return door(request, "codes", _("恢复码"), {"codes": codes, "next": onward})


@declares("way.enter")
@never_cache
@require_http_methods(["GET", "POST"])
def new_password(request: HttpRequest) -> HttpResponse:
    """A password that must be chosen before going on: the first, one after recovery, or in place of one too old."""
    pending = entering.waiting(request, "password")
    if pending is None:
        return redirect("portal:sign_in")
    problem: CityError | None = None
    if request.method == "POST":
        try:
            passwords.choose(user=pending.user, new=_twice(request), address=address_of(request) or None)
        except CityError as refused:
            problem = refused
        else:
            return entering.done(request, pending)
    why = _why(pending.how, pending.user)
    return door(request, "new_password", _("设置密码"), {"why": why, "account": pending.user, **_rules()}, problem)


def _why(how: str, user: User) -> str:
    if how == "recovery":
        return _("账号已由管理员恢复，请设置新密码。")
    if not user.has_usable_password():
        return _("这是您第一次登录，请设置密码。")
    return _("密码已到期，请设置新密码。")


def _rules() -> dict[str, str]:
    return {"rules": passwords.RuleValidator().get_help_text()}


def _twice(request: HttpRequest) -> str:
    new = request.POST.get("new", "")
    if new != request.POST.get("again", ""):
        raise NotTheSame()
    return new


@never_cache
@require_http_methods(["GET", "POST"])
@opens("way.account")
def change_password(request: HttpRequest) -> HttpResponseBase:
    """Another password, by an account that knows the present one; its other devices are signed out."""
    user = _account(request)
    if user is None or not user.has_usable_password():
        return redirect("portal:own")
    problem: CityError | None = None
    if request.method == "POST":
        row = getattr(request.session, "row", None)
        try:
            old, new = request.POST.get("old", ""), _twice(request)
            passwords.change(user=user, old=old, new=new, keep=str(row.public_id) if row else None)
        except SignInRefused as refused:
            problem = PasswordRefused(problems=_("现在的密码不对。还可再试 {n} 次。").format(n=refused.values["left"]))
        except CityError as refused:
            problem = refused
        else:
            sessions.keep_after_new_password(request, user)
            messages.success(request, _("密码已更换，其他设备已退出。"))
            return redirect("portal:own")
    return door(request, "change_password", _("更换密码"), {"account": user, **_rules()}, problem)


@never_cache
@require_POST
@opens("way.account")
def renew_codes(request: HttpRequest) -> HttpResponseBase:
    """Ten new recovery codes, shown once; asks for the second factor first."""
    user = _account(request)
    if user is None or not sessions.second_is_fresh(request, timezone.now()):
        return redirect(f"{reverse('portal:second')}?next={reverse('portal:own')}")
    return _codes(request, second_factor.renew_codes(user=user), reverse("portal:own"))


@never_cache
@require_POST
@opens("way.account")
def give_up(request: HttpRequest) -> HttpResponseBase:
    """Without a second factor, where no post demands one; asks for it a last time."""
    user = _account(request)
    if user is None or not sessions.second_is_fresh(request, timezone.now()):
        return redirect(f"{reverse('portal:second')}?next={reverse('portal:own')}")
    try:
        second_factor.give_up(user=user)
    except CityError as refused:
        messages.error(request, sentence(refused))
    else:
        messages.success(request, _("已停用动态码。"))
    return redirect("portal:own")
