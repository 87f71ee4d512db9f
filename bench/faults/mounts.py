"""File systems of limited size under the folders that fill up: a file with ext4 on a loop device, mounted as root.

Where mounting is not allowed `try_mounting` says why, and the rows that need it are marked "not run".
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

SIZES_MB = {"lake": 256, "nats": 384, "postgres": 1024}
BALLAST = "ballast"


def _run(*words: str | Path) -> None:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{words[0]}: {done.stderr.strip() or done.returncode}")


@contextlib.contextmanager
def limited(data: Path, images: Path) -> Iterator[str | None]:
    """Mounts a limited file system on each folder of `data`; gives None, or why it cannot be done."""
    mounted: list[Path] = []
    why: str | None = None
    try:
        for name, size in SIZES_MB.items():
            folder, image = data / name, images / f"{name}.img"
            folder.mkdir(parents=True, exist_ok=True)
            with image.open("wb") as file:
                file.truncate(size << 20)
            _run("mkfs.ext4", "-q", "-m", "0", image)  # -m 0: nothing kept back for root
            _run("mount", "-o", "loop", image, folder)
            mounted.append(folder)
            (folder / "lost+found").rmdir()
    except OSError as problem:
        why = f"no size-limited file system could be mounted: {problem}"
    try:
        yield why
    finally:
        for folder in mounted:
            with contextlib.suppress(OSError):
                _run("umount", "--lazy", folder)


def fill(folder: Path) -> int:
    """Takes all that is left of the file system below `folder`; the bytes it took."""
    taken = 0
    with (folder / BALLAST).open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            block = b"\xff" * size
            with contextlib.suppress(OSError):
                while True:
                    taken += file.write(block)
    return taken


def empty(folder: Path) -> None:
    """Gives it back."""
    (folder / BALLAST).unlink(missing_ok=True)


def free(folder: Path) -> int:
    """Bytes that anybody may still write."""
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize
