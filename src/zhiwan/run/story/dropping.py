"""A story leaves no trace: rows of its space, its lake, its readers, its devices. The audit stays: it is one chain.

drop_space(space) -> dict[what, how many]

The order matters: close the space (nobody steps in, its player ends), hold the locks of player and worker, let the
live worker pass over what the devices still sent, then remove.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from pathlib import Path

from django.apps import apps
from django.db import connection, transaction

from zhiwan.city.packs_loaded import lake_folder, the_bus
from zhiwan.city.people.acting import LIVE, acting_system
from zhiwan.city.registry.clock import SpaceUnknown
from zhiwan.city.registry.models import Device, Space
from zhiwan.city.registry.spaces import close
from zhiwan.city.watch.hints import announce
from zhiwan.city.watch.models import Heartbeat
from zhiwan.kernel.bus.messages import STREAMS
from zhiwan.run.story.held import stopped

#: Rows refer to rows of tables before them.
ORDER = (
    "amendments_previewdifference", "amendments_previewday",
    "plans_task", "plans_response", "cases_casestep", "cases_case", "watch_warningreceipt", "watch_warningstep",
    "watch_warning", "watch_releaserequest", "watch_alarmevent", "watch_alarm", "watch_latestvalue", "watch_setaside",
    "watch_doorcounter", "watch_indicatornow", "watch_rulescore", "watch_judgestate", "watch_streamcursor",
    "watch_takenup", "registry_zonemember", "registry_devicecommand", "registry_device",
    "registry_relation", "registry_entity",
)  # fmt: skip
#: The live worker must have read what the story's devices sent before it forgets whose they were.
CATCH_UP = 20.0
#: A page or job of the space may be in the middle of a write when its rows go.
LAST_WRITES = 3.0


def drop_space(space: str) -> dict[str, int]:
    """Remove a space wholly, also one that is played now: its player ends first. Raises SpaceUnknown, StillPlayed."""
    with acting_system("cli"):
        if space == LIVE or not close(space):
            raise SpaceUnknown(space=space)
    with stopped(space):
        with acting_system("cli", space=space):
            Device.objects.update(enabled=False)
        for stream in STREAMS:
            the_bus().drop_reader(stream.name, space)
        _await_live_worker()
        gone = _delete_rows(space)
        if files := _remove_lake(lake_folder(space)):
            gone["lake files"] = files
        # What was on its way when the space was closed (a page, a job) has ended by now, and perhaps left a row.
        with transaction.atomic():
            gone += _delete_rows(space)
            with acting_system("cli"):
                gone["registry_space"] = Space.objects.filter(id=space).delete()[0]
                Heartbeat.objects.filter(process=f"worker:{space}").delete()
    announce([{"kind": "space", "id": space, "town": "", "space": space}])
    # A page's question that was still being answered, on a busy machine, has made its folder anew.
    shutil.rmtree(lake_folder(space), ignore_errors=True)
    return dict(gone)


@transaction.atomic
def _delete_rows(space: str) -> Counter[str]:
    gone: Counter[str] = Counter()
    with acting_system("cli", space=space), connection.cursor() as cursor:
        for table in ORDER:
            # Restricted to this space by row security; said again for whoever reads this.
            cursor.execute(f"DELETE FROM {table} WHERE space = %s", [space])  # noqa: S608 - a constant's name
            gone[table] += cursor.rowcount
        # Jobs that it asked for; one that is being done finds the space closed and leaves its row to the queue.
        cursor.execute("DELETE FROM procrastinate_jobs WHERE args->>'space' = %s AND status <> 'doing'", [space])
        gone["procrastinate_jobs"] += cursor.rowcount
    return +gone


def _remove_lake(folder: Path) -> int:
    """Remove the space's lake; how many files it held. Again while a process that is just ending makes it anew."""
    files = 0
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < LAST_WRITES:
        if folder.exists():
            files += sum(1 for one in folder.rglob("*") if one.is_file())
            shutil.rmtree(folder, ignore_errors=True)
            quiet_since = time.monotonic()
        time.sleep(0.2)
    return files


def tables_with_space() -> set[str]:
    """Every table of ours that has a space: a new one that ORDER forgets fails a test."""
    return {
        model._meta.db_table
        for model in apps.get_models()
        if any(one.name == "space" for one in model._meta.local_fields) and model._meta.label != "people.AuditRecord"
    }


def _await_live_worker() -> None:
    """Until the live worker has read all that is stored by now, at most CATCH_UP seconds (it may not run at all)."""
    bus = the_bus()
    end = time.monotonic() + CATCH_UP
    for stream in STREAMS:
        last = bus.last_stored(stream.name)
        while not bus.has_read(stream.name, last) and time.monotonic() < end:
            time.sleep(0.1)
