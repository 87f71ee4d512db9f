"""Loads a pack's own code, after a look at what it imports. The door says what is allowed: door.py.

Packs are reviewed and trusted; this is a house rule that keeps judging pure, not a prison for hostile code.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from zhiwan.kernel.packs.broken import CodeRefused, FileMissing, PackFault
from zhiwan.kernel.packs.models import Pack

ALLOWED_MODULES = frozenset(
    {"__future__", "collections.abc", "dataclasses", "datetime", "math", "numpy", "polars", "typing"}
    | {"zhiwan.kernel.packs.door"}
)
MAX_LINES = 150

_FORBIDDEN_NAMES = frozenset(
    {"open", "exec", "eval", "compile", "__import__", "globals", "input", "breakpoint", "print", "vars", "setattr"}
)
_FORBIDDEN_PREFIXES = ("read_", "scan_", "write_", "sink_")
_CLOCKS = frozenset({"now", "utcnow", "today"})


def inspect_code(source: str, shown: str) -> Iterator[PackFault]:
    """What a module of a pack may not do: faults, in the order of the file."""
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        yield CodeRefused(file=shown, line=error.lineno or 1, problem=f"be unreadable Python ({error.msg})")
        return
    lines = source.count("\n") + 1
    if lines > MAX_LINES + 1:
        yield CodeRefused(file=shown, line=MAX_LINES + 1, problem=f"be longer than {MAX_LINES} lines a module")
    found = [fault for node in ast.walk(tree) for fault in _inspect_node(node, shown)]
    yield from sorted(found, key=lambda fault: fault.line)


def _inspect_node(node: ast.AST, shown: str) -> Iterator[PackFault]:
    if isinstance(node, ast.Import):
        for name in node.names:
            if name.name not in ALLOWED_MODULES:
                yield CodeRefused(file=shown, line=node.lineno, problem=f"import {name.name}")
    elif isinstance(node, ast.ImportFrom):
        # One dot is the pack's own code folder; more dots would leave it.
        own = node.level == 1
        if not own and (node.level > 1 or node.module not in ALLOWED_MODULES):
            yield CodeRefused(
                file=shown, line=node.lineno, problem=f"import from {'.' * node.level}{node.module or ''}"
            )
    elif isinstance(node, ast.Name) and node.id in _FORBIDDEN_NAMES:
        yield CodeRefused(file=shown, line=node.lineno, problem=f"use {node.id}")
    elif isinstance(node, ast.Attribute):
        if node.attr.startswith("__") and node.attr.endswith("__"):
            yield CodeRefused(file=shown, line=node.lineno, problem=f"reach for {node.attr}")
        elif node.attr.startswith(_FORBIDDEN_PREFIXES):
            yield CodeRefused(file=shown, line=node.lineno, problem=f"read or write files ({node.attr})")
        elif node.attr in _CLOCKS:
            yield CodeRefused(file=shown, line=node.lineno, problem=f"ask for the time ({node.attr})")


def load_code(pack: Pack, name: str) -> Callable[..., Any]:
    """The function `module:function` of a pack's code folder. Raises PackFault. Loaded once per process and folder."""
    module_name, _, function_name = name.partition(":")
    module = _module(pack, module_name)
    function = getattr(module, function_name, None)
    if not callable(function):
        raise FileMissing(
            file=f"code/{module_name}.py", name=f"the function {function_name}",
            advice=f"Define {function_name} in code/{module_name}.py or mend the name in derive.yml.",
        )  # fmt: skip
    checked: Callable[..., Any] = function
    return checked


def _module(pack: Pack, name: str) -> ModuleType:
    folder = Path(pack.folder) / "code"
    path = folder / f"{name}.py"
    if not pack.folder or not path.is_file():
        raise FileMissing(
            file=f"code/{name}.py",
            name="the module",
            advice="Write it, or mend the name in derive.yml (module:function).",
        )
    # The folder is part of the name: two checkouts, or a test's copy of a pack, never share a module.
    package_name = f"zhiwan_pack_{pack.id.replace('.', '_')}_{abs(hash(str(folder.resolve())))}"
    full_name = f"{package_name}.{name}"
    if full_name in sys.modules:
        return sys.modules[full_name]
    for module in sorted(folder.glob("*.py")):
        for fault in inspect_code(module.read_text("utf-8"), f"code/{module.name}"):
            raise fault
    if package_name not in sys.modules:
        package = ModuleType(package_name)
        package.__path__ = [str(folder)]
        sys.modules[package_name] = package
    spec = importlib.util.spec_from_file_location(full_name, path)
    if spec is None or spec.loader is None:
        raise FileMissing(file=f"code/{name}.py", name="a readable module", advice="Check the file's permissions.")
    module_object = importlib.util.module_from_spec(spec)
    sys.modules[full_name] = module_object
    try:
        spec.loader.exec_module(module_object)
    except Exception as error:
        del sys.modules[full_name]
        raise CodeRefused(file=f"code/{name}.py", line=1, problem=f"fail when it is imported ({error})") from error
    return module_object
