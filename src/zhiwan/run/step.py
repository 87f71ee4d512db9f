"""One command of ours that runs to its end before the processes start, with its progress told."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable

from zhiwan.kernel.facts.errors import PartUnavailable
from zhiwan.run.embedded import child as embedded
from zhiwan.run.folder import DataFolder


class StepFailed(PartUnavailable):
    code = "UP-005"
    fact = "the step `zhiwan {step}` failed (exit code {exit_code})"
    detail = "Its last words:\n{words}"
    hint = "The whole log is {log}."


def run_step(arguments: list[str], environment: dict[str, str], folder: DataFolder, say: Callable[[str], None]) -> str:
    """Runs `zhiwan <arguments>` to its end and gives the JSON it prints; other lines are progress, told at once.

    What it says on standard error goes to the log prepare.log.
    """
    log = folder.log("prepare")
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "zhiwan.run.cli", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
            preexec_fn=embedded.become(embedded.ourselves(), signal.SIGKILL),
        )
    answer = ""
    try:
        for line in process.stdout or ():
            if line.startswith("{"):
                answer = line.rstrip()
            else:
                say(line.rstrip())
        process.wait()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode != 0:
        raise StepFailed(step=arguments[0], exit_code=process.returncode, words=embedded.last_words(log), log=log)
    return answer
