"""A pack as it was: from a folder of packs, or from a revision of the git repository it lies in."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zhiwan.kernel.facts.errors import InputRefused


class NoSuchState(InputRefused):
    code = "PACK-060"
    fact = '"{against}" is neither a folder nor a revision of the repository of {folder}'
    detail = "{said}"
    hint = "Name a revision that is there (main, HEAD~1, a commit), or a folder that holds <part>/<pack>."


@contextmanager
def as_it_was(folder: Path, against: str) -> Iterator[Path | None]:
    """The folder of the same pack then; None without `against`. A folder that is not there: the pack is new."""
    if not against:
        yield None
    elif Path(against).is_dir():
        yield Path(against) / folder.parent.name / folder.name
    else:
        with tempfile.TemporaryDirectory() as kept:
            _take_out(folder, against, Path(kept))
            yield Path(kept) / folder.parent.name / folder.name


def _take_out(folder: Path, revision: str, to: Path) -> None:
    """Write the pack of a revision below `to` as <part>/<pack>."""
    commit = _git(folder, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    if commit.returncode:
        said = commit.stderr.decode(errors="replace").strip()
        raise NoSuchState(against=revision, folder=folder, said=said)
    inside = _git(folder, "rev-parse", "--show-prefix").stdout.decode().strip()
    tree = f"{commit.stdout.decode().strip()}:{inside}"
    top = Path(_git(folder, "rev-parse", "--show-toplevel").stdout.decode().strip())
    if _git(top, "cat-file", "-e", tree).returncode:
        return  # the pack was not there yet
    packed = _git(top, "archive", f"--prefix={folder.parent.name}/{folder.name}/", tree)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(to, filter="data")


def _git(folder: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(folder), *words], capture_output=True, check=False)
