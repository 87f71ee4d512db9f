"""All that packs declare about judging, parsed and checked once: rules, derive steps, indicators.

RuleBook.compile(packs) → book.groups[(type, property)] → the rules that watch it
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import polars as pl

from zhiwan.kernel.judge.engines.polars import to_polars
from zhiwan.kernel.judge.engines.reference import fold
from zhiwan.kernel.judge.errors import ExpressionRefused, RuleRefused
from zhiwan.kernel.judge.expressions import nodes as n
from zhiwan.kernel.judge.expressions.ends import limits, results
from zhiwan.kernel.judge.expressions.parse import parse
from zhiwan.kernel.judge.expressions.scope import Known, Scope
from zhiwan.kernel.judge.machine import Timing
from zhiwan.kernel.judge.message import Message, compile_message
from zhiwan.kernel.packs.code import load_code
from zhiwan.kernel.packs.models import Derive, EntityType, Indicator, Level, Pack, PropertyDecl, Rule
from zhiwan.kernel.packs.packset import LocalMark, PackSet

Group = tuple[str, str]  # type, property
DERIVED_SOURCE = "derive:"  # how the source of a derived reading begins
_RESERVED = ("value", "previous", "observed_at")
_FIELD_KINDS: dict[str, n.Kind] = {
    "number": "number", "text": "text", "choice": "text", "boolean": "boolean", "date": "time",
}  # fmt: skip
_WHERE = "`where` says which entities at all: only fields and parameters stand there; readings belong in `when`."
_OF_EVERY_ENTITY = {
    "id": Known("text"), "name": Known("text"), "town": Known("text"), "area": Known("text"),
    "lon": Known("number"), "lat": Known("number"),
}  # fmt: skip


@dataclass(frozen=True)
class CompiledRule:
    """One rule, ready for every engine. `when` includes `where`; `clear` is also met where the rule does not apply."""

    number: int
    id: str
    pack: Pack
    rule: Rule
    type: str
    prop: str
    decl: PropertyDecl
    levels: Mapping[str, Level]
    when: n.Expr
    clear: n.Expr
    level: n.Expr
    where: n.Expr
    messages: tuple[Message, Message]
    limits: Mapping[str, n.Expr]  # what `value` is held against, by its text
    timing: Timing
    absent_timing: Timing
    marks: Mapping[str, LocalMark]  # what the district changed, of this rule and of others (PackSet.local)
    leaves: frozenset[n.Leaf] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        exprs = [self.when, self.clear, self.level, *self.limits.values()]
        exprs += [part for message in self.messages for part in message.parts if isinstance(part, n.Expr)]
        object.__setattr__(self, "leaves", frozenset(n.leaves(*exprs)))
        self.polars: tuple[pl.Expr, pl.Expr, pl.Expr]
        object.__setattr__(self, "polars", (to_polars(self.when), to_polars(self.clear), to_polars(self.level)))

    @cached_property
    def never(self) -> bool:
        """Whether no reading can meet the condition (a rule about absence only)."""
        return fold(self.when) in (n.Truth(False), n.Missing("boolean"))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Global ids of the parameters it is held against, or quotes."""
        return tuple(sorted({leaf.id for leaf in self.leaves if isinstance(leaf, n.Parameter)}))

    @cached_property
    def local(self) -> LocalMark | None:
        """The last change by the district that touches it: of its own text, or of a parameter it uses."""
        marks = [self.marks[id] for id in (self.id, *self.parameters) if id in self.marks]
        return max(marks, key=lambda mark: mark.serial, default=None)

    @property
    def version(self) -> str:
        """That of its pack; `0.1.0+local.3` after the third change of the house, if that one touched it."""
        version = self.pack.manifest.version
        return f"{version}+local.{self.local.serial}" if self.local else version

    @property
    def since(self) -> datetime | None:
        """When it became what it is, if a district changed it."""
        return self.local.signed_at if self.local else None

    def marked(self, pack: Pack, marks: Mapping[str, LocalMark]) -> CompiledRule:
        """The same text among changed packs; nothing is parsed or printed again."""
        same = copy.copy(self)
        same.__dict__.pop("local", None)
        object.__setattr__(same, "pack", pack)
        object.__setattr__(same, "marks", marks)
        return same

    @property
    def window(self) -> timedelta:
        """The longest span the rule looks back on."""
        seconds = [leaf.seconds for leaf in self.leaves if isinstance(leaf, n.Window)]
        return timedelta(seconds=max(seconds, default=0))


