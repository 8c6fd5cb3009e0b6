"""Child processes that train: started, listened to, replaced when they die."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from db.domain.errors import ExternalError, InputError, InvariantError, OverreadError, StateError
from db.job_context import ChildExit, JobContext
from ml_backend.task import TrainingTask

MAX_DEATHS = 3
"""How often the child of one network is replaced."""

CHILD = (sys.executable, "-m", "ml_backend.training")

Line = dict[str, Any]
"""An event of `ml_backend.training`."""

_KNOWN_ERRORS = {kind.code: kind for kind in (InputError, StateError, InvariantError)}
"""What a child reports of its own accord; another child would only say it again."""


def run_children(
    context: JobContext, network: str, next_task: Callable[[], TrainingTask | None], on_line: Callable[[Line], None]
) -> None:
    """Run the task that `next_task` gives, and after a child's death what it gives then, until one ends well.

    `next_task` leaves out what is finished already, and gives None where nothing remains.

    Raises
    ------
    InputError, StateError, InvariantError
        What the child says is wrong.
    ExternalError
        If children die again and again; the job's log has their last words.
    JobStopped
        If the job was cancelled.
    """
    for _ in range(1 + MAX_DEATHS):
        if (task := next_task()) is None:
            return
        task.save(path := context.folder / f"{network}.json")
        ended = _run_child(context, path, on_line)
        if ended.status == 0:
            return
    msg = f"Training of {network} died {1 + MAX_DEATHS} times, the last with status {ended.status}:\n"
    raise ExternalError(msg + ended.last_words, hint=f"More is in {context.log}.")


def _run_child(context: JobContext, task: Path, on_line: Callable[[Line], None]) -> ChildExit:
    errors: list[OverreadError] = []

    def listen(text: str) -> None:
        if not text.startswith("{"):  # a library's chatter
            return
        line: Line = json.loads(text)
        if line["event"] == "error" and line["code"] in _KNOWN_ERRORS:
            errors.append(_KNOWN_ERRORS[line["code"]](line["message"], hint=line["hint"]))
        on_line(line)

    ended = context.child([*CHILD, str(task)], listen, environment=_environment())
    if ended.status != 0 and errors:
        raise errors[0]
    return ended


def _environment() -> dict[str, str]:
    """The child's environment: quiet, and with no more threads than this process may use cores."""
    n_cores = str(len(os.sched_getaffinity(0)))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), n_cores)
    return {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", **threads, **os.environ}
