"""Warnings (预警) for pages and the API: lists, one with its whole way, and what the acting post may do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from zhiwan.city.packs_loaded import packs
from zhiwan.city.paging import Page, paged
from zhiwan.city.people import guard
from zhiwan.city.people.acting import current_actor, is_public
from zhiwan.city.people.models import Post
from zhiwan.city.registry.queries import area_title
from zhiwan.city.watch.models import Warning, WarningState
from zhiwan.city.watch.queries.words import LevelWords, level_words, pack_of, plain, scale_of, warning_or_none
from zhiwan.city.watch.warning_life import MOVES
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.packs.models import Text


@dataclass(frozen=True)
class WarningRow:
    id: int
    kind: str
    kind_title: Text
    authority: Text
    level: LevelWords
    area: str
    area_title: Text
    town: str
    state: str
    title: Text
    text: Text
    issuer: Text | None  # another authority that issued it; None: our own
    message_id: str
    issued_at: datetime | None
    proposed_by: str | None  # alarm id
    replaces: int | None
    created_at: datetime
    reviewed_at: datetime | None
    signed_at: datetime | None
    published_at: datetime | None
    ended_at: datetime | None
    drafted_by: Text | None
    reviewed_by: Text | None
    signed_by: Text | None


@dataclass(frozen=True)
class WarningStepRow:
    step: str
    at: datetime
    post: Text | None
    actor: str
    note: str


@dataclass(frozen=True)
class ReceiptRow:
    post: str
    title: Text
    sent_at: datetime
    received_at: datetime | None
    received_by: str


@dataclass(frozen=True)
class WarningDetail:
    row: WarningRow
    instructions: Text
    steps: list[WarningStepRow]
    receipts: list[ReceiptRow]
    may: list[str]  # of: edit, review, sign, publish, change, lift, reject, receive
    own_draft: bool  # the acting person wrote it: another one reviews


@dataclass(frozen=True)
class WarningKindRow:
    id: str
    title: Text
    authority: Text
    from_outside: Text | None
    signed_by: str  # role id
    levels: list[LevelWords]
    instructions: Text


def _readable() -> QuerySet[Warning]:
    """Warnings that the post may read: residents and firms see those that were published, not how they came to be."""
    found = Warning.objects.select_related("drafted_by", "reviewed_by", "signed_by")
    return found.filter(state__in=WarningState.told()) if is_public() else found


def warnings(state: str | None = None, area: str | None = None, page: int = 1, size: int = 50) -> Page[WarningRow]:
    """Newest first. `state` may be several, separated by commas."""
    found = _readable().order_by("-created_at", "-id")
    if state:
        found = found.filter(state__in=state.split(","))
    if area:
        found = found.filter(area__startswith=area)
    return paged(found, warning_row, page, size)


def warning_row(one: Warning) -> WarningRow:
    """A warning with its words."""
    kind = warning_or_none(one.kind)
    scale = scale_of(pack_of(one.kind), kind.scale) if kind else None
    return WarningRow(
        id=one.id,
        kind=one.kind,
        kind_title=kind.title if kind else plain(one.kind),
        authority=kind.authority if kind else plain("—"),
        level=level_words(scale, one.level, one.rank, one.tone),
        area=one.area,
        area_title=area_title(one.area),
        town=one.town,
        state=one.state,
        title=Text(zh=one.title_zh, en=one.title_en),
        text=Text(zh=one.text_zh, en=one.text_en),
        issuer=Text(zh=one.issuer_zh, en=one.issuer_en) if one.issuer_zh else None,
        message_id=one.message_id,
        issued_at=one.issued_at,
        proposed_by=one.proposed_by_id,
        replaces=one.replaces_id,
        created_at=one.created_at,
        reviewed_at=one.reviewed_at,
        signed_at=one.signed_at,
        published_at=one.published_at,
        ended_at=one.ended_at,
        drafted_by=_title(one.drafted_by),
        reviewed_by=_title(one.reviewed_by),
        signed_by=_title(one.signed_by),
    )


def _title(post: Post | None) -> Text | None:
    return Text(zh=post.title_zh, en=post.title_en) if post else None


def warning_detail(id: int) -> WarningDetail | None:
    """One warning; None when there is none that the post may see."""
    one = _readable().filter(id=id).first()
    if one is None:
        return None
    public = is_public()
    kind = warning_or_none(one.kind)
    steps = [] if public else one.steps.select_related("post").order_by("at", "id")
    receipts = [] if public else one.receipts.select_related("post").order_by("post_id")
    return WarningDetail(
        row=warning_row(one),
        instructions=kind.instructions if kind else plain("—"),
        steps=[WarningStepRow(s.step, s.at, _title(s.post), s.actor, s.note) for s in steps],
        receipts=[
            ReceiptRow(r.post_id, Text(zh=r.post.title_zh, en=r.post.title_en), r.sent_at, r.received_at, r.received_by)
            for r in receipts
        ],
        may=_may(one, kind.signed_by if kind else ""),
        own_draft=one.state == WarningState.DRAFT
        and (actor := current_actor()) is not None
        and actor.who == one.drafter,
    )


def _may(one: Warning, signer: str) -> list[str]:
    """Which steps are open in this state to the acting post."""
    found = []
    for step, (action, states, for_signer) in MOVES.items():
        if one.state not in states or (one.issuer_zh and step == "change"):
            continue  # what another authority issued, only its next message changes
        try:
            guard.require(action, on=one, roles=[signer] if for_signer else [])
        except InputRefused:
            continue
        found.append(step)
    actor = current_actor()
    if actor and actor.who == one.drafter and "review" in found:
        found.remove("review")
    if actor and actor.post and one.receipts.filter(post=actor.post, received_at=None).exists():
        found.append("receive")
    return found


def warning_kinds() -> list[WarningKindRow]:
    """All kinds with the levels of their scales, for the form of a new warning."""
    rows = []
    for pack, kind in packs().warnings:
        scale = packs().scale(pack, kind.scale)
        rows.append(
            WarningKindRow(
                id=f"{pack.id}.{kind.id}",
                title=kind.title,
                authority=kind.authority,
                from_outside=kind.from_outside,
                signed_by=kind.signed_by,
                levels=[level_words(scale, level.id) for level in scale.levels],
                instructions=kind.instructions,
            )
        )
    return rows
