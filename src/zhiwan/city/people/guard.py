"""May the post that acts do this? The first line of every action asks here, and every page and operation before it.

`require` puts the question to kernel/guard/decide.py: *what* (does the role hold the action) · *where* and *whose*
(does the subject lie in the post's reach) · a second factor and a reason where they are demanded. What only a certain
role may do for a certain thing (sign this kind of warning, handle this kind of case) is said by the caller with
`roles` or `posts`, because packs declare it; such an action is declared `given`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django.utils import timezone

from zhiwan.city.people.acting import Actor, current_actor
from zhiwan.city.people.purposes import purpose_book
from zhiwan.city.people.roles import role_book
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.guard.decide import Decision, Reason, decide, may_attempt, names_given
from zhiwan.kernel.guard.people import Subject
from zhiwan.kernel.guard.purposes import NO_PURPOSES, Purpose

SYSTEM = "system"


class NobodyActs(InputRefused):
    """An action was called outside acting()."""

    code = "PEOPLE-001"
    fact = "nobody acts: {action} needs a post"
    detail = "The account holds no valid post, or the call is outside acting()."
    hint = "Sign in with an account that holds a post."


class ActionForbidden(InputRefused):
    """The post may not do this."""

    code = "PEOPLE-002"
    fact = "the post {post} may not do {action}"
    detail = "It may be done by: {roles}."
    hint = "Switch to a post that may, or ask its holder."


class OutOfScope(InputRefused):
    """The subject lies outside the post's scope."""

    code = "PEOPLE-003"
    fact = "the post {post} does not cover {town}"
    detail = "It covers: {towns}."
    hint = "Ask a post that covers it."


class PostNotInForce(InputRefused):
    """The post has not begun, or has ended."""

    code = "PEOPLE-004"
    fact = "the post {post} is not in force"
    detail = "It begins {since}, it ends {until}."
    hint = "Ask the security administrator to renew it."


class SecondFactorNeeded(InputRefused):
    """The role or the grade demands a second factor that was not shown."""

    code = "PEOPLE-005"
    fact = "{action} needs a second factor"
    detail = "The post {post}, or the grade of what is read, demands it."
    hint = "Sign in with the second factor and try again."


class ReasonNeeded(InputRefused):
    """A reveal without a reason."""

    code = "PEOPLE-006"
    fact = "{action} needs a reason"
    detail = "Who reads it, and why, is written into the audit."
    hint = "Say in a few words what it is needed for."


class GradeTooHigh(InputRefused):
    """A field above what the post may see even with a reason."""

    code = "PEOPLE-007"
    fact = "the post {post} may not see a field of grade {grade}"
    detail = "Its role sees less, even with a reason."
    hint = "Ask a post that may."


class ActionUndeclared(InputRefused):
    """Nobody declared it: refused whoever asks."""

    code = "PEOPLE-008"
    fact = "the action {action} is declared nowhere"
    detail = "Every action stands in a guard.yml; what does not is refused."
    hint = "Declare it, and say which roles hold it."


class PurposeNeeded(InputRefused):
    """A personal field, and no purpose of the register lets this role read it now."""

    code = "PEOPLE-009"
    fact = "no purpose in force lets the post {post} read {field}"
    detail = "Personal fields are read for a purpose of the register only; named was: {under}."
    hint = "Choose one of the purposes that the page offers, or ask who keeps the register (purposes.yml)."


def require(
    action: str,
    *,
    town: str | None = None,
    on: Any = None,
    roles: Iterable[str] = (),
    posts: Iterable[str] = (),
    reason: str = "",
    grade: int = 1,
    field: str = "",
    under: str = "",
) -> Actor:
    """Who acts, if they may do `action`. Raises what says why not.

    `on`: the row that is acted on, or a Subject; `town` where there is only a town (empty: the whole district).
    `roles` and `posts`: whom a pack or a plan gives the action for this subject. `grade`: of what is revealed;
    `field`: its Type.field, and `under` the purpose it is read for.
    """
    actor = current_actor()
    if actor is None:
        raise NobodyActs(action=action)
    subject = _subject(town, on, grade, field)
    roles = frozenset(roles)
    given = names_given(actor.person, roles, frozenset(posts))
    decision = decide(
        actor.person, action, subject, reason, timezone.now(),
        book=role_book(), given=given, under=under, purposes=purpose_book() if field else NO_PURPOSES,
    )  # fmt: skip
    if not decision.allow:
        raise refusal(decision, action, actor, subject, roles, under)
    return actor


