"""The pipeline's store in PostgreSQL: what is committed, through the city's own functions; and the worker's lock."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import Q

from zhiwan.city import packs_loaded
from zhiwan.city.people.acting import LIVE, acting_system
from zhiwan.city.registry.models import Device, Entity, Relation
from zhiwan.city.sql.spaces import EVERY
from zhiwan.city.watch import hints
from zhiwan.city.watch.pipeline import Changes, commit_batch, cursor_of, load_state, take_releases
from zhiwan.kernel.judge import StateRow
from zhiwan.run.worker.brain import Registry
from zhiwan.run.worker.outbox import KIND, unpack
from zhiwan.run.worker.pipeline import CLOCK, Cursor, Remembered, Work

#: Session lock of the one active worker; the number only has to differ from other locks of this database.
LOCK = 0x7A68_776B
WATCHED_TABLES = ["registry_entity", "registry_relation", "registry_device"]


class PostgresStore:
    """Commits batches on the connection that holds the worker's lock: who lost the lock cannot commit."""

    def __init__(self, streams: Sequence[str]) -> None:
        self._streams = streams

    def load(self) -> Remembered:
        cursors = {name: Cursor(found.created, found.seq) for name in self._streams if (found := cursor_of(name))}
        judge_rows, parcels = [], []
        for kind, key, body in load_state("judge"):
            if kind == KIND:
                parcels.append(unpack(key, body))
            else:
                judge_rows.append(StateRow(kind, key, body))
        return Remembered(
            cursors=cursors,
            judge_rows=judge_rows,
            intake_rows=[StateRow(*row) for row in load_state("intake")],
            parcels=sorted(parcels, key=lambda parcel: parcel.key),
        )

    def commit(self, work: Work) -> Changes:
        return commit_batch(
            stream=None if work.stream == CLOCK else work.stream,
            created=work.created,
            seq=work.seq,
            observations=work.latest,
            events=work.events,
            judge_rows=work.judge_rows,
            intake_rows=work.intake_rows,
            set_aside=work.set_aside,
            counts=work.counts,
            now=work.now,
        )

    def releases(self) -> Sequence[str]:
        return take_releases()

    def announce(self, changes: Any) -> None:
        hints.announce(changes.hints)


def take_lock(space: str) -> bool:
    """Try to become the active worker of a space; held until this connection ends."""
    number = 0 if space == LIVE else zlib.crc32(space.encode()) & 0x7FFF_FFFF
    with connection.cursor() as cursor:
        if number:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK, number])
        else:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        row = cursor.fetchone()
    return bool(row and row[0])


def read_registry() -> Registry:
    """All active entities, their links and the enabled devices of this process's space."""
    columns = ("id", "type", "name", "name_en", "town", "area", "lon", "lat", "fields")
    with acting_system("worker", space=EVERY):
        everywhere = set(Device.objects.values_list("id", flat=True))
    with acting_system("worker"):
        own = set(Device.objects.values_list("id", flat=True))
        return Registry(
            entities=list(Entity.objects.filter(active=True).values(*columns)),
            relations=list(Relation.objects.values_list("from_entity_id", "link", "to_entity_id")),
            # What a revoked device sent before it was revoked may still wait in the stream, and is kept. That nothing
            # comes after that is the door's affair.
            devices=list(
                Device.objects.filter(Q(enabled=True) | Q(revoked_at__isnull=False)).values_list("id", "entity_id")
            ),
            elsewhere=frozenset(everywhere - own),
        )


def brain_version() -> tuple[int, int]:
    """Numbers that differ after the registry was written or a changed rule was signed; takes up what was signed."""
    return registry_version(), packs_loaded.refresh()


def registry_version() -> int:
    """A number that differs after entities, links or devices were written: PostgreSQL counts its own writes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint"
            " FROM pg_stat_all_tables WHERE relname = ANY(%s)",
            [WATCHED_TABLES],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0
