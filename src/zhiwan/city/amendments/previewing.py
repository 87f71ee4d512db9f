"""The preview of an amendment, as a job: past days judged with both texts by the stream's own judge, then compared.

Rows come from the lake a piece of time after another, so memory holds one piece; progress is written between pieces, in
transactions of their own. What it was computed on (rows, things, span, as-of) is kept with the result.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
from django.db import transaction
from django.utils import timezone

from zhiwan.city.amendments import world
from zhiwan.city.amendments.models import Amendment, Kind, Preview, PreviewDay, PreviewDifference
from zhiwan.city.amendments.subjects import subject_of
from zhiwan.city.packs_loaded import lake, packs
from zhiwan.city.people.acting import acting_system
from zhiwan.city.watch import hints
from zhiwan.kernel.facts.errors import CityError
from zhiwan.kernel.judge import RuleBook
from zhiwan.kernel.judge.backtest import (
    Difference,
    LookBack,
    PastAlarm,
    as_looked_back,
    differences,
    warm_up,
    watched_groups,
)
from zhiwan.kernel.packs.local_changes import Text, entries_of, with_text
from zhiwan.kernel.packs.packset import PackSet

log = logging.getLogger(__name__)
#: Differences that are kept one by one; days count all of them.
MOST_LISTED = 20_000
#: Things times properties above which a piece is a quarter of a day.
MANY = 4_000
TELL_SECONDS = 0.5
FIRST_DAY = date(1900, 1, 1)


@dataclass
class Asked:
    """What to look back with, read in one transaction."""

    days: int
    as_of: datetime
    rules: tuple[str, ...]
    texts: tuple[PackSet, PackSet]
    frames: dict[str, pl.DataFrame]
    links: pl.DataFrame
    towns: dict[str, str] = field(default_factory=dict)


def compute_preview(*, preview_id: int) -> None:
    """Do it. Asked again (after a crash) it begins anew; one that is done is left alone."""
    began = time.monotonic()
    try:
        asked = _begin(preview_id)
        if asked is None:
            return
        _look(preview_id, asked, began)
    except CityError as problem:
        _fail(preview_id, str(problem))
    except Exception as problem:
        _fail(preview_id, type(problem).__name__)
        raise


def _begin(preview_id: int) -> Asked | None:
    with acting_system("jobs"):
        preview = Preview.objects.select_for_update(of=("self",)).filter(pk=preview_id).first()
        if preview is None or preview.state == "done":
            return None
        one = preview.amendment
        subject = subject_of(one)
        preview.state, preview.as_of, preview.rules = "running", timezone.now(), list(subject.rules)
        preview.save(update_fields=["state", "as_of", "rules"])
        texts = variants(one)
        types = {kind for text in texts for kind, _ in watched_groups(_book(text, subject.rules))}
        frames = world.entities_of(sorted(types))
        towns = {id: town for frame in frames.values() for id, town in frame.select("id", "town").iter_rows()}
        return Asked(preview.days, preview.as_of, subject.rules, texts, frames, world.links_of(frames), towns)


def variants(one: Amendment) -> tuple[PackSet, PackSet]:
    """The packs with the text in force and with the proposed one.

    A new value is looked at as if it had held all the time: by its own date it would change nothing that is past.
    """
    kind, subject, region = one.key

    def with_(text: Text) -> PackSet:
        return with_text(packs(), kind, subject, region, text)

    after: Text = one.after
    if one.kind == Kind.ENTRY:
        known = {entry.from_ for entry in entries_of(one.before)}
        new = next(entry for entry in entries_of(one.after) if entry.from_ not in known)
        held = new.model_copy(update={"from_": FIRST_DAY}).model_dump(mode="json", by_alias=True)
        after = {"in_force": [held]}
    return with_(one.before), with_(after)


def _book(text: PackSet, rules: tuple[str, ...]) -> RuleBook:
    return RuleBook.of_rules(as_looked_back(text, rules), rules)


def _look(preview_id: int, asked: Asked, began: float) -> None:
    looks = []
    for text in asked.texts:
        bare = as_looked_back(text, asked.rules)
        around = world.world_with(bare.parameters, asked.frames, asked.links)
        looks.append(LookBack(RuleBook.of_rules(bare, asked.rules), around))
    groups = watched_groups(looks[0].book) | watched_groups(looks[1].book)
    since = _since(asked, [name for _, name in groups])
    start = since - max(warm_up(look.book) for look in looks)
    pairs = _pairs(asked.frames, groups)
    shown = time.monotonic()
    for piece, end in _pieces(start, asked.as_of, pairs.height):
        rows = lake().current(pairs, piece, end, as_of=asked.as_of)
        for look in looks:
            look.take(rows, asked.as_of)
        if time.monotonic() - shown > TELL_SECONDS:
            shown = time.monotonic()
            _tell(preview_id, (end - start) / (asked.as_of - start))
    for look in looks:
        look.end(asked.as_of, asked.as_of)
    before, after = ([one for one in look.episodes if one.opened_at >= since] for look in looks)
    found = [one for one in differences(looks[0].episodes, looks[1].episodes) if one.shown.opened_at >= since]
    facts = {
        "since": since,
        "until": asked.as_of,
        "rows": looks[0].rows,
        "entities": pairs["entity"].n_unique(),
        "alarms_before": len(before),
        "alarms_after": len(after),
        "seconds": round(time.monotonic() - began, 1),
    }
    _keep(preview_id, asked.towns, found, facts)


def _since(asked: Asked, properties: list[str]) -> datetime:
    """The local midnight so many days ago, or that of the first row where the lake does not reach so far back."""
    today = _midnight(asked.as_of)
    extent = lake().extent(properties)
    if extent is None:
        return today.astimezone(UTC)
    first = _midnight(extent[0])
    wished = max(first, today - timedelta(days=asked.days)) if asked.days else first
    return min(today, wished).astimezone(UTC)


def _midnight(moment: datetime) -> datetime:
    return timezone.localtime(moment).replace(hour=0, minute=0, second=0, microsecond=0)


def _pairs(frames: dict[str, pl.DataFrame], groups: set[tuple[str, str]]) -> pl.DataFrame:
    parts = [frames[kind].select(pl.col("id").alias("entity"), property=pl.lit(name)) for kind, name in sorted(groups)]
    return pl.concat(parts) if parts else pl.DataFrame(schema={"entity": pl.String(), "property": pl.String()})


def _pieces(start: datetime, end: datetime, pairs: int) -> Iterator[tuple[datetime, datetime]]:
    span = timedelta(hours=24 if pairs <= MANY else 6)
    while start < end:
        yield start, min(start + span, end)
        start += span


def _tell(preview_id: int, part: float) -> None:
    with acting_system("jobs"):
        Preview.objects.filter(pk=preview_id).update(part=min(part, 0.99))


def _keep(preview_id: int, towns: dict[str, str], found: list[Difference], facts: dict[str, Any]) -> None:
    counts: dict[tuple[date, str], Counter[str]] = {}
    for one in found:
        key = _day(one), towns.get(one.shown.entity, "")
        counts.setdefault(key, Counter())[one.kind] += 1
    with acting_system("jobs"):
        preview = Preview.objects.select_for_update(of=("self",)).get(pk=preview_id)
        PreviewDay.objects.filter(preview=preview).delete()
        PreviewDifference.objects.filter(preview=preview).delete()
        PreviewDay.objects.bulk_create(
            [PreviewDay(preview=preview, day=day, town=town, **kinds) for (day, town), kinds in sorted(counts.items())],
            batch_size=1000,
        )
        PreviewDifference.objects.bulk_create(
            [_row(preview, one, towns) for one in found[:MOST_LISTED]], batch_size=1000
        )
        for name, value in facts.items():
            setattr(preview, name, value)
        preview.state, preview.part, preview.left_out = "done", 1.0, max(0, len(found) - MOST_LISTED)
        preview.problem = ""
        preview.save()
        amendment, rule = preview.amendment_id, preview.amendment.rule
        transaction.on_commit(
            lambda: hints.announce([{"kind": "amendment", "town": "", "space": "live", "id": amendment, "rule": rule}])
        )


def _row(preview: Preview, one: Difference, towns: dict[str, str]) -> PreviewDifference:
    return PreviewDifference(
        preview=preview,
        town=towns.get(one.shown.entity, ""),
        day=_day(one),
        kind=one.kind,
        rule=one.shown.rule,
        entity_id=one.shown.entity,
        **_side("before", one.before),
        **_side("after", one.after),
    )


def _side(name: str, alarm: PastAlarm | None) -> dict[str, Any]:
    if alarm is None:
        return {}
    return {f"{name}_opened": alarm.opened_at, f"{name}_cleared": alarm.cleared_at, f"{name}_level": alarm.level}


def _day(one: Difference) -> date:
    """The day on which it would be seen: that of the alarm after the change, or of the one that no longer comes."""
    return timezone.localtime(one.shown.opened_at).date()


def _fail(preview_id: int, problem: str) -> None:
    log.warning("the preview %d failed: %s", preview_id, problem)
    with acting_system("jobs"):
        Preview.objects.filter(pk=preview_id).exclude(state="done").update(state="failed", problem=problem[:1000])
