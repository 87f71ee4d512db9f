"""Compares a pack with what it was: meaning changes only together with the version, and the ledger does not slide back.

An alarm carries the version of the pack whose rule opened it. Were a rule, limit or type to mean something else under
the same version, nobody could tell later by what an alarm was judged. What people read (titles, messages, advice,
sources) and what only shows or proves (views, demo, stories, replays) may change freely.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from zhiwan.kernel.facts.errors import PackBroken
from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.load import Read, read_pack
from zhiwan.kernel.packs.models import Pack
from zhiwan.kernel.proof import faults
from zhiwan.kernel.proof.subject import Spot, Subject

#: What a pack declares: name in an error, where it stands, how it is listed in the pack.
_DECLARED = (
    ("type", "types.yml", "types"),
    ("parameter", "params", "parameters"),
    ("scale", "rules.yml", "scales"),
    ("rule", "rules.yml", "rules"),
    ("derive step", "derive.yml", "derives"),
    ("indicator", "indicators.yml", "indicators"),
    ("warning", "warnings.yml", "warnings"),
    ("plan", "plans.yml", "plans"),
    ("kind of case", "cases.yml", "case_kinds"),
    ("source", "sources.yml", "sources"),
)
#: Keys that only people read or screens show.
_SHOWN = {"icon", "decimals", "tone", "source", "verify", "model"}


def against(subject: Subject, before: Path) -> Iterator[PackFault]:
    """What changed since the pack in the folder `before` that should not have; nothing where it was not there yet."""
    if not (before / "pack.yml").is_file():
        return
    here, version = Spot("pack.yml", ("version",), "version"), subject.pack.manifest.version
    try:
        old = read_pack(before, replays=False)
    except PackBroken as fault:
        yield subject.fault(faults.BaseUnreadable, here, problem=str(fault))
        return
    was = old.pack.manifest.version
    if _number(version) < _number(was):
        yield subject.fault(faults.VersionWentBack, here, version=version, was=was)
    elif version == was:
        for file, thing, problem in _changes(subject.read, old):
            yield subject.fault(
                faults.MeaningChanged, here, thing=thing, problem=problem, declared_in=file, version=version
            )
    for key in old.pack.quality.done:
        if key not in subject.pack.quality.done and key not in subject.pack.quality.exempt:
            yield subject.fault(faults.LedgerSlidBack, Spot("quality.yml", ("done",), "done"), name=key)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _changes(new: Read, old: Read) -> Iterator[tuple[str, str, str]]:
    """File, thing and what happened to it."""
    for name, file, attribute in _DECLARED:
        now, then = _meanings(new.pack, attribute), _meanings(old.pack, attribute)
        for key in sorted(now.keys() | then.keys()):
            if now.get(key) != then.get(key):
                yield file, f"{name} {key}", _difference(then.get(key), now.get(key))
    does, did = _code(new.pack), _code(old.pack)
    for key in sorted(does.keys() | did.keys()):
        if does.get(key) != did.get(key):
            yield f"code/{key}", f"code {key}", "computes something else"


def _meanings(pack: Pack, attribute: str) -> dict[str, dict[str, Any]]:
    """Id (a parameter's with its region) → what it means, as plain values."""
    found = {}
    for one in getattr(pack, attribute):
        plain: dict[str, Any] = one.model_dump(mode="json", by_alias=True)
        region = plain.get("region")
        found[f"{one.id} ({region})" if region else one.id] = _meaning(plain)
    return found


def _meaning(value: Any) -> Any:
    """A declaration without what only people read: sentences in both languages and keys that are only shown."""
    if isinstance(value, list):
        return [_meaning(one) for one in value]
    if isinstance(value, dict):
        return {
            key: _meaning(one)
            for key, one in value.items()
            if key not in _SHOWN and not (isinstance(one, dict) and one.keys() == {"zh", "en"})
        }
    return value


def _difference(then: dict[str, Any] | None, now: dict[str, Any] | None) -> str:
    if then is None or now is None:
        return "is gone" if now is None else "is new"
    keys = [key for key in now.keys() | then.keys() if now.get(key) != then.get(key)]
    return f"has another {', '.join(sorted(keys))}"


def _code(pack: Pack) -> dict[str, str]:
    """Module → what it does, whatever its comments, layout and docstrings."""
    return {
        path.name: ast.dump(_without_docstrings(ast.parse(path.read_text("utf-8"))))
        for path in sorted((Path(pack.folder) / "code").glob("*.py"))
    }


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree
