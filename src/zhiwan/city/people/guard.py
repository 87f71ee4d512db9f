"""May the post that acts do this? The first line of every action asks here.

Today by role; the full guard (purpose, class, own) comes later behind the same call. A process of the platform may do
what carries `SYSTEM`. What only a certain role may do (sign a warning, handle a kind of case) is said by the caller
with `roles`, because packs declare it.
"""

from __future__ import annotations

from collections.abc import Iterable

from zhiwan.city.people.acting import Actor, current_actor
from zhiwan.kernel.facts.errors import InputRefused

SYSTEM = "system"
DESK = frozenset({"duty_chief", "operator"})  # the operations centre
AUDITORS = frozenset({"duty_chief", "audit_admin"})

#: action → roles that may do it. `roles` of a call are added; an action that is not listed is refused.
ALLOWED: dict[str, frozenset[str]] = {
    "people.manage": frozenset({SYSTEM, "duty_chief"}),
    "account.see": frozenset({"duty_chief", "system_admin", "security_admin"}),
    "account.switch": frozenset({"duty_chief", "system_admin", "security_admin"}),
    "account.unlock": frozenset({"duty_chief", "security_admin"}),
    "account.recover": frozenset({SYSTEM, "duty_chief", "security_admin"}),
    "session.revoke": frozenset({"duty_chief", "security_admin", "system_admin"}),
    "service.manage": frozenset({SYSTEM, "duty_chief", "system_admin"}),
    "firm.register": frozenset({SYSTEM, "duty_chief", "counter_clerk"}),
    "registry.load": frozenset({SYSTEM}),
    "registry.found": frozenset({SYSTEM, "duty_chief"}),
    "registry.change": frozenset({SYSTEM, "duty_chief", "operator"}),
    "history.import": frozenset({SYSTEM, "duty_chief"}),
    "observation.send": DESK | {"integrator"},
    "alarm.acknowledge": DESK,
    "set_aside.fix": DESK | {"data_steward"},
    "set_aside.drop": DESK | {"data_steward"},
    "rule.propose": frozenset({"duty_chief"}),
    "rule.sign": frozenset({"duty_chief"}),  # and another person than who proposed: amendments/actions.py
    "warning.propose": frozenset({SYSTEM}),
    "warning.draft": DESK,
    "warning.review": DESK,
    "warning.sign": frozenset(),  # only the role that the warning's kind names
    "warning.publish": frozenset({"duty_chief"}),
    "warning.lift": frozenset({"duty_chief"}),
    "warning.reject": DESK,
    "warning.receive": frozenset(),
    "case.open": DESK | {SYSTEM},
    "case.take": DESK,
    "case.handle": DESK,
    "case.close": DESK,
    "plan.respond": frozenset({SYSTEM, "duty_chief"}),
    "plan.end": frozenset({SYSTEM, "duty_chief"}),
    "task.receive": frozenset({"duty_chief"}),
    "task.finish": frozenset({"duty_chief"}),
    "audit.search": AUDITORS,
    "audit.verify": AUDITORS | {SYSTEM},
    "audit.export": AUDITORS | {SYSTEM},
    "audit.retire": frozenset({"audit_admin"}),
    "audit.sign": frozenset({SYSTEM}),
    "audit.keep": frozenset({SYSTEM}),
}


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
    """The subject lies outside the post's towns."""

    code = "PEOPLE-003"
    fact = "the post {post} does not cover {town}"
    detail = "It covers: {towns}."
    hint = "Ask a post that covers it."


def require(action: str, *, town: str | None = None, roles: Iterable[str] = (), posts: Iterable[str] = ()) -> Actor:
    """Who acts, if they may do `action`. Raises NobodyActs, ActionForbidden, OutOfScope.

    `roles` and `posts` widen the action's own roles; `town` (empty for the district) must lie in the post's scope.
    """
    actor = current_actor()
    if actor is None:
        raise NobodyActs(action=action)
    allowed = ALLOWED[action] | frozenset(roles)
    if actor.post is None:
        if SYSTEM not in allowed:
            raise ActionForbidden(post=actor.name, action=action, roles=", ".join(sorted(allowed)) or "a person")
        return actor
    if actor.post.role not in allowed and actor.post.id not in set(posts):
        raise ActionForbidden(post=actor.post.id, action=action, roles=", ".join(sorted(allowed - {SYSTEM})))
    if town is not None and actor.towns is not None and town not in actor.towns:
        raise OutOfScope(post=actor.post.id, town=town or "the district", towns=", ".join(sorted(actor.towns)))
    return actor


def may(action: str) -> bool:
    """Whether the post that acts may do `action` at all: for what a page offers. The action asks again."""
    try:
        require(action)
    except InputRefused:
        return False
    return True