@dataclass(frozen=True)
class CompiledDerive:
    """One derive step with its function."""

    id: str
    pack: Pack
    derive: Derive
    function: Callable[..., pl.DataFrame]

    @property
    def source(self) -> str:
        """What derived readings carry as their source."""
        return f"{DERIVED_SOURCE}{self.id}@{self.derive.version}"


@dataclass(frozen=True)
class CompiledIndicator:
    """One vital sign. `properties` are the latest values its expressions read."""

    id: str
    indicator: Indicator
    value: n.Expr
    where: n.Expr
    properties: tuple[str, ...]


@dataclass(frozen=True)
class RuleBook:
    """All rules, derive steps (inputs before outputs) and indicators of a pack set."""

    packs: PackSet
    rules: tuple[CompiledRule, ...]
    derives: tuple[CompiledDerive, ...]
    indicators: tuple[CompiledIndicator, ...]
    groups: Mapping[Group, tuple[CompiledRule, ...]]
    lookups: frozenset[Group]  # properties that latest(…) reads
    derive_inputs: Mapping[Group, timedelta]  # how long a derive step looks back on each input

    @classmethod
    def of_rules(cls, packs: PackSet, ids: Collection[str]) -> RuleBook:
        """Some rules alone, for a look back: without derive steps and indicators, whose figures the lake has."""
        bare = (
            pack.model_copy(
                update={
                    "rules": [rule for rule in pack.rules if f"{pack.id}.{rule.id}" in ids],
                    "derives": [],
                    "indicators": [],
                }
            )
            for pack in packs.packs
        )
        return cls.compile(PackSet(bare, packs.local))

    @classmethod
    def compile(cls, packs: PackSet, code: Callable[[Pack, str], Callable[..., Any]] = load_code) -> RuleBook:
        """Parses and checks everything. Raises PackBroken (ExpressionRefused, RuleRefused, faults of pack code)."""
        compiler = _Compiler(packs)
        rules = tuple(compiler.rule(number, pack, rule) for number, (pack, rule) in enumerate(packs.rules))
        derives = tuple(
            CompiledDerive(f"{pack.id}.{one.id}", pack, compiler.checked(pack, one), code(pack, one.code))
            for pack, one in packs.derives
        )
        indicators = tuple(compiler.indicator(pack, one) for pack, one in packs.indicators)
        return cls._of(packs, rules, _in_order(derives), indicators)

    def changed(self, packs: PackSet) -> RuleBook:
        """The book of the same packs with other local changes: only rules whose text differs are parsed.

        A change names no new type, scale or parameter, so what all else was parsed with is as it was.
        """
        compiler = _Compiler(packs)
        rules = tuple(
            old.marked(pack, packs.local) if old.rule == rule else compiler.rule(number, pack, rule)
            for number, (old, (pack, rule)) in enumerate(zip(self.rules, packs.rules, strict=True))
        )
        return self._of(packs, rules, self.derives, self.indicators)

    @classmethod
    def _of(
        cls, packs: PackSet, rules: tuple[CompiledRule, ...], derives: tuple[CompiledDerive, ...],
        indicators: tuple[CompiledIndicator, ...],
    ) -> RuleBook:  # fmt: skip
        compiler = _Compiler(packs)
        groups: dict[Group, list[CompiledRule]] = {}
        lookups = set()
        for rule in rules:
            groups.setdefault((rule.type, rule.prop), []).append(rule)
            lookups |= {compiler.target(rule.type, leaf) for leaf in rule.leaves if isinstance(leaf, n.Latest)}
        return cls(
            packs=packs,
            rules=rules,
            derives=derives,
            indicators=indicators,
            groups={group: tuple(found) for group, found in groups.items()},
            lookups=frozenset(lookups),
            derive_inputs=_inputs(derives),
        )

    def rule(self, id: str) -> CompiledRule:
        for rule in self.rules:
            if rule.id == id:
                return rule
        raise RuleRefused(what="rule", id=id, problem="no loaded pack declares it", advice="Mend the id.")

    def target(self, type: str, leaf: n.Latest) -> Group:
        """The type and property that latest(link.property) leads to."""
        return _Compiler(self.packs).target(type, leaf)


