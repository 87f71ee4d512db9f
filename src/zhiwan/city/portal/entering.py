"""Between the first proof and coming in: what is still owed, kept in the session of a visitor that nobody is yet.

begin(request, user, how, onward) -> response        the next step, or in
waiting(request, step) -> Pending | None             for the view of a step: whose turn it is
done(request, pending) -> response                   that step was given: the next one, or in
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from zhiwan.city.people.models import User
from zhiwan.city.people.ways_in import entering, limits, passwords, sessions

_KEY = "entering"
_PAGE = {"second": "portal:second", "password": "portal:new_password", "enrol": "portal:enrol"}


@dataclass
class Pending:
    """Somebody who has shown a first proof. `owed` is what is still asked, in order."""

    user_id: int
    how: str
    onward: str
    began: str
    owed: list[str]
    post: str = ""
    second_at: str = ""
    given: list[str] = field(default_factory=list)

    @property
    def user(self) -> User:
        return User.objects.get(pk=self.user_id, is_active=True)


def begin(request: HttpRequest, user: User, *, how: str, onward: str, post: str = "") -> HttpResponseRedirect:
    """`how` told who it is. Nothing of a session that stood here before is left."""
    now = timezone.now()
    request.session.flush()
    owed: list[str] = [] if how in ("phone", "firm") else list(entering.steps(user, how=how, at=now))
    pending = Pending(user.pk, how, onward, now.isoformat(), owed, post)
    return _go_on(request, pending)


def waiting(request: HttpRequest, step: str) -> Pending | None:
    """Who stands before this step now; None: nobody, or the time is over."""
    kept = request.session.get(_KEY)
    if not kept:
        return None
    pending = Pending(**kept)
    now = timezone.now()
    late = now - datetime.fromisoformat(pending.began) > timedelta(minutes=limits.at(now).entering_minutes)
    if late or pending.owed[:1] != [step] or not User.objects.filter(pk=pending.user_id, is_active=True).exists():
        return None
    return pending


def done(request: HttpRequest, pending: Pending) -> HttpResponseRedirect:
    """The step whose turn it was has been given."""
    step = pending.owed.pop(0)
    pending.given.append(step)
    if step in ("second", "enrol"):
        pending.second_at = timezone.now().isoformat()
    return _go_on(request, pending)


def _go_on(request: HttpRequest, pending: Pending) -> HttpResponseRedirect:
    if pending.owed:
        request.session[_KEY] = asdict(pending)
        return redirect(_PAGE[pending.owed[0]])
    request.session.pop(_KEY, None)
    now = timezone.now()
    second_at = datetime.fromisoformat(pending.second_at) if pending.second_at else None
    sessions.enter(request, pending.user, how=pending.how, second_at=second_at, at=now)
    if pending.post:
        request.session["post"] = pending.post
    _tell_age(request, pending, now)
    return redirect(pending.onward)


def _tell_age(request: HttpRequest, pending: Pending, now: datetime) -> None:
    """A password that ends soon is told in time."""
    if pending.how != "password" or "password" in pending.given:
        return
    days = passwords.days_left(pending.user, now)
    if days <= limits.at(now).password_warned_days:
        messages.warning(request, _("密码还有 {n} 天到期，请在“我的”里更换。").format(n=days))
