"""Reads of amendments for pages.

waiting() -> list[AmendmentRow]             proposals that need the second signature, the oldest first
waiting_count() -> int                      for the menu
of_rule(rule_id) -> list[AmendmentRow]      all that touch a rule: its text, and the parameters it uses; newest first
amendment(id) -> AmendmentDetail | None     with the latest preview and what the acting person may do now
left_out() -> list[AmendmentRow]            signed changes that fit no text of today: the pack was replaced
preview_days(preview), preview_differences(preview, day=None, kind=None, page=1)
rule_versions() -> dict[rule id, version]   may_propose() -> bool
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import Q, Sum

from zhiwan.city.amendments.errors import AmendmentUnknown
from zhiwan.city.amendments.models import Amendment, Kind, Preview, PreviewDay, PreviewDifference, State
from zhiwan.city.amendments.subjects import subject_of
from zhiwan.city.amendments.texts import differing, differing_entries
from zhiwan.city.packs_loaded import in_force, packs
from zhiwan.city.paging import Page, paged
from zhiwan.city.people import guard
from zhiwan.city.people.acting import LIVE, current_actor
from zhiwan.city.people.models import Post, User
from zhiwan.city.registry.queries import EntityRow, entity_row
from zhiwan.city.watch.queries.words import LevelWords, level_words, pack_of, plain, rule_or_none, scale_of
from zhiwan.city.watch.taken_up import judging_since
from zhiwan.kernel.facts.errors import InputRefused
from zhiwan.kernel.packs.models import InForce, Text

KINDS = ("opened", "gone", "level", "moved")
_JOINED = ("proposed_by", "proposed_post", "decided_by", "decided_post")


@dataclass(frozen=True)
class Signature:
    """A person through a post, and when."""

    person: str
    post: Text
    at: datetime


@dataclass(frozen=True)
class FieldChange:
    """One field of a rule's text, before and after; None: it has none."""

    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class EntryChange:
    """One dated value of a parameter, before and after; None: there is none of that day."""

    before: InForce | None
    after: InForce | None


@dataclass(frozen=True)
class AmendmentRow:
    id: int
    kind: str  # rule, entry, correction
    subject: str
    title: Text  # of the rule or parameter
    unit: str | None  # of a parameter
    rule: str
    rule_title: Text
    watch: str  # of the rule, for its expressions in words
    state: str
    note: str
    fields: list[FieldChange]
    entries: list[EntryChange]
    proposed: Signature
    decided: Signature | None
    decision: str
    serial: int | None
    undoes: int | None
    preview: Preview | None


@dataclass(frozen=True)
class AmendmentDetail:
    row: AmendmentRow
    rules: list[tuple[str, Text]]  # whose judgement changes with it
    may: list[str]  # of: approve, reject, withdraw, look_back, undo
    own: bool  # the acting person proposed it
    overtaken: bool  # what it changes is not what it was
    left_out: bool  # signed, but its pack has another text by now
    taken_up: datetime | None  # since when the stream is judged by it


@dataclass(frozen=True)
class DayRow:
    """What would differ on one day, within the scope of the post."""

    day: date
    opened: int
    gone: int
    level: int
    moved: int

    @property
    def total(self) -> int:
        return self.opened + self.gone + self.level + self.moved


@dataclass(frozen=True)
class DifferenceRow:
    kind: str
    rule: str
    rule_title: Text
    entity: EntityRow
    before_opened: datetime | None
    before_cleared: datetime | None
    before_level: LevelWords | None
    after_opened: datetime | None
    after_cleared: datetime | None
    after_level: LevelWords | None


def waiting() -> list[AmendmentRow]:
    """Proposals that need the second signature."""
    found = Amendment.objects.filter(state=State.PROPOSED).select_related(*_JOINED).order_by("proposed_at", "id")
    return [amendment_row(one) for one in found]


def waiting_count() -> int:
    """How many of them."""
    return Amendment.objects.filter(state=State.PROPOSED).count()


def of_rule(rule_id: str) -> list[AmendmentRow]:
    """The history of a rule and of the parameters it is held against."""
    rule = next((one for one in in_force().book.rules if one.id == rule_id), None)
    parameters = rule.parameters if rule else ()
    touching = Q(kind=Kind.RULE, subject=rule_id) | Q(kind__in=[Kind.ENTRY, Kind.CORRECTION], subject__in=parameters)
    found = Amendment.objects.filter(touching).select_related(*_JOINED).order_by("-id")
    return [amendment_row(one) for one in found]


def amendment(id: int) -> AmendmentDetail | None:
    """One amendment; None when there is none of this number."""
    one = Amendment.objects.select_related(*_JOINED).filter(pk=id).first()
    if one is None:
        return None
    preview = one.previews.order_by("-id").first()
    actor = current_actor()
    own = actor is not None and actor.user is not None and actor.user.pk == one.proposed_by_id
    overtaken = one.state == State.PROPOSED and _now(one) != (one.base, one.before)
    outside = one.serial is not None and one.serial in {change.serial for change in in_force().left_out}
    return AmendmentDetail(
        row=amendment_row(one, preview),
        rules=[(rule, _rule_title(rule)) for rule in _touched(one, preview)],
        may=_may(one, own, preview is not None and preview.state == "done" and not overtaken),
        own=own,
        overtaken=overtaken,
        left_out=outside,
        taken_up=judging_since(one.serial) if one.serial is not None else None,
    )