class _Compiler:
    def __init__(self, packs: PackSet) -> None:
        self.packs = packs

    def target(self, type: str, leaf: n.Latest) -> Group:
        return (type if leaf.link == "self" else self.packs.type(type).links[leaf.link].to, leaf.prop)

    def rule(self, number: int, pack: Pack, rule: Rule) -> CompiledRule:
        id = f"{pack.id}.{rule.id}"
        type_name, _, prop = rule.watch.partition(".")
        decl = self.packs.property(rule.watch)
        levels = {level.id: level for level in self.packs.scale(pack, rule.scale).levels}
        scope = self._rule_scope(pack, self.packs.type(type_name), prop, levels)
        if rule.when is None and rule.absent is None:
            raise RuleRefused(what="rule", id=id, problem="it has neither when nor absent", advice="Add one of them.")

        def read(key: str, text: str | None, kind: n.Kind, default: n.Expr, scope: Scope = scope) -> n.Expr:
            try:
                return default if text is None else parse(text, scope, kind=kind)
            except ExpressionRefused as refused:
                raise refused.found_in(f'rule "{id}"', key) from None

        # where: nothing that changes by reading
        hints = dict.fromkeys((*_RESERVED, *scope.links["self"]), _WHERE)
        still = Scope(_without(scope.names, _RESERVED), scope.parameters, hints=hints, private=scope.private)
        where = read("where", rule.where, "boolean", n.Truth(True), still)
        when = read("when", rule.when, "boolean", n.Truth(False))
        clear = read("clear", rule.clear, "boolean", n.Not(when))
        level = read("level", rule.level, "text", n.Missing("text"))
        self._check_levels(id, level, levels)
        messages = (
            compile_message(rule.message.zh, "zh", decl, lambda text: read("message.zh", text, *_ANY, scope)),
            compile_message(rule.message.en, "en", decl, lambda text: read("message.en", text, *_ANY, scope)),
        )
        if rule.where is not None:
            applies = n.Call("coalesce", (where, n.Truth(False)))
            when, clear = n.And(applies, when), n.Or(n.Not(applies), clear)
        ranks = {name: one.rank for name, one in levels.items()}
        hold = None if decl.cadence is None else 3 * decl.cadence
        return CompiledRule(
            number=number, id=id, pack=pack, rule=rule, type=type_name, prop=prop, decl=decl, levels=levels,
            when=when, clear=clear, level=level, where=where, messages=messages,
            limits=limits(when),
            timing=Timing(rule.lasting, rule.clear_lasting, hold, rule.latched, ranks),
            absent_timing=Timing(timedelta(0), timedelta(0), None, rule.latched, ranks),
            marks=self.packs.local,
        )  # fmt: skip

    def _check_levels(self, id: str, level: n.Expr, levels: Mapping[str, Level]) -> None:
        for result in results(level):
            if isinstance(result, n.Text) and result.value not in levels:
                raise RuleRefused(
                    what="rule", id=id, problem=f'its scale has no level "{result.value}"',
                    advice=f"Levels of the scale: {', '.join(levels)}.",
                )  # fmt: skip

    def _rule_scope(self, pack: Pack, type: EntityType, prop: str, levels: Collection[str]) -> Scope:
        watched = Known("number", type.properties[prop].unit)
        names = self._fields(type) | {"value": watched, "observed_at": Known("time")}
        links = {link: self._properties(self.packs.type(one.to)) for link, one in type.links.items()}
        links["self"] = self._properties(type)
        hints = {name: f"It is a reading of the entity: write latest(self.{name})." for name in type.properties}
        hints[prop] = "It is the watched reading: write value."
        hints |= {one: f"It is a level, a text in quotes; alone in its line: level: \"'{one}'\"." for one in levels}
        return Scope(names, self._parameters(pack), links, watched, hints, _private(type))

    def _fields(self, type: EntityType) -> dict[str, Known]:
        for name in type.fields:
            if name in _RESERVED:
                advice = f"Rename it; {', '.join(_RESERVED)} are words of the language."
                raise RuleRefused(what="type", id=type.id, problem=f'a field is named "{name}"', advice=advice)
        # What is private cannot be named: it would go into messages, evidence and every page that shows an alarm.
        fields = {
            name: Known(_FIELD_KINDS[one.type], one.unit, choices=tuple(choice.id for choice in one.choices))
            for name, one in type.fields.items()
            if not one.private
        }
        return fields | _OF_EVERY_ENTITY

    def _properties(self, type: EntityType) -> dict[str, Known]:
        return {name: Known("number", one.unit) for name, one in type.properties.items()}

    def _parameters(self, pack: Pack) -> dict[str, Known]:
        """Scalar parameters by the names a pack may write: its own by id, others by `<last part>.<id>`."""
        known: dict[str, Known] = {}
        for other in (*self.packs.packs, pack):  # own names last: they win
            for one in other.parameters:
                if any(entry.value is not None for entry in one.in_force):
                    name = one.id if other is pack else f"{other.id.rpartition('.')[2]}.{one.id}"
                    known[name] = Known("number", one.unit, f"{other.id}.{one.id}")
        return known

    def checked(self, pack: Pack, one: Derive) -> Derive:
        properties = self.packs.type(one.of).properties
        for name in (*one.inputs, *one.outputs):
            if name not in properties:
                advice = f"Declare it in types.yml, or use one of: {', '.join(properties)}."
                problem = f'"{one.of}" has no property "{name}"'
                raise RuleRefused(what="derive step", id=f"{pack.id}.{one.id}", problem=problem, advice=advice)
        return one

    def indicator(self, pack: Pack, one: Indicator) -> CompiledIndicator:
        id = f"{pack.id}.{one.id}"
        type = self.packs.type(one.over)
        names = self._fields(type) | self._properties(type)
        scope = Scope(names, self._parameters(pack), private=_private(type))
        try:
            value = parse(one.value, scope)
            where = n.Truth(True) if one.where is None else parse(one.where, scope, kind="boolean")
        except ExpressionRefused as refused:
            raise refused.found_in(f'indicator "{id}"') from None
        if value.kind not in ("number", "boolean"):
            advice = "Give a number, or a truth for count and share."
            raise RuleRefused(what="indicator", id=id, problem=f"its value is a {value.kind}", advice=advice)
        used = n.leaves(value, where)
        properties = sorted(leaf.key for leaf in used if leaf.key in type.properties)
        return CompiledIndicator(id, one, value, where, tuple(properties))


