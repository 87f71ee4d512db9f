"""The one decision: may this person do this to that, for this purpose, at this time. Fails closed.

What is asked in turn: is the action declared · is somebody there · is the post in force · does its role hold the
action (or was it given for this subject) · does the subject lie in its reach · is a second factor shown where one is
demanded · is a reason given · is a personal field read for a purpose that is in force and covers it. The first no is
the answer, and the answer says which it was. `at` is an argument: a replay decides as it was then.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from zhiwan.kernel.facts.declared import Text
from zhiwan.kernel.guard.actions import Action
from zhiwan.kernel.guard.people import Person, Subject
from zhiwan.kernel.guard.purposes import NO_PURPOSES, PERSONAL, PurposeBook
from zhiwan.kernel.guard.roles import Role, RoleBook

#: Fields of these grades are read with a second factor only.
HIGHEST_GRADES = 4


class Reason(Enum):
    """Why: a code for programs and logs, words for people."""

    ALLOWED = ("allowed", "可以办理", "allowed")
    UNDECLARED = ("undeclared", "没有声明过这个操作", "nobody declared this action")
    NOBODY = ("nobody", "没有登录", "nobody is signed in")
    NO_POST = ("no_post", "没有以岗位办理", "no post acts")
    NOT_YET = ("not_yet", "岗位尚未生效", "the post is not in force yet")
    ENDED = ("ended", "岗位已失效", "the post has ended")
    ROLE_UNKNOWN = ("role_unknown", "岗位的角色没有声明", "the post's role is declared nowhere")
    NOT_HELD = ("not_held", "本岗位的角色不办这件事", "the post's role does not do this")
    OUT_OF_REACH = ("out_of_reach", "不在本岗位的管辖范围内", "it lies outside the post's scope")
    GRADE = ("grade", "安全级别高于本岗位可看的级别", "its grade is above what the post may see")
    SECOND_FACTOR = ("second_factor", "需要第二种验证", "a second factor is needed")
    REASON_MISSING = ("reason_missing", "需要说明原因", "a reason is needed")
    NO_PURPOSE = ("no_purpose", "没有有效的使用目的涵盖这个字段", "no purpose in force covers this field")

    def __init__(self, code: str, zh: str, en: str) -> None:
        self.code = code
        self.words = Text(zh=zh, en=en)


class Obligation(Enum):
    """What an allowed action still asks of whoever lets it through."""

    MASK = "mask"  # fields above the role's grade are masked
    LOG = "log"  # the audit gets a record even if nothing changes
    SECOND_FACTOR = "second_factor"  # it was demanded, and shown


@dataclass(frozen=True, slots=True)
class Decision:
    allow: bool
    reason: Reason
    obligations: frozenset[Obligation] = frozenset()
    sees: int = 0  # fields up to this grade may be shown whole

    def __bool__(self) -> bool:
        return self.allow


def _no(reason: Reason) -> Decision:
    return Decision(False, reason)


def decide(
    person: Person,
    action: str,
    subject: Subject | None,
    purpose: str,
    at: datetime,
    *,
    book: RoleBook,
    given: bool = False,
    under: str = "",
    purposes: PurposeBook = NO_PURPOSES,
) -> Decision:
    """`subject` None asks for the action as such; `given`: a pack or a plan names this post or role for the subject.

    `purpose` is the reason in free words; `under` the declared purpose of a personal field, one of `purposes`.
    """
    declared = book.actions.get(action)
    if declared is None:
        return _no(Reason.UNDECLARED)
    if person.process:
        return _of_process(declared)
    if declared.to != "post" and (person.account is not None or declared.to == "anyone"):
        return _yes(declared, None)
    if person.post is None:
        return _no(Reason.NOBODY if person.account is None else Reason.NO_POST)
    if person.since is not None and at < person.since:
        return _no(Reason.NOT_YET)
    if person.until is not None and at >= person.until:
        return _no(Reason.ENDED)
    role = book.role(person.role or "")
    if role is None:
        return _no(Reason.ROLE_UNKNOWN)
    if not _holds(book, role, declared, given):
        return _no(Reason.NOT_HELD)
    if subject is not None and (no := _refused(person, role, declared, subject)) is not None:
        return _no(no)
    if _demands_second_factor(role, declared, subject) and not person.second_factor:
        return _no(Reason.SECOND_FACTOR)
    if declared.reason and not purpose.strip():
        return _no(Reason.REASON_MISSING)
    personal = declared.sort == "reveal" and subject is not None and subject.grade >= PERSONAL
    if personal and subject is not None and not purposes.lets(under, role.id, subject.field, at):
        return _no(Reason.NO_PURPOSE)
    return _yes(declared, role, second=_demands_second_factor(role, declared, subject))


def may_attempt(person: Person, action: str, at: datetime, *, book: RoleBook) -> Decision:
    """At the door of a page whose subject is not known yet: what a pack may give passes for who holds what it needs.

    The action itself decides again when the subject is known.
    """
    declared = book.actions.get(action)
    reason = "asked at the door" if declared is not None and declared.reason else ""
    return decide(person, action, None, reason, at, book=book, given=declared is not None and declared.given)


def _of_process(declared: Action) -> Decision:
    if not declared.system and declared.to == "post" and declared.sort != "read":
        return _no(Reason.NOT_HELD)
    return Decision(True, Reason.ALLOWED, _asked(declared), sees=5)


def _holds(book: RoleBook, role: Role, declared: Action, given: bool) -> bool:
    held = book.held_by(role)
    return declared.id in held or (given and declared.given and role.on_duty and declared.needs in held)


def _refused(person: Person, role: Role, declared: Action, subject: Subject) -> Reason | None:
    reading = declared.sort in ("read", "reveal", "export")
    if not (person.reach.sees(subject) if reading else person.reach.covers(subject)):
        return Reason.OUT_OF_REACH
    if declared.sort == "reveal" and subject.grade > max(role.reveals, role.sees):
        return Reason.GRADE
    return None


def _demands_second_factor(role: Role, declared: Action, subject: Subject | None) -> bool:
    if role.second_factor or declared.second_factor:
        return True
    return declared.sort == "reveal" and subject is not None and subject.grade >= HIGHEST_GRADES


def _asked(declared: Action) -> frozenset[Obligation]:
    return frozenset({Obligation.LOG} if declared.logged else ())


def _yes(declared: Action, role: Role | None, second: bool = False) -> Decision:
    asked = set(_asked(declared))
    sees = role.sees if role is not None else 1
    if declared.sort in ("read", "export"):
        asked.add(Obligation.MASK)
    if second:
        asked.add(Obligation.SECOND_FACTOR)
    return Decision(True, Reason.ALLOWED, frozenset(asked), sees)


def names_given(person: Person, roles: Collection[str], posts: Collection[str]) -> bool:
    """Whether a declaration that names roles or posts means this person."""
    return (person.duty is not None and person.duty in roles) or (person.post is not None and person.post in posts)
