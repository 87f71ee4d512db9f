"""Until no file of the embedded database holds what was deleted: deleting marks rows, it does not remove their bytes.

The table is written anew (VACUUM FULL) and the planner's samples of it go, once no reader's snapshot needs the old
rows. The write-ahead log holds them too: segments are not recycled meanwhile (a recycled one keeps its bytes until it
is written over), every segment that was there is left behind, and a checkpoint removes it. What a file system or a disk
keeps of removed files is theirs: put the data folder on an encrypted volume.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.run.backups.making import DatabaseNotHere, admin_url

#: Where personal fields of things are kept.
COLUMNS: tuple[tuple[LiteralString, LiteralString], ...] = (("registry_entity", "fields"),)
#: The planner's samples of a column hold values of it. None are taken since registry/0006; older ones go here.
_FORGET_SAMPLES = """
DELETE FROM pg_catalog.pg_statistic WHERE (starelid, staattnum) =
    (SELECT attrelid, attnum FROM pg_catalog.pg_attribute WHERE attrelid = %s::regclass AND attname = %s)
"""
READERS_SECONDS = 60.0
LOCK = "20s"  # nobody waits longer for the table than for this and the writing of it
_ROUNDS = 5


class NotWiped(PartUnavailable):
    """Deleted, and still in a file."""

    code = "KEEP-001"
    fact = "what was deleted may still be in files of the database"
    detail = "{why}"
    hint = "It is tried again every night; or run: zhiwan nightly"


def wipe(data: Path) -> None:
    """Raises NotWiped, DatabaseNotHere."""
    try:
        with psycopg.connect(admin_url(data), autocommit=True) as connection:
            _await_old_readers(connection)
            connection.execute("SELECT set_config('lock_timeout', %s, false)", [LOCK])
            for table, column in COLUMNS:
                connection.execute(_FORGET_SAMPLES, [table, column])
                connection.execute(f"VACUUM (FULL, ANALYZE) {table}")
            connection.execute("VACUUM (FULL) pg_catalog.pg_statistic")
            _renew_log(connection)
    except psycopg.errors.LockNotAvailable as problem:
        raise NotWiped(why="Somebody held the table all the while.") from problem
    except psycopg.OperationalError as problem:
        raise DatabaseNotHere(data=data, why=str(problem).strip()) from problem


def _await_old_readers(connection: psycopg.Connection[Any]) -> None:
    """Rows are removed only when no snapshot of before can see them."""
    (mark,) = connection.execute("SELECT pg_current_xact_id()::xid::text").fetchone() or ("0",)
    end = time.monotonic() + READERS_SECONDS
    question = """
        SELECT count(*) FROM pg_stat_activity
        WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND age(backend_xmin) > age(%s::text::xid)
    """
    while True:
        (readers,) = connection.execute(question, [mark]).fetchone() or (0,)
        if not readers:
            return
        if time.monotonic() > end:
            raise NotWiped(why=f"{readers} transactions from before are still open.")
        time.sleep(0.2)


def _renew_log(connection: psycopg.Connection[Any]) -> None:
    """Every segment that is there now is gone afterwards."""
    old = _segments(connection)
    connection.execute("ALTER SYSTEM SET wal_recycle = off")
    connection.execute("SELECT pg_reload_conf()")
    try:
        while _current(connection) <= max(old):
            connection.execute("SELECT pg_logical_emit_message(true, 'zhiwan', 'wiped')")
            connection.execute("SELECT pg_switch_wal()")
        for _ in range(_ROUNDS):
            connection.execute("CHECKPOINT")
            if not old & _segments(connection):
                return
            time.sleep(0.5)
        raise NotWiped(why="The database keeps old segments of its log (a replica, or an archive that waits).")
    finally:
        connection.execute("ALTER SYSTEM RESET wal_recycle")
        connection.execute("SELECT pg_reload_conf()")


def _segments(connection: psycopg.Connection[Any]) -> set[str]:
    found = connection.execute("SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'").fetchall()
    return {name for (name,) in found}


def _current(connection: psycopg.Connection[Any]) -> str:
    (name,) = connection.execute("SELECT pg_walfile_name(pg_current_wal_lsn())").fetchone() or ("",)
    return str(name)
