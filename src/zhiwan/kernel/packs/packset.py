"""All packs of a running city at once, with every list an app needs and every lookup by global id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Protocol, TypeVar

from zhiwan.kernel.packs.broken import IdTwice, PackFault
from zhiwan.kernel.packs.models import (
    CaseKind,
    Derive,
    EntityType,
    Indicator,
    Layer,
    Pack,
    Panel,
    Plan,
    PropertyDecl,
    Rule,
    Scale,
    Source,
    WarningKind,
)
from zhiwan.kernel.packs.names import global_id, normalised
from zhiwan.kernel.packs.parameters import ParameterBook


class NoSuchDeclaration(PackFault):
    """A lookup by a name that no loaded pack declares."""

    code = "PACK-013"
    what = 'no loaded pack declares the {thing} "{name}"'
    hint = "Mend the name, or load the pack that declares it (packs/, or a folder of ZHIWAN_PACKS)."


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


Item = TypeVar("Item", bound=_HasId)
Pairs = tuple[tuple[Pack, Item], ...]


@dataclass(frozen=True)
class LocalMark:
    """That a district changed a rule or a parameter where it runs (local_changes.py): which change it was, and when."""

    serial: int
    signed_at: datetime


class PackSet:
    """Packs ordered by id. Lists are pairs (pack, declaration); lookups take global ids, types their name.

    `local` marks the rules and parameters (global ids) whose text is not that of their pack's files.
    """

    def __init__(self, packs: Iterable[Pack], local: Mapping[str, LocalMark] | None = None) -> None:
        self.packs: tuple[Pack, ...] = tuple(sorted(packs, key=lambda pack: pack.id))
        self.local: Mapping[str, LocalMark] = MappingProxyType(dict(local or {}))

    @classmethod
    def of(cls, packs: Iterable[Pack]) -> PackSet:
        """The set with all pointers made global. Raises IdTwice where two packs declare one id or type name."""
        given = sorted(packs, key=lambda pack: pack.id)
        owners: dict[str, str] = {}
        for pack in given:
            for thing, name in [("pack", pack.id), *(("type", one.id) for one in pack.types)]:
                if name in owners:
                    raise IdTwice(file=f"{pack.id}", where=name, thing=thing, id=name, first=owners[name])
                owners[name] = pack.id
        ids = [pack.id for pack in given]
        return cls(normalised(pack, ids) for pack in given)

    def pack(self, id: str) -> Pack:
        for pack in self.packs:
            if pack.id == id:
                return pack
        raise NoSuchDeclaration(thing="pack", name=id)

    def owner(self, global_name: str) -> Pack:
        """The pack a global id belongs to: governance.flood.patrol → governance.flood."""
        return self.pack(global_name.rpartition(".")[0])

    # -- types ---------------------------------------------------------------------------------------------------

    @cached_property
    def types(self) -> Mapping[str, EntityType]:
        return MappingProxyType({one.id: one for pack in self.packs for one in pack.types})

    def type(self, name: str) -> EntityType:
        if name not in self.types:
            raise NoSuchDeclaration(thing="type", name=name)
        return self.types[name]

    def property(self, reference: str) -> PropertyDecl:
        """The declaration of `Type.property`."""
        type_name, _, name = reference.partition(".")
        found = self.type(type_name).properties.get(name)
        if found is None:
            raise NoSuchDeclaration(thing="property", name=reference)
        return found

    # -- lists ---------------------------------------------------------------------------------------------------

    @cached_property
    def rules(self) -> Pairs[Rule]:
        return tuple((pack, one) for pack in self.packs for one in pack.rules)

    @cached_property
    def derives(self) -> Pairs[Derive]:
        return tuple((pack, one) for pack in self.packs for one in pack.derives)

    @cached_property
    def indicators(self) -> Pairs[Indicator]:
        return tuple((pack, one) for pack in self.packs for one in pack.indicators)

    @cached_property
    def warnings(self) -> Pairs[WarningKind]:
        return tuple((pack, one) for pack in self.packs for one in pack.warnings)

    @cached_property
    def plans(self) -> Pairs[Plan]:
        return tuple((pack, one) for pack in self.packs for one in pack.plans)

    @cached_property
    def case_kinds(self) -> Pairs[CaseKind]:
        return tuple((pack, one) for pack in self.packs for one in pack.case_kinds)

    @cached_property
    def sources(self) -> Pairs[Source]:
        return tuple((pack, one) for pack in self.packs for one in pack.sources)

    @cached_property
    def layers(self) -> Pairs[Layer]:
        return tuple((pack, one) for pack in self.packs for one in pack.views.layers)

    @cached_property
    def panels(self) -> Pairs[Panel]:
        return tuple((pack, one) for pack in self.packs for one in pack.views.panels)

    @cached_property
    def parameters(self) -> ParameterBook:
        return ParameterBook(self.packs)

    # -- lookups by global id ------------------------------------------------------------------------------------

    def rule(self, id: str) -> Rule:
        return _find("rule", self.rules, id)

    def derive(self, id: str) -> Derive:
        return _find("derive step", self.derives, id)

    def indicator(self, id: str) -> Indicator:
        return _find("indicator", self.indicators, id)

    def warning(self, id: str) -> WarningKind:
        return _find("warning", self.warnings, id)

    def plan(self, id: str) -> Plan:
        return _find("plan", self.plans, id)

    def case_kind(self, id: str) -> CaseKind:
        return _find("case kind", self.case_kinds, id)

    def source(self, id: str) -> Source:
        return _find("source", self.sources, id)

    def scale(self, pack: Pack | str, id: str) -> Scale:
        """A scale as a pack writes it: its own first, then `<last part>.<id>` of another."""
        asker = pack if isinstance(pack, str) else pack.id
        full = global_id(asker, id, [one.id for one in self.packs])
        for one in self.packs:
            for scale in one.scales:
                if f"{one.id}.{scale.id}" == full:
                    return scale
        raise NoSuchDeclaration(thing="scale", name=id, where=asker)


def _find(thing: str, pairs: Pairs[Item], id: str) -> Item:
    for pack, one in pairs:
        if f"{pack.id}.{one.id}" == id:
            return one
    raise NoSuchDeclaration(thing=thing, name=id)
