"""The stream worker (`zhiwan worker`): from stored messages to latest values, alarms and the lake.

    bus ──pull──▶ intake ──▶ judge ──▶ one PostgreSQL transaction ──▶ acknowledge ──▶ hint
                                                │ outbox
                                                ▼
                                               lake

pipeline.py the way of one batch · outbox.py what the lake still has to get · lake_follower.py gives it to the lake ·
store.py PostgreSQL · brain.py what decides, from packs and registry · rounds.py what the clock asks for ·
running.py the process: lock, restart after failure, end.
"""

from zhiwan.run.worker.running import main

__all__ = ["main"]
