"""Ports: are they free, and who holds them if not. Reads /proc; another user's process stays nameless."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from zhiwan.kernel.facts.errors import InputRefused

_LISTEN = "0A"


class PortBusy(InputRefused):
    code = "UP-003"
    fact = "port {port} ({what}) is in use"
    detail = "{holder}."
    hint = "Stop it, or choose another port: bin/up {option} {suggestion}"


@dataclass(frozen=True)
class Wanted:
    port: int
    what: str
    option: str
    span: int = 1  # how many ports in a row the option takes: the live stream sits next to the web port


def require_free(wanted: list[Wanted]) -> None:
    """Raises PortBusy for the first port that somebody else listens on."""
    for want in wanted:
        for port in range(want.port, want.port + want.span):
            if not is_free(port):
                raise PortBusy(
                    port=port,
                    what=want.what,
                    holder=describe_holder(port),
                    option=want.option,
                    suggestion=_next_free(want.port, want.span),
                )


def is_free(port: int) -> bool:
    """True when a server could listen there now (a closed connection that lingers does not count)."""
    if not 0 < port < 65536:
        return False
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def describe_holder(port: int) -> str:
    """`Process 123 (nginx -g daemon off) listens there`, or as much of it as this user may know."""
    if port < 1024 and os.getuid() != 0:
        return "Ports below 1024 are only for root"
    inodes = _listening_inodes(port)
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for link in (folder / "fd").iterdir():
                if os.readlink(link) in inodes:
                    command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                    return f"Process {folder.name} ({command[:80]}) listens there"
    return "A process of another user listens there" if inodes else "Something of this machine listens there"


def _listening_inodes(port: int) -> set[str]:
    """`socket:[inode]` of every socket that listens on the port, IPv4 and IPv6."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                columns = line.split()
                if columns[3] == _LISTEN and int(columns[1].rsplit(":", 1)[1], 16) == port:
                    found.add(f"socket:[{columns[9]}]")
    return found


def _next_free(port: int, span: int) -> int:
    for candidate in range(port + 10, min(port + 2000, 65000), 10):
        if all(is_free(candidate + step) for step in range(span)):
            return candidate
    return port + 10