def _touched(one: Amendment, preview: Preview | None) -> list[str]:
    if one.kind == Kind.RULE:
        return [one.subject]
    if preview is not None and preview.rules:
        return list(preview.rules)
    return [rule.id for rule in in_force().book.rules if one.subject in rule.parameters]


def _now(one: Amendment) -> tuple[Any, Any] | None:
    """Pack's text and text in force of its subject; None where the pack does not have it any more."""
    try:
        subject = subject_of(one)
    except AmendmentUnknown:
        return None
    return subject.base, subject.before


def _may(one: Amendment, own: bool, can_sign: bool) -> list[str]:
    actor = current_actor()
    if actor is None or actor.user is None or actor.space != LIVE:
        return []
    found = []
    if one.state == State.PROPOSED:
        if _allowed("rule.sign") and not own:
            found += ["approve", "reject"] if can_sign else ["reject"]
        if _allowed("rule.propose"):
            found += ["withdraw", "look_back"] if own else ["look_back"]
    elif one.state == State.APPROVED and _allowed("rule.propose"):
        mark = packs().local.get(one.subject)
        if mark is not None and mark.serial == one.serial:
            found.append("undo")
    return found


def may_propose() -> bool:
    """Whether the acting person may propose changes, here and now."""
    actor = current_actor()
    return actor is not None and actor.user is not None and actor.space == LIVE and _allowed("rule.propose")


def _allowed(action: str) -> bool:
    try:
        guard.require(action)
    except InputRefused:
        return False
    return True


def left_out() -> list[AmendmentRow]:
    """Signed changes whose pack has another text by now, or is gone; those that were signed anew are not among them."""
    serials = [one.serial for one in in_force().left_out]
    found = Amendment.objects.filter(serial__in=serials).select_related(*_JOINED).order_by("serial")
    return [amendment_row(one) for one in found]


def amendment_row(one: Amendment, preview: Preview | None = None) -> AmendmentRow:
    """An amendment with its words. Persons and posts must be joined."""
    rule = rule_or_none(one.rule)
    of_rule_ = one.kind == Kind.RULE
    fields = [FieldChange(*found) for found in differing(one.before, one.after)] if of_rule_ else []
    title, unit = (_rule_title(one.subject), None) if of_rule_ else _parameter_words(one)
    return AmendmentRow(
        id=one.pk,
        kind=one.kind,
        subject=one.subject,
        title=title,
        unit=unit,
        rule=one.rule,
        rule_title=_rule_title(one.rule),
        watch=rule.watch if rule else "",
        state=one.state,
        note=one.note,
        fields=fields,
        entries=[] if of_rule_ else [EntryChange(*found) for found in differing_entries(one.before, one.after)],
        proposed=_signature(one.proposed_by, one.proposed_post, one.proposed_at),
        decided=_signature(one.decided_by, one.decided_post, one.decided_at)
        if one.decided_by and one.decided_post and one.decided_at
        else None,
        decision=one.decision,
        serial=one.serial,
        undoes=one.undoes_id,
        preview=preview,
    )


def _signature(person: User, post: Post, at: datetime) -> Signature:
    return Signature(str(person), Text(zh=post.title_zh, en=post.title_en), at)


def _rule_title(rule_id: str) -> Text:
    rule = rule_or_none(rule_id)
    return rule.title if rule else plain(rule_id)


def _parameter_words(one: Amendment) -> tuple[Text, str | None]:
    for pack in packs().packs:
        for found in pack.parameters:
            if (f"{pack.id}.{found.id}", found.region) == (one.subject, one.region):
                return found.title, found.unit
    return plain(one.subject), None


def preview_days(preview: Preview) -> list[DayRow]:
    """Days that would differ, the latest first."""
    found = (
        PreviewDay.objects.filter(preview=preview)
        .values("day")
        .annotate(**{f"all_{kind}": Sum(kind) for kind in KINDS})
    )
    return [DayRow(*row) for row in found.order_by("-day").values_list("day", *(f"all_{kind}" for kind in KINDS))]


def preview_differences(
    preview: Preview, day: date | None = None, kind: str | None = None, page: int = 1, size: int = 50
) -> Page[DifferenceRow]:
    """One by one, the latest day first."""
    found = PreviewDifference.objects.filter(preview=preview).select_related("entity").order_by("-day", "id")
    if day is not None:
        found = found.filter(day=day)
    if kind:
        found = found.filter(kind=kind)
    return paged(found, _difference_row, page, size)


def _difference_row(one: PreviewDifference) -> DifferenceRow:
    rule = rule_or_none(one.rule)
    scale = scale_of(pack_of(one.rule), rule.scale) if rule else None
    return DifferenceRow(
        kind=one.kind,
        rule=one.rule,
        rule_title=rule.title if rule else plain(one.rule),
        entity=entity_row(one.entity),
        before_opened=one.before_opened,
        before_cleared=one.before_cleared,
        before_level=level_words(scale, one.before_level) if one.before_level else None,
        after_opened=one.after_opened,
        after_cleared=one.after_cleared,
        after_level=level_words(scale, one.after_level) if one.after_level else None,
    )


def rule_versions(ids: Iterable[str] | None = None) -> dict[str, str]:
    """The version each rule judges with, local change included."""
    wanted = set(ids) if ids is not None else None
    return {rule.id: rule.version for rule in in_force().book.rules if wanted is None or rule.id in wanted}