_ANY: tuple[Any, n.Expr] = (None, n.Missing("text"))


def _private(type: EntityType) -> frozenset[str]:
    return frozenset(name for name, one in type.fields.items() if one.private)


def _without(names: Mapping[str, Known], gone: tuple[str, ...]) -> dict[str, Known]:
    return {name: known for name, known in names.items() if name not in gone}


def _inputs(derives: Iterable[CompiledDerive]) -> dict[Group, timedelta]:
    """How long a derive step looks back on each input."""
    inputs: dict[Group, timedelta] = {}
    for one in derives:
        for name in one.derive.inputs:
            group = (one.derive.of, name)
            inputs[group] = max(inputs.get(group, timedelta(0)), one.derive.window)
    return inputs


def _in_order(derives: tuple[CompiledDerive, ...]) -> tuple[CompiledDerive, ...]:
    """Inputs before outputs. Raises RuleRefused for a circle."""
    made: list[CompiledDerive] = []
    waiting = sorted(derives, key=lambda one: one.id)
    while waiting:
        open_outputs = {(one.derive.of, name) for one in waiting for name in one.derive.outputs}
        ready = [one for one in waiting if not open_outputs & {(one.derive.of, name) for name in one.derive.inputs}]
        if not ready:
            advice = "A derive step may not need, by way of others, what it makes itself."
            raise RuleRefused(what="derive step", id=waiting[0].id, problem="it is part of a circle", advice=advice)
        made += ready
        waiting = [one for one in waiting if one not in ready]
    return tuple(made)
