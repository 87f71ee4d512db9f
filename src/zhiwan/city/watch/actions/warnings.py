"""The life of a warning. Each step is a person's, through a post; only the kind's own role signs.

Four eyes: whoever drafted or edited the text does not review it. What an alarm proposed has no drafter.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from zhiwan.city.packs_loaded import packs
from zhiwan.city.people import audit, guard
from zhiwan.city.people.acting import Actor
from zhiwan.city.people.models import Scope
from zhiwan.city.people.queries import posts_on_duty
from zhiwan.city.registry import clock
from zhiwan.city.registry.actions import town_or_district
from zhiwan.city.registry.models import Area
from zhiwan.city.watch import hints
from zhiwan.city.watch.follow_up import follow_warnings
from zhiwan.city.watch.models import Warning, WarningReceipt, WarningState, WarningStep
from zhiwan.city.watch.warning_life import MOVES
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.guard.people import Subject, line_of
from zhiwan.kernel.packs.models import Level, Text, WarningKind


class WarningUnknown(InputRefused):
    """No warning of this id that the post may see, or no such kind, level or area."""

    code = "WATCH-030"
    fact = "there is no {thing} {id}"
    hint = "Choose one that is listed."


class WarningStepRefused(InputRefused):
    """The step is not legal in this state."""

    code = "WATCH-031"
    fact = "the warning {id} cannot take the step {step} now"
    detail = "It is {state}. Legal steps now: {legal}."
    hint = "Reload the page: someone may have been faster."


class ReviewedByDrafter(InputRefused):
    """Who wrote the text may not be the one who finds it right."""

    code = "WATCH-035"
    fact = "the warning {id} cannot be reviewed by the person who drafted it"
    detail = "It was drafted by {drafter}."
    hint = "Ask another person of the desk to review it."


class NothingToReceive(InputRefused):
    """The post was not asked for a receipt, or gave it."""

    code = "WATCH-032"
    fact = "the post {post} has nothing to confirm for the warning {id}"
    hint = "Reload the page."


@transaction.atomic
def draft_warning(
    *,
    kind: str,
    level: str,
    area: str,
    title: Text | None = None,
    text: Text | None = None,
    alarm_id: str | None = None,
    at: datetime | None = None,
) -> Warning:
    """A person drafts a warning for an area (six digits: the whole district). Without words, the declared ones."""
    now = at or clock.now()
    declared = kind_of(kind)
    town = town_or_district(area)
    subject = Subject(town=town, line=line_of(kind.rpartition(".")[0], ""))
    actor = guard.require("warning.draft", on=subject, roles=[declared.signed_by])
    if not Area.objects.filter(code=area).exists():
        raise WarningUnknown(thing="area", id=area)
    chosen = level_of(kind, level)
    warning = Warning(
        kind=kind,
        level=level,
        rank=chosen.rank,
        tone=chosen.tone,
        area=area,
        town=town,
        state=WarningState.DRAFT,
        drafted_by=actor.post,
        drafter=actor.who,
        proposed_by_id=alarm_id,
        created_at=now,
    )
    _say(warning, title or default_title(declared, chosen), text or declared.instructions)
    warning.save()
    _step(warning, "draft", actor, now)
    return warning


@transaction.atomic
def edit_warning(
    *,
    warning_id: int,
    level: str | None = None,
    title: Text | None = None,
    text: Text | None = None,
    at: datetime | None = None,
) -> Warning:
    """Change what is not signed yet. It becomes a draft: what was reviewed was another text."""
    now = at or clock.now()
    warning, actor = _begin(warning_id, "edit")
    if level is not None and level != warning.level:
        chosen = level_of(warning.kind, level)
        warning.level, warning.rank, warning.tone = chosen.id, chosen.rank, chosen.tone
        title = title or default_title(kind_of(warning.kind), chosen)
    _say(warning, title, text)
    warning.state, warning.drafted_by, warning.drafter = WarningState.DRAFT, actor.post, actor.who
    warning.reviewed_by, warning.reviewed_at = None, None
    warning.save()
    _step(warning, "edit", actor, now)
    return warning


@transaction.atomic
def review_warning(*, warning_id: int, note: str = "", at: datetime | None = None) -> Warning:
    """Someone else of the desk has read it and finds it right."""
    now = at or clock.now()
    warning, actor = _begin(warning_id, "review")
    if warning.drafter == actor.who:
        raise ReviewedByDrafter(id=warning.id, drafter=actor.name)
    warning.state, warning.reviewed_by, warning.reviewed_at = WarningState.REVIEWED, actor.post, now
    warning.save()
    _step(warning, "review", actor, now, note)
    return warning


@transaction.atomic
def sign_warning(*, warning_id: int, at: datetime | None = None) -> Warning:
    """The authority signs: a person through a post of the role that the kind names. No process can."""
    now = at or clock.now()
    warning, actor = _begin(warning_id, "sign")
    warning.state, warning.signed_by, warning.signed_at = WarningState.SIGNED, actor.post, now
    warning.save()
    _step(warning, "sign", actor, now)
    return warning


@transaction.atomic
def publish_warning(*, warning_id: int, at: datetime | None = None) -> Warning:
    """In force from now: posts of its area are asked for a receipt, plans follow, what it replaces ends."""
    now = at or clock.now()
    warning, actor = _begin(warning_id, "publish")
    warning.state, warning.published_at = WarningState.PUBLISHED, now
    warning.save()
    _ask_receipts(warning, now)
    _step(warning, "publish", actor, now)
    if warning.replaces_id is not None:
        before = Warning.objects.select_for_update().get(id=warning.replaces_id)
        if before.state == WarningState.PUBLISHED:
            before.state, before.ended_at = WarningState.CHANGED, now
            before.save()
            _step(before, "changed", actor, now, f"warning:{warning.id}")
    follow_warnings()
    return warning


@transaction.atomic
def change_warning(*, warning_id: int, level: str, text: Text | None = None, at: datetime | None = None) -> Warning:
    """A draft at another level that replaces the published one once it is published itself."""
    now = at or clock.now()
    before, actor = _begin(warning_id, "change")
    chosen = level_of(before.kind, level)
    warning = Warning(
        kind=before.kind,
        level=level,
        rank=chosen.rank,
        tone=chosen.tone,
        area=before.area,
        town=before.town,
        space=before.space,
        state=WarningState.DRAFT,
        replaces=before,
        drafted_by=actor.post,
        drafter=actor.who,
        created_at=now,
    )
    _say(warning, default_title(kind_of(before.kind), chosen), text or Text(zh=before.text_zh, en=before.text_en))
    warning.save()
    _step(warning, "draft", actor, now, f"replaces warning:{before.id}")
    return warning


@transaction.atomic
def lift_warning(*, warning_id: int, note: str = "", at: datetime | None = None) -> Warning:
    """End a warning that is in force (解除)."""
    now = at or clock.now()
    warning, actor = _begin(warning_id, "lift")
    warning.state, warning.ended_at = WarningState.LIFTED, now
    warning.save()
    _step(warning, "lift", actor, now, note)
    follow_warnings()
    return warning


@transaction.atomic
def reject_warning(*, warning_id: int, note: str, at: datetime | None = None) -> Warning:
    """It will not be issued; the reason is kept."""
    now = at or clock.now()
    warning, actor = _begin(warning_id, "reject")
    warning.state, warning.ended_at = WarningState.REJECTED, now
    warning.save()
    _step(warning, "reject", actor, now, note)
    return warning


@transaction.atomic
def receive_warning(*, warning_id: int, at: datetime | None = None) -> WarningReceipt:
    """The acting post confirms that it has the warning (签收)."""
    now = at or clock.now()
    post_ids = WarningReceipt.objects.filter(warning_id=warning_id, received_at=None).values_list("post_id", flat=True)
    actor = guard.require("warning.receive", posts=list(post_ids))
    receipt = WarningReceipt.objects.filter(warning_id=warning_id, post=actor.post, received_at=None).first()
    if receipt is None:
        raise NothingToReceive(post=actor.name, id=warning_id)
    receipt.received_at, receipt.received_by = now, actor.name
    receipt.save(update_fields=["received_at", "received_by"])
    audit.record("warning.receive", f"warning:{warning_id}", at=now)
    hints.announce_later("warning", id=warning_id, state=WarningState.PUBLISHED)
    return receipt


def kind_of(kind: str) -> WarningKind:
    """The declared kind; WarningUnknown when no loaded pack has it."""
    found = next((one for pack, one in packs().warnings if f"{pack.id}.{one.id}" == kind), None)
    if found is None:
        raise WarningUnknown(thing="kind of warning", id=kind)
    return found


def level_of(kind: str, level: str) -> Level:
    """A level of the kind's scale."""
    scale = packs().scale(kind.rpartition(".")[0], kind_of(kind).scale)
    found = next((one for one in scale.levels if one.id == level), None)
    if found is None:
        raise WarningUnknown(thing=f"level of {kind}", id=level)
    return found


