"""Start a server as a direct child that cannot outlive us, and keep its folder to one owner.

Three promises that `subprocess` alone does not give: the child gets a signal from the kernel when its parent dies
(also by kill -9), the folder is locked for as long as the *child* lives, and a server that refuses to be root runs as
another user. The death signal belongs to the starting *thread*: start servers from the main thread.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import pwd
import signal
import stat
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from zhiwan.kernel.facts.errors import PartUnavailable

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522
LARGEST_LOG = 20_000_000

_libc = ctypes.CDLL(None, use_errno=True)


class FolderInUse(PartUnavailable):
    """Another running Zhiwan holds the data folder."""

    code = "RUN-001"
    fact = "the data folder {folder} is in use"
    detail = "Another Zhiwan (process {holder}) keeps its {part} there."
    hint = "Stop that one, or choose another folder with --data DIR."


class ServerDidNotStart(PartUnavailable):
    """An embedded server ended, or did not answer in time, while starting."""

    code = "RUN-002"
    fact = "{part} did not start"
    detail = "Its last words: {words}"
    hint = "Read the log {log}."


@dataclass(frozen=True)
class User:
    """The account a child runs as; `searching` when it must pass folders that are closed to it."""

    uid: int
    gid: int
    searching: bool = False


def ourselves() -> User:
    """The account we run as."""
    return User(os.geteuid(), os.getegid())


def unprivileged_user(folder: Path, *needed: Path) -> User:
    """Who runs a server that refuses to be root.

    An ordinary user is that user. Root gives the work to the owner of an existing `folder`, else to the system's
    `postgres` or `nobody`. When a checkout or data folder lies below one that is closed to others (such as /root), the
    child also gets the right to pass closed folders, instead of us loosening permissions that we do not own.
    """
    if os.geteuid() != 0:
        return ourselves()
    owner = folder.stat() if folder.exists() else None
    if owner is not None and owner.st_uid != 0:
        uid, gid = owner.st_uid, owner.st_gid
    else:
        account = _account("postgres") or _account("nobody")
        if account is None:
            raise ServerDidNotStart(part=folder.name, words="no account `postgres` or `nobody` to run it as", log="-")
        uid, gid = account.pw_uid, account.pw_gid
    open_to_all = all(_others_may_pass(path) for path in (folder.parent, *needed))
    return User(uid, gid, searching=not open_to_all)


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _others_may_pass(path: Path) -> bool:
    resolved = path.resolve()
    return all(part.stat().st_mode & stat.S_IXOTH for part in (resolved, *resolved.parents) if part.exists())


def own_folder(path: Path, user: User) -> Path:
    """Make `path` a folder that only `user` may open."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(path, user.uid, user.gid)
    return path


def lock_folder(folder: Path, part: str, wait_seconds: float = 15.0) -> IO[str]:
    """An exclusive lock on a part's folder. The child inherits it, so it lasts until the *server* is gone.

    Waits a little: after a killed parent its server needs a moment to shut down.
    """
    file = open(folder / f"{part}.lock", "a+", encoding="utf-8")  # noqa: SIM115 - lives as long as the server
    end = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                file.close()
                raise FolderInUse(folder=folder, part=part, holder=holder) from None
            time.sleep(0.1)
        else:
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            return file


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    user: User,
    death_signal: signal.Signals,
    keep: IO[str] | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start `command` as our direct child: own session, output to `log`, `death_signal` when we die."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LARGEST_LOG:
        log.replace(log.with_suffix(".old.log"))
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            # Its own session: Ctrl-C at the terminal reaches us, and we stop our children in order.
            start_new_session=True,
            pass_fds=(keep.fileno(),) if keep else (),
            preexec_fn=become(user, death_signal),
            env=environment or {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        )


def become(user: User, death_signal: signal.Signals) -> Callable[[], None]:
    """What a child does between fork and exec. Order matters: changing the user clears the death signal."""
    parent = os.getpid()

    def prepare() -> None:
        if os.geteuid() == 0 and user.uid != 0:
            if user.searching:
                _libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
            os.setgroups([])
            os.setgid(user.gid)
            os.setuid(user.uid)
            if user.searching:
                _keep_search_right()
        os.umask(0o077)
        _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the signal was set
            os._exit(1)

    return prepare


class _CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapData(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def _keep_search_right() -> None:
    """Keep one capability across setuid and exec: to pass closed folders (a container may have only override)."""
    header = _CapHeader(CAPABILITY_VERSION_3, 0)
    data = (_CapData * 2)()
    _libc.capget(ctypes.byref(header), data)
    held = data[0].permitted
    right = CAP_DAC_READ_SEARCH if held & (1 << CAP_DAC_READ_SEARCH) else CAP_DAC_OVERRIDE
    data[0].effective = data[0].permitted = data[0].inheritable = held & (1 << right)
    data[1].effective = data[1].permitted = data[1].inheritable = 0
    _libc.capset(ctypes.byref(header), data)
    _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, right, 0, 0)


def stop(child: subprocess.Popen[bytes], *signals: tuple[signal.Signals, float]) -> None:
    """Ask a child to end, each signal with its patience in seconds; the last resort is SIGKILL."""
    for number, patience in signals:
        if child.poll() is not None:
            return
        child.send_signal(number)
        try:
            child.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue
    child.kill()
    child.wait()


def last_words(log: Path, size: int = 800) -> str:
    """The end of a server's log, for an error message."""
    if not log.exists():
        return "(none)"
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        return file.read().decode("utf-8", "replace").strip() or "(none)"