def purposes_for(field: str) -> list[Purpose]:
    """For what the acting post may read this field (Type.field) now."""
    actor = current_actor()
    role = role_book().role(actor.person.role or "") if actor is not None else None
    return purpose_book().covering(role.id, field, timezone.now()) if role is not None else []


def may(
    action: str,
    *,
    on: Any = None,
    roles: Iterable[str] = (),
    posts: Iterable[str] = (),
    grade: int = 1,
    field: str = "",
    under: str = "",
) -> bool:
    """Whether the acting post may do it: for pages that offer only what can be done."""
    try:
        require(
            action, on=on, roles=roles, posts=posts, reason="asked by a page", grade=grade, field=field, under=under
        )
    except InputRefused:
        return False
    return True


def require_open(action: str) -> None:
    """Raises why the acting post may not open what this action guards, whatever the subject turns out to be."""
    actor = current_actor()
    if actor is None:
        raise NobodyActs(action=action)
    decision = may_attempt(actor.person, action, timezone.now(), book=role_book())
    if not decision.allow:
        raise refusal(decision, action, actor, None)


def may_open(action: str) -> bool:
    """Whether it may: for menus and links."""
    try:
        require_open(action)
    except InputRefused:
        return False
    return True


def subject_of(row: Any, grade: int = 1) -> Subject:
    """A guarded row as the guard sees it: the same columns that the policies test."""
    return Subject(
        town=row.town,
        zones=frozenset(getattr(row, "zones", ())),
        line=getattr(row, "line", ""),
        own=frozenset(getattr(row, "own", ())),
        common=getattr(row, "said_to_all", False),
        told=getattr(row, "told", True),
        grade=grade,
    )


def _subject(town: str | None, on: Any, grade: int, field: str) -> Subject | None:
    if isinstance(on, Subject):
        return replace(on, grade=max(on.grade, grade), field=field)
    if on is not None:
        return replace(subject_of(on, grade), field=field)
    return Subject(town=town, grade=grade, field=field) if town is not None else None


def refusal(
    decision: Decision,
    action: str,
    actor: Actor,
    subject: Subject | None,
    given: frozenset[str] = frozenset(),
    under: str = "",
) -> InputRefused:
    """The error that tells a person, or a client, why not."""
    post = actor.post.id if actor.post is not None else actor.name
    match decision.reason:
        case Reason.UNDECLARED:
            return ActionUndeclared(action=action)
        case Reason.NOBODY | Reason.NO_POST:
            return NobodyActs(action=action)
        case Reason.NOT_YET | Reason.ENDED:
            since, until = actor.person.since, actor.person.until
            return PostNotInForce(post=post, since=since or "at once", until=until or "never")
        case Reason.OUT_OF_REACH:
            towns = sorted(actor.reach.towns | actor.reach.zones | (actor.reach.lines or frozenset()))
            where = (subject.town if subject is not None else "") or "the district"
            return OutOfScope(post=post, town=where, towns=", ".join(towns) or "nothing")
        case Reason.SECOND_FACTOR:
            return SecondFactorNeeded(action=action, post=post)
        case Reason.REASON_MISSING:
            return ReasonNeeded(action=action)
        case Reason.NO_PURPOSE:
            return PurposeNeeded(post=post, field=subject.field if subject else "?", under=under or "none")
        case Reason.GRADE:
            return GradeTooHigh(post=post, grade=subject.grade if subject is not None else "?")
    holders = sorted({role.id for role in role_book().roles_with(action)} | given)
    return ActionForbidden(post=post, action=action, roles=", ".join(holders) or "nobody by role")
