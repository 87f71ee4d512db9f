"""Proposing, signing, refusing and withdrawing changes of rules and parameters. `at` defaults to now.

    propose_rule(rule_id, given, note, days)                          fields of a form
    propose_entry(rule_id, parameter, given, note, days)              a new dated value
    propose_correction(rule_id, parameter, entry, given, note, days)  a dated value that was wrong
    propose_undo(amendment_id, note, days)                            back to what was before
    propose_declared(rule_id, note, days)                             back to the pack's own text
    approve(amendment_id, note)      reject(amendment_id, note)      withdraw(amendment_id)
    look_back(amendment_id, days)                                     the preview again, over another time

Two persons: whoever proposed does not sign. What is signed is in force at once in every process (packs_loaded).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from zhiwan.city import packs_loaded
from zhiwan.city.amendments import errors
from zhiwan.city.amendments.models import Amendment, Kind, Preview, State
from zhiwan.city.amendments.subjects import Subject, parameter_subject, rule_subject, subject_of
from zhiwan.city.amendments.texts import GivenEntry, corrected_after, entry_after, rule_after
from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import LIVE, Actor
from zhiwan.city.people.models import Post, User
from zhiwan.city.watch import hints
from zhiwan.city.watch.follow_up import defer
from zhiwan.kernel.packs.local_changes import JUDGED, Text, entries_of

PREVIEW = "zhiwan.amendments.preview"
DAYS = (7, 30, 90, 0)  # 0: all that the lake holds
MOST_WORDS = 2000
#: Serials are given one after the other, in the order of commits.
_SIGNING = 0x7A68_7275


@transaction.atomic
def propose_rule(
    *, rule_id: str, given: Mapping[str, str], note: str, days: int, at: datetime | None = None
) -> Amendment:
    """Another text of a rule. Raises TextRefused with each field's error."""
    actor = guard.require("rule.propose")
    subject = rule_subject(rule_id)
    return _propose(actor, Kind.RULE, subject, rule_id, rule_after(rule_id, given), note, days, at)


@transaction.atomic
def propose_entry(
    *, rule_id: str, parameter: str, given: GivenEntry, note: str, days: int, at: datetime | None = None
) -> Amendment:
    """A new dated value of a parameter that the rule is held against."""
    actor = guard.require("rule.propose")
    subject = parameter_subject(rule_id, parameter)
    after = entry_after(subject.parameter, given, today=_today(at))
    return _propose(actor, Kind.ENTRY, subject, rule_id, after, note, days, at)


@transaction.atomic
def propose_correction(
    *, rule_id: str, parameter: str, entry: date, given: GivenEntry, note: str, days: int, at: datetime | None = None
) -> Amendment:
    """A dated value that was entered wrongly, put right; it says so wherever it is shown."""
    actor = guard.require("rule.propose")
    subject = parameter_subject(rule_id, parameter)
    if all(one.from_ != entry for one in subject.parameter.in_force):
        raise errors.AmendmentUnknown(thing="value from", id=entry.isoformat())
    after = corrected_after(subject.parameter, entry, given)
    return _propose(actor, Kind.CORRECTION, subject, rule_id, after, note, days, at)


@transaction.atomic
def propose_undo(*, amendment_id: int, note: str, days: int, at: datetime | None = None) -> Amendment:
    """What was in force before the last change of a subject, as a proposal like any other."""
    actor = guard.require("rule.propose")
    undone = _found(amendment_id)
    subject = subject_of(undone)
    if undone.state != State.APPROVED or subject.mark is None or subject.mark.serial != undone.serial:
        raise errors.StepRefused(id=undone.pk, step="undo", state=undone.state)
    kind, after = _undoing(undone, subject, _today(at), note)
    return _propose(actor, kind, subject, undone.rule, after, note, days, at, undoes=undone)


def _undoing(undone: Amendment, subject: Subject, today: date, note: str) -> tuple[Kind, Text]:
    """A value that has been in force is followed by the former one from today; only what never was is taken out."""
    if undone.kind != Kind.ENTRY:
        return Kind(undone.kind), undone.before
    before = {one.from_: one for one in entries_of(undone.before)}
    added = next(one for one in entries_of(undone.after) if one.from_ not in before)
    if added.from_ >= today:
        return Kind.CORRECTION, undone.before
    former = [one for one in before.values() if one.from_ < added.from_][-1:]
    if not former:
        return Kind.CORRECTION, undone.before
    again = GivenEntry(repr(former[0].value), today.isoformat(), former[0].source, former[0].verify)
    return Kind.ENTRY, entry_after(subject.parameter, again, today=today)


@transaction.atomic
def propose_declared(*, rule_id: str, note: str, days: int, at: datetime | None = None) -> Amendment:
    """The text of the pack's own file."""
    actor = guard.require("rule.propose")
    subject = rule_subject(rule_id)
    after = {key: subject.base[key] for key in JUDGED}
    return _propose(actor, Kind.RULE, subject, rule_id, after, note, days, at)


