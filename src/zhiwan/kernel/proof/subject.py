"""What the checks look at: one pack with its lines, among all packs, in front of a place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from zhiwan.kernel.packs.broken import PackFault
from zhiwan.kernel.packs.load import Read
from zhiwan.kernel.packs.models import EntityType, Pack, Scale
from zhiwan.kernel.packs.names import global_id
from zhiwan.kernel.packs.packset import NoSuchDeclaration, PackSet
from zhiwan.kernel.packs.replays import Replay
from zhiwan.kernel.packs.strict_yaml import YamlPath

Fault = TypeVar("Fault", bound=PackFault)


@dataclass(frozen=True)
class Spot:
    """A place in a file: where a declaration stands, and how it is called in errors."""

    file: str
    path: YamlPath
    name: str

    def into(self, *steps: str | int) -> Spot:
        """A place below this one; words become part of the name, numbers only of the path."""
        name = ".".join([self.name, *(str(step) for step in steps if isinstance(step, str))])
        return Spot(self.file, (*self.path, *steps), name)


@dataclass(frozen=True)
class Subject:
    """One pack under check. `roles` are those of the place, `rows` those of its plan; None: unknown, not checked."""

    read: Read
    packs: PackSet
    roles: Collection[str] | None = None
    rows: Collection[str] | None = None

    @property
    def pack(self) -> Pack:
        """The pack as the set holds it: with global pointers."""
        return self.packs.pack(self.read.pack.id)

    def fault(self, kind: type[Fault], spot: Spot, /, **values: Any) -> Fault:
        """A fault with the line of its spot."""
        document = self.read.documents.get(spot.file)
        return kind(file=spot.file, line=document.line(spot.path) if document else 0, where=spot.name, **values)

    def replays(self) -> Iterator[tuple[Spot, Replay]]:
        for file, number, replay in self.read.replays:
            yield Spot(file, (number,), f"[{replay.title}]"), replay

    # -- lookups that say None instead of raising -----------------------------------------------------------------

    def type(self, name: str) -> EntityType | None:
        return self.packs.types.get(name)

    def scale(self, name: str) -> Scale | None:
        try:
            return self.packs.scale(self.pack, name)
        except NoSuchDeclaration:
            return None

    def find(self, look_up: Callable[[str], Any], name: str) -> Any:
        """`look_up` of a name as written or already global; None where nobody declares it."""
        try:
            return look_up(global_id(self.pack.id, name, [pack.id for pack in self.packs.packs]))
        except NoSuchDeclaration:
            return None


def listed(names: Collection[str]) -> str:
    """Names for an error text."""
    return ", ".join(sorted(names)) or "none"


def spot(file: str, number: int, id: str, *path: str) -> Spot:
    """The spot of item `number` with an id in a list of a file (below `path`)."""
    return Spot(file, (*path, number), f"{path[-1] if path else file.split('/')[-1].removesuffix('.yml')}[{id}]")
