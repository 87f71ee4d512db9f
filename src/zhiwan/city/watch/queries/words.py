"""Titles of what rows only name by id: levels, rules, properties. A pack that is gone leaves ids, never an error."""

from __future__ import annotations

from dataclasses import dataclass

from zhiwan.city.packs_loaded import packs
from zhiwan.kernel.packs.models import Level, PropertyDecl, Rule, Scale, Text, WarningKind
from zhiwan.kernel.packs.packset import NoSuchDeclaration


@dataclass(frozen=True)
class LevelWords:
    """A level as a screen shows it."""

    id: str
    title: Text
    rank: int
    tone: str


def plain(word: str) -> Text:
    """An id where no words are known."""
    return Text(zh=word, en=word)


def rule_or_none(id: str) -> Rule | None:
    """The rule as loaded now; None when its pack is gone."""
    return next((rule for pack, rule in packs().rules if f"{pack.id}.{rule.id}" == id), None)


def warning_or_none(id: str) -> WarningKind | None:
    """The kind of warning as loaded now."""
    return next((kind for pack, kind in packs().warnings if f"{pack.id}.{kind.id}" == id), None)


def scale_of(owner: str, scale_id: str) -> Scale | None:
    """The scale a declaration of pack `owner` names."""
    try:
        return packs().scale(owner, scale_id)
    except NoSuchDeclaration:
        return None


def pack_of(global_id: str) -> str:
    """life.air.smog → life.air"""
    return global_id.rpartition(".")[0]


def level_words(scale: Scale | None, level: str, rank: int = 0, tone: str = "grey") -> LevelWords:
    """The level's own words, or what the row remembers of it."""
    found: Level | None = next((one for one in scale.levels if one.id == level), None) if scale else None
    if found is None:
        return LevelWords(level, plain(level), rank, tone)
    return LevelWords(found.id, found.title, found.rank, found.tone)


def property_of(type_name: str, name: str) -> PropertyDecl | None:
    """The declaration of a property, if its pack is loaded."""
    kind = packs().types.get(type_name)
    return kind.properties.get(name) if kind else None


def shown_value(declared: PropertyDecl | None, value: float | None) -> Text:
    """A value as a person reads it: a choice by its title, a number with its declared decimals."""
    if value is None:
        return plain("—")
    if declared is not None and declared.choices:
        index = int(value)
        if 0 <= index < len(declared.choices) and index == value:
            return declared.choices[index].title
    return plain(f"{value:.{declared.decimals if declared else 2}f}")