def _propose(
    actor: Actor, kind: Kind, subject: Subject, rule_id: str, after: Text, note: str, days: int, at: datetime | None,
    undoes: Amendment | None = None,
) -> Amendment:  # fmt: skip
    now = at or timezone.now()
    person, post = _person(actor)
    if not note.strip():
        raise errors.ReasonMissing()
    if after == subject.before:
        raise errors.NothingChanged()
    made = Amendment.objects.create(
        kind=kind,
        subject=subject.id,
        region=subject.region,
        rule=rule_id,
        base=subject.base,
        before=subject.before,
        after=after,
        note=note.strip()[:MOST_WORDS],
        undoes=undoes,
        proposed_by=person,
        proposed_post=post,
        proposed_at=now,
    )
    audit.record(
        "rule.propose", f"amendment:{made.pk}", at=now, before=_only(subject.before, after),
        after=_only(after, subject.before) | {"subject": subject.id, "kind": kind.value, "note": made.note},
    )  # fmt: skip
    _ask_preview(made, actor, days, now)
    _announce(made)
    return made


@transaction.atomic
def approve(*, amendment_id: int, note: str = "", at: datetime | None = None) -> Amendment:
    """The second signature: in force from now on, in every process."""
    now = at or timezone.now()
    actor = guard.require("rule.sign")
    one, person, post = _open(amendment_id, "approve", actor)
    if person.pk == one.proposed_by_id:
        raise errors.SecondPersonNeeded(person=str(person))
    preview = one.previews.order_by("-id").first()
    if preview is None or preview.state != "done":
        raise errors.PreviewMissing(state=preview.state if preview else "not asked for")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SIGNING])
    packs_loaded.refresh()
    subject = subject_of(one)
    if (subject.base, subject.before) != (one.base, one.before):
        raise errors.Overtaken(subject=one.subject)
    last = Amendment.objects.aggregate(last=Max("serial"))["last"] or 0
    one.serial = last + 1
    _decide(one, State.APPROVED, person, post, note, now)
    audit.record(
        "rule.sign", f"amendment:{one.pk}", at=now, before=_only(one.before, one.after),
        after=_only(one.after, one.before) | {"subject": one.subject, "serial": one.serial, "note": one.decision},
    )  # fmt: skip
    transaction.on_commit(packs_loaded.refresh)
    return one


@transaction.atomic
def reject(*, amendment_id: int, note: str, at: datetime | None = None) -> Amendment:
    """The second person does not sign, and says why."""
    now = at or timezone.now()
    actor = guard.require("rule.sign")
    one, person, post = _open(amendment_id, "reject", actor)
    if person.pk == one.proposed_by_id:
        raise errors.SecondPersonNeeded(person=str(person))
    if not note.strip():
        raise errors.ReasonMissing()
    _decide(one, State.REJECTED, person, post, note, now)
    audit.record("rule.reject", f"amendment:{one.pk}", at=now, after={"subject": one.subject, "note": one.decision})
    return one


@transaction.atomic
def withdraw(*, amendment_id: int, at: datetime | None = None) -> Amendment:
    """Who proposed takes it back."""
    now = at or timezone.now()
    actor = guard.require("rule.propose")
    one, person, post = _open(amendment_id, "withdraw", actor)
    if person.pk != one.proposed_by_id:
        raise errors.StepRefused(id=one.pk, step="withdraw", state=f"proposed by {one.proposed_by}")
    _decide(one, State.WITHDRAWN, person, post, "", now)
    audit.record("rule.withdraw", f"amendment:{one.pk}", at=now, after={"subject": one.subject})
    return one


@transaction.atomic
def look_back(*, amendment_id: int, days: int, at: datetime | None = None) -> Preview:
    """Compute the preview again: over another time, or after a failure."""
    actor = guard.require("rule.propose")
    one, _, _ = _open(amendment_id, "look back", actor)
    now = at or timezone.now()
    audit.record("rule.look_back", f"amendment:{one.pk}", at=now, after={"days": days})
    return _ask_preview(one, actor, days, now)


def _ask_preview(one: Amendment, actor: Actor, days: int, now: datetime) -> Preview:
    wanted = days if days in DAYS else DAYS[0]
    preview = Preview.objects.create(amendment=one, days=wanted, asked_by=actor.name, asked_at=now)
    defer(PREVIEW, preview_id=preview.pk)
    return preview


def _found(amendment_id: int) -> Amendment:
    one = Amendment.objects.select_for_update().filter(pk=amendment_id).first()
    if one is None:
        raise errors.AmendmentUnknown(thing="amendment", id=amendment_id)
    return one


def _open(amendment_id: int, step: str, actor: Actor) -> tuple[Amendment, User, Post]:
    person, post = _person(actor)
    one = _found(amendment_id)
    if one.state != State.PROPOSED:
        raise errors.StepRefused(id=one.pk, step=step, state=one.state)
    return one, person, post


def _person(actor: Actor) -> tuple[User, Post]:
    """A person through a post, in the live space."""
    if actor.space != LIVE:
        raise errors.OnlyLive()
    if actor.user is None or actor.post is None:
        raise errors.PersonNeeded(who=actor.name)
    return actor.user, actor.post


def _decide(one: Amendment, state: State, person: User, post: Post, note: str, now: datetime) -> None:
    one.state, one.decided_by, one.decided_post, one.decided_at = state, person, post, now
    one.decision = note.strip()[:MOST_WORDS]
    one.save(update_fields=["state", "decided_by", "decided_post", "decided_at", "decision", "serial"])
    _announce(one)


def _announce(one: Amendment) -> None:
    hints.announce_later("amendment", id=one.pk, state=one.state, rule=one.rule)


def _only(text: Text, other: Text) -> Text:
    """What of a text differs from the other: for the audit."""
    return {key: value for key, value in text.items() if other.get(key) != value}


def _today(at: datetime | None) -> date:
    """The day on the place's clock: dated values begin at local midnight."""
    return timezone.localtime(at or timezone.now()).date()
