"""code/*.py: imports only the door, short, and has every function that derive.yml names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from zhiwan.kernel.packs.broken import FileMissing, PackFault
from zhiwan.kernel.packs.code import inspect_code
from zhiwan.kernel.proof.subject import Subject, spot


def code(subject: Subject) -> Iterator[PackFault]:
    """Read, never run: a pack that is checked may not be trusted yet."""
    folder = Path(subject.pack.folder) / "code"
    functions: dict[str, set[str]] = {}
    for module in sorted(folder.glob("*.py")):
        source = module.read_text("utf-8", errors="replace")
        found = list(inspect_code(source, f"code/{module.name}"))
        yield from found
        try:
            tree = ast.parse(source)
        except SyntaxError:  # told by inspect_code
            continue
        functions[module.stem] = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for number, step in enumerate(subject.pack.derives):
        module_name, _, function = step.code.partition(":")
        if (folder / f"{module_name}.py").is_file() and module_name not in functions:
            continue  # unreadable, told already
        if function not in functions.get(module_name, set()):
            yield subject.fault(
                FileMissing, spot("derive.yml", number, step.id).into("code"), name=f"the function {step.code}",
                advice=f"Define {function} in code/{module_name}.py, or mend the name (module:function).",
            )  # fmt: skip