def default_title(kind: WarningKind, level: Level) -> Text:
    """暴雨黄色预警 / Rainstorm, yellow"""
    return Text(zh=f"{kind.title.zh} {level.title.zh}", en=f"{kind.title.en}, {level.title.en}")


def _say(warning: Warning, title: Text | None, text: Text | None) -> None:
    if title is not None:
        warning.title_zh, warning.title_en = title.zh[:200], title.en[:240]
    if text is not None:
        warning.text_zh, warning.text_en = text.zh, text.en


def _begin(warning_id: int, step: str) -> tuple[Warning, Actor]:
    found = Warning.objects.filter(id=warning_id)
    seen = found.first()
    if seen is None:
        raise WarningUnknown(thing="warning", id=warning_id)
    action, states, for_signer = MOVES[step]
    signer = [kind_of(seen.kind).signed_by] if for_signer else []
    # Asked before the row is locked: the database gives a lock only on what the post may change.
    actor = guard.require(action, on=seen, roles=signer)
    warning = found.select_for_update(of=("self",)).get()
    if warning.state not in states:
        legal = [name for name, (_, these, _) in MOVES.items() if warning.state in these]
        raise WarningStepRefused(id=warning.id, step=step, state=warning.state, legal=", ".join(legal) or "none")
    return warning, actor


def _step(warning: Warning, step: str, actor: Actor, at: datetime, note: str = "") -> None:
    WarningStep.objects.create(
        warning=warning, town=warning.town, step=step, at=at, post=actor.post, actor=actor.name, note=note
    )
    after = {"state": warning.state, "level": warning.level, "note": note}
    audit.record(f"warning.{step}", f"warning:{warning.id}", at=at, after=after)
    hints.announce_later(
        "warning", town=warning.town, id=warning.id, state=warning.state, rank=warning.rank, tone=warning.tone
    )


def _ask_receipts(warning: Warning, at: datetime) -> None:
    """Every post on duty that covers the area. A town's post gets a row that its town can see and sign."""
    posts = posts_on_duty([warning.town] if warning.town else None)
    WarningReceipt.objects.bulk_create(
        WarningReceipt(
            warning=warning,
            post=post,
            town=warning.town or (post.towns[0] if post.scope == Scope.TOWNS and post.towns else ""),
            sent_at=at,
        )
        for post in posts
    )
