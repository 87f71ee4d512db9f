"""What personal data is used for: a register of purposes, each with its legal basis, fields, roles, term and time.

A read of a field of grade 3 and above names a purpose that is in force, covers the field and is the role's. Whatever is
outside it stays masked. Declared by the place (purposes.yml), because a basis is the district's, not a scenario's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from zhiwan.kernel.facts.declared import Declared, Identifier, Text

#: Fields of this grade and above are a person's: read for a purpose only.
PERSONAL = 3
#: Type and field of a thing: `Sluice.keeper_phone`.
FieldName = Annotated[str, Field(pattern=r"^[A-Z][A-Za-z0-9]{0,47}\.[a-z][a-z0-9_]{0,47}$")]
State = Literal["to_come", "in_force", "ended"]
PurposeId = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,47}$")]


class Purpose(Declared):
    """使用目的. `since` and `until` (exclusive) are days of the place."""

    id: PurposeId
    title: Text
    basis: Text  # law and article, or the consent that was asked for
    verify: bool = False  # the basis was written from memory and needs a lawyer's look
    fields: Annotated[list[FieldName], Field(min_length=1)]
    roles: Annotated[list[Identifier], Field(min_length=1)]  # shipped roles
    keep_days: Annotated[int, Field(ge=1, le=36500)]  # after it is no longer needed for this
    since: date
    until: date | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Purpose:
        if self.until is not None and self.until <= self.since:
            raise ValueError("`until` is after `since`: a purpose is in force for a day at least")
        return self


@dataclass(frozen=True)
class Term:
    """Of which things a field is due to be deleted: nothing that it was registered for needs it any longer."""

    purposes: tuple[str, ...]
    #: Of things that went out of use on this day or before; None: of every thing, since all purposes ended long enough
    #: ago.
    out_of_use_by: date | None


class PurposeBook(Mapping[str, Purpose]):
    """All purposes of a place by id, in its time zone."""

    def __init__(self, purposes: Iterable[Purpose] = (), zone: str = "UTC") -> None:
        self._known = {one.id: one for one in purposes}
        self._zone = ZoneInfo(zone)

    def __getitem__(self, id: str) -> Purpose:
        return self._known[id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def state(self, one: Purpose, at: datetime) -> State:
        """Whether it has begun, and has not ended."""
        day = at.astimezone(self._zone).date()
        if day < one.since:
            return "to_come"
        return "in_force" if one.until is None or day < one.until else "ended"

    def lets(self, id: str, role: str, field: str, at: datetime) -> bool:
        """Whether the role may read this field for this purpose now. A purpose that nobody declared lets nothing."""
        one = self._known.get(id)
        return one is not None and self.state(one, at) == "in_force" and role in one.roles and field in one.fields

    def today(self, at: datetime) -> date:
        """The day of the place."""
        return at.astimezone(self._zone).date()

    def term(self, field: str, at: datetime) -> Term | None:
        """Of which things this field is due. None where no purpose names it: nobody said how long, so nobody deletes.

        A purpose needs it until the thing goes out of use or the purpose ends, whichever is first, and `keep_days`
        more; the field goes when the last of its purposes lets it go.
        """
        naming = [one for one in self._known.values() if field in one.fields]
        if not naming:
            return None
        today = self.today(at)
        needing = [one for one in naming if one.until is None or one.until + timedelta(one.keep_days) > today]
        by = min((today - timedelta(one.keep_days) for one in needing), default=None)
        return Term(tuple(one.id for one in naming), by)

    def due_day(self, field: str, out_of_use: date | None) -> date | None:
        """When it is due of a thing that went out of use on that day (None: it is in use); None: not foreseeable."""
        ends = [
            min(day for day in (one.until, out_of_use) if day is not None) + timedelta(one.keep_days)
            if one.until is not None or out_of_use is not None
            else None
            for one in self._known.values()
            if field in one.fields
        ]
        known = [day for day in ends if day is not None]
        return max(known) if known and len(known) == len(ends) else None

    def covering(self, role: str, field: str, at: datetime) -> list[Purpose]:
        """For what the role may read this field now."""
        return [one for one in self._known.values() if self.lets(one.id, role, field, at)]


NO_PURPOSES = PurposeBook()
