"""The two HTTP processes: `web` (Django under WSGI) and `live` (the SSE stream under ASGI), both served by granian.

They listen on loopback, or on the LAN address with TLS (`up --lan`, certificates.py); a reverse proxy with TLS stands
in front of anything public (docs/start.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from granian import Granian
from granian.constants import HTTPModes, Interfaces

from zhiwan.run.lifeline import die_with_parent

_THREADS = 8  # per worker: pages wait for PostgreSQL more than for Python


def make_wsgi() -> Callable[..., Any]:
    """Called in each worker process of `web`."""
    die_with_parent()  # granian's workers are grandchildren of `zhiwan up`: the signal has to travel on
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "zhiwan.city.settings")
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


def make_asgi() -> Any:
    """Called in the one worker process of `live`."""
    die_with_parent()
    from zhiwan.run.live import app

    return app


def serve(
    kind: Literal["web", "live"],
    *,
    host: str,
    port: int,
    workers: int = 1,
    tls: tuple[Path, Path] | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT; `tls` = certificate and key (PEM, PKCS 8)."""
    web = kind == "web"
    Granian(
        "zhiwan.run.serve:make_wsgi" if web else "zhiwan.run.serve:make_asgi",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI if web else Interfaces.ASGI,
        http=HTTPModes.http1,
        workers=workers,
        blocking_threads=_THREADS if web else None,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
        websockets=False,
        log_access=False,
        ssl_cert=tls[0] if tls else None,
        ssl_key=tls[1] if tls else None,
    ).serve()
