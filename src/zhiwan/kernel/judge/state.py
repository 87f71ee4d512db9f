"""Everything rules and derive steps remember: a port. The store sees opaque rows (kind, key, body) and keeps them.

state = JudgeState.load(rows)      judge(…, state, …)      rows = state.changed(); <store them>; state.mark_saved()
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from zhiwan.kernel.facts.observations import UTC_US
from zhiwan.kernel.judge.rulebook import Group, RuleBook
from zhiwan.kernel.judge.series import UNKNOWN, Series, stored_ids
from zhiwan.kernel.judge.tracking import Tracked
from zhiwan.kernel.judge.world import World

SERIES, ALARM, NOTICE, PROMISE = "series", "alarm", "notice", "promise"
#: Derive steps keep the inputs of an instant so long: a missing input that comes later completes it.
COMPLETES_WITHIN = timedelta(hours=26)
TrackedKey = tuple[str, str, str]  # rule, entity, cause: "when" or "absent"


@dataclass(frozen=True, slots=True)
class StateRow:
    """One row for the store; body None removes it."""

    kind: str
    key: str
    body: bytes | None


class _StoredAlarm(msgspec.Struct):
    key: TrackedKey
    tracked: Tracked


class Notice(msgspec.Struct):
    """The last notice of a rule in a town: alarms `near` it join it."""

    at: datetime
    alarm_id: str


class JudgeState:
    """Lives in the worker's memory; bounded by lateness, windows and the number of alarms that are not idle."""

    def __init__(self) -> None:
        self.slots: dict[str, dict[str, int]] = {}  # type → entity → slot
        self.series: dict[Group, Series] = {}
        self.tracked: dict[str, dict[tuple[str, str], Tracked]] = {}  # rule → (entity, cause)
        self.notices: dict[tuple[str, str], Notice] = {}  # (rule, town)
        self.released: set[str] = set()  # alarm ids a person released, told with the next judgement
        self._touched: set[tuple[str, str]] = set()
        self._stored: list[StateRow] = []
        self._bound: tuple[RuleBook, World] | None = None
        self.index = pl.DataFrame()
        self.fields: dict[str, pl.DataFrame] = {}
        self.ids: dict[str, list[str]] = {}  # type → entity by slot
        self.towns: dict[str, list[str]] = {}  # type → town by slot
        self.present: dict[str, npt.NDArray[np.bool_]] = {}

    # Reading and writing what is remembered

    @classmethod
    def load(cls, rows: Iterable[StateRow]) -> JudgeState:
        """The state that was stored. Series are taken up when a rule book says which are needed."""
        state = cls()
        for row in rows:
            if row.body is None:
                continue
            if row.kind == ALARM:
                stored = msgspec.msgpack.decode(row.body, type=_StoredAlarm)
                rule, entity, cause = stored.key
                state.tracked.setdefault(rule, {})[entity, cause] = stored.tracked
            elif row.kind == NOTICE:
                rule, _, town = row.key.partition("|")
                state.notices[rule, town] = msgspec.msgpack.decode(row.body, type=Notice)
            elif row.kind == PROMISE:
                state.released.add(row.key)
            elif row.kind == SERIES:
                state._stored.append(row)
        state._stored.sort(key=lambda row: row.key)
        return state

    def has_changed(self) -> bool:
        """Whether alarms, notices or promises differ from what is saved."""
        return bool(self._touched)

    def changed(self, *, series: bool = True) -> list[StateRow]:
        """What differs from the last mark_saved, for the transaction that writes the alarms.

        Without `series` only what cannot be had again from the readings themselves (see stream.remember).
        """
        rows = [StateRow(kind, key, self._body(kind, key)) for kind, key in sorted(self._touched)]
        if not series:
            return rows
        for (type, prop), one in self.series.items():
            ids = self.ids[type]
            for number in sorted(one.unsaved):
                rows.append(StateRow(SERIES, _chunk_key(type, prop, number), one.encode(number, ids)))
            rows += [StateRow(SERIES, _chunk_key(type, prop, number), None) for number in sorted(one.dropped)]
        return rows

    def mark_saved(self, *, series: bool = True) -> None:
        """The rows of changed() are committed."""
        self._touched.clear()
        if series:
            for one in self.series.values():
                one.mark_saved()

    def release(self, alarm_id: str) -> None:
        """A person released a latched alarm: the next judge or tick tells it cleared, now or once it is quiet."""
        self.released.add(alarm_id)
        self._touched.add((PROMISE, alarm_id))

    def touch(self, kind: str, key: str) -> None:
        self._touched.add((kind, key))

    def _body(self, kind: str, key: str) -> bytes | None:
        if kind == ALARM:
            rule, entity, cause = key.split("|")
            tracked = self.tracked.get(rule, {}).get((entity, cause))
            return None if tracked is None else msgspec.msgpack.encode(_StoredAlarm((rule, entity, cause), tracked))
        if kind == NOTICE:
            rule, _, town = key.partition("|")
            notice = self.notices.get((rule, town))
            return None if notice is None else msgspec.msgpack.encode(notice)
        return b"" if key in self.released else None

    # Tracked alarms

    def of_rule(self, rule: str) -> dict[tuple[str, str], Tracked]:
        return self.tracked.get(rule, {})

    def put(self, rule: str, entity: str, cause: str, tracked: Tracked) -> None:
        """Remembers, or forgets where there is nothing left to remember."""
        known = self.tracked.setdefault(rule, {})
        if tracked.is_forgettable():
            if known.pop((entity, cause), None) is None:
                return
        else:
            known[entity, cause] = tracked
        self._touched.add((ALARM, f"{rule}|{entity}|{cause}"))

    def forget(self, rule: str, entity: str, cause: str) -> None:
        if self.tracked.get(rule, {}).pop((entity, cause), None) is not None:
            self._touched.add((ALARM, f"{rule}|{entity}|{cause}"))

    # Binding to a rule book and a world

    def bind(self, book: RuleBook, world: World) -> None:
        """Makes room for the entities of a world and the series of a rule book; cheap when neither changed."""
        if self._bound == (book, world):
            return
        self._take_up_stored()
        types = {type for type, _ in (*book.groups, *book.lookups, *book.derive_inputs)} & set(world.entities)
        for type in types:
            slots = self.slots.setdefault(type, {})
            for id in world.entities[type]["id"].to_list():
                slots.setdefault(id, len(slots))
        for group in (*book.groups, *book.lookups, *book.derive_inputs):
            slots = self.slots.setdefault(group[0], {})
            series = self.series.setdefault(group, Series(0))
            series.horizon = max(series.horizon, horizon(book, group))
            if series.reach == UNKNOWN:  # stored by a version that did not say
                series.reach = series.horizon
            series.grow(len(slots))
        self._align(world)
        self._bound = (book, world)

    def short(self) -> dict[Group, timedelta]:
        """Series that are asked for more than was remembered (a rule looks back further now), and how far back."""
        return {
            group: timedelta(microseconds=series.horizon)
            for group, series in self.series.items()
            if series.reach < series.horizon
        }

    def recall(self, group: Group, rows: pl.DataFrame) -> None:
        """Fill such a series from lake rows (entity, observed_at, value), none of them or many."""
        known = rows.join(self.index.filter(pl.col("type") == group[0]), left_on="entity", right_on="id", how="inner")
        at = known["observed_at"].cast(UTC_US).cast(pl.Int64)
        self.series[group].recall(known["slot"].to_numpy(), at.to_numpy(), known["value"].to_numpy())

    def _take_up_stored(self) -> None:
        for row in self._stored:
            type, prop, number = row.key.split("|")
            slots = self.slots.setdefault(type, {})
            body = row.body or b""
            for id in stored_ids(body):
                slots.setdefault(id, len(slots))
            self.series.setdefault((type, prop), Series(0)).decode(int(number), body, slots)
        self._stored = []

    def _align(self, world: World) -> None:
        """Fields of the world in the order of the slots, and one index of all entities."""
        indexes = []
        for type, slots in self.slots.items():
            for group, series in self.series.items():
                if group[0] == type:
                    series.grow(len(slots))
            ids = pl.DataFrame(
                {"id": list(slots), "slot": range(len(slots))}, schema={"id": pl.String(), "slot": pl.Int64()}
            )
            known = world.entities.get(type)
            if known is None:
                known = pl.DataFrame(schema={"id": pl.String(), "name": pl.String(), "town": pl.String()})
            aligned = ids.join(_clean(known).with_columns(__here=True), on="id", how="left", maintain_order="left")
            self.present[type] = aligned["__here"].fill_null(False).to_numpy()
            self.ids[type] = list(slots)
            towns = aligned["town"] if "town" in aligned.columns else pl.Series([None] * len(slots), dtype=pl.String())
            self.towns[type] = towns.fill_null("").to_list()
            self.fields[type] = aligned.drop("__here", "slot")
            indexes.append(ids.filter(aligned["__here"].fill_null(False)).with_columns(type=pl.lit(type)))
        schema = {"id": pl.String(), "slot": pl.Int64(), "type": pl.String()}
        self.index = pl.concat(indexes) if indexes else pl.DataFrame(schema=schema)


def _clean(frame: pl.DataFrame) -> pl.DataFrame:
    """Fields as the engines want them: doubles without NaN, moments in UTC."""
    casts = []
    for name, dtype in frame.schema.items():
        if dtype.is_numeric():
            number = pl.col(name).cast(pl.Float64)
            casts.append(pl.when(number.is_finite()).then(number).alias(name))
        elif dtype == pl.Date:
            casts.append(pl.col(name).cast(UTC_US))
    return frame.with_columns(casts)


def horizon(book: RuleBook, group: Group) -> int:
    """How far back a group's readings may be asked for, in microseconds."""
    span = timedelta(hours=1)
    for rule in book.groups.get(group, ()):
        span = max(span, rule.rule.lateness + rule.window, rule.rule.lateness + rule.rule.lasting)
    if group in book.derive_inputs:
        span = max(span, book.derive_inputs[group] + COMPLETES_WITHIN)
    return span // timedelta(microseconds=1)


def _chunk_key(type: str, prop: str, number: int) -> str:
    return f"{type}|{prop}|{number:012d}"
