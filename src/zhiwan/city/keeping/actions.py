"""What is written about keeping: backups made and destroyed, drills, and deletions of what is due.

note_backup(made)                     into the register, in the audit
note_destroyed(id, why)               the receipt, before its key goes
note_drill(drill)
erase_due(at=None) -> list[Erasure]   personal fields that nothing needs any longer; their files follow (run/nightly)
note_wiped(ids) · note_unwiped(ids, problem)
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
from django.db import transaction
from django.utils import timezone

from zhiwan.city.keeping.models import Backup, Drill, Erasure
from zhiwan.city.packs_loaded import lake, packs
from zhiwan.city.people import audit, guard
from zhiwan.city.people.purposes import purpose_book
from zhiwan.city.registry.retiring import erase_field, out_of_use
from zhiwan.city.watch.models import LatestValue
from zhiwan.kernel.guard.purposes import Term

_REASON = 200
_EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class MadeBackup:
    """What the register says of a backup."""

    id: str
    made_at: datetime
    bytes: int
    archive: str
    key_file: str
    uncommitted: int | None = None
    keep_until: datetime | None = None


@transaction.atomic
def note_backup(*, made: MadeBackup, at: datetime | None = None) -> None:
    """A backup is there. Who made it stands in the audit."""
    guard.require("backup.make")
    Backup.objects.create(**vars(made))
    after = {"megabytes": round(made.bytes / 1e6, 1)}
    audit.record("backup.make", f"backup:{made.id}", at=at or timezone.now(), after=after)


@transaction.atomic
def note_destroyed(*, id: str, why: str, at: datetime | None = None) -> None:
    """A backup is unreadable from now on. Written before its key goes: without a receipt it would look like a loss."""
    guard.require("backup.destroy")
    now, reason = at or timezone.now(), why[:_REASON]
    Backup.objects.filter(id=id, destroyed_at=None).update(destroyed_at=now, destroyed_why=reason)
    audit.record("backup.destroy", f"backup:{id}", at=now, after={"reason": reason})


@transaction.atomic
def note_drill(*, drill: Drill, at: datetime | None = None) -> None:
    """A drill, with what came of it."""
    guard.require("backup.drill")
    drill.save(force_insert=True)
    after = {"held": drill.held, "rto_seconds": drill.rto_seconds}
    audit.record("backup.drill", "backup:drill", at=at or timezone.now(), after=after)


def erase_due(*, at: datetime | None = None) -> list[Erasure]:
    """Delete every personal field whose term has ended: of the registry, or, of a reading, of the lake.

    One transaction a field, so that what fails does not hold the others up; a receipt for each that deleted anything.
    """
    guard.require("retention.run")
    now, book = at or timezone.now(), purpose_book()
    receipts = []
    for name in sorted({field for purpose in book.values() for field in purpose.fields}):
        term = book.term(name, now)
        receipt = _erase(name, term, now) if term is not None else None
        receipts += [receipt] if receipt is not None else []
    return receipts


@transaction.atomic
def _erase(name: str, term: Term, now: datetime) -> Erasure | None:
    """One field; None where nothing of it was left."""
    type_id, field = name.split(".")
    kind = packs().types.get(type_id)
    readings = 0
    if kind is not None and field in kind.properties:
        things = _with_readings(type_id, field, term)
        readings = lake().erase(things, field) if things else 0
        LatestValue.objects.filter(entity_id__in=things, property=field).delete()
    else:
        things = erase_field(type=type_id, field=field, out_of_use_by=term.out_of_use_by)
    if not things:
        return None
    receipt = Erasure.objects.create(
        at=now,
        field=name,
        purposes=list(term.purposes),
        out_of_use_by=term.out_of_use_by,
        things=len(things),
        things_digest=hashlib.sha256("\n".join(things).encode()).hexdigest(),
        readings=readings,
    )
    after = {"receipt": receipt.pk, "things": len(things), "ids": things[:50], "purposes": receipt.purposes}
    audit.record("retention.run", f"field:{name}", at=now, after=after)
    return receipt


def _with_readings(type_id: str, property: str, term: Term) -> list[str]:
    """Things whose readings of this property are due and of which there still is one, here or in the lake."""
    due = sorted(out_of_use(type_id, term.out_of_use_by).values_list("id", flat=True))
    held = set(LatestValue.objects.filter(entity_id__in=due, property=property).values_list("entity_id", flat=True))
    if due:
        pairs = pl.DataFrame({"entity": due}).with_columns(property=pl.lit(property))
        held |= set(lake().current(pairs, _EVER[0], _EVER[1])["entity"])
    return sorted(held)


@transaction.atomic
def note_wiped(*, ids: Sequence[int], at: datetime | None = None) -> None:
    """No file of the database or of the lake holds any longer what these receipts speak of."""
    guard.require("retention.run")
    now = at or timezone.now()
    Erasure.objects.filter(pk__in=ids).update(wiped_at=now, problem="")
    audit.record("retention.run", f"receipts:{len(ids)}", at=now, after={"wiped": list(ids)[:50]})


@transaction.atomic
def note_unwiped(*, ids: Sequence[int], problem: str) -> None:
    """It could not be done this time."""
    guard.require("retention.run")
    Erasure.objects.filter(pk__in=ids).update(problem=problem[:200])
    after = {"not_wiped": list(ids)[:50], "problem": problem[:200]}
    audit.record("retention.run", f"receipts:{len(ids)}", at=timezone.now(), after=after)
