"""Results that grow over hours: kept in a hidden folder beside the output, which then appears whole.

Layout of `.OUTPUT.unfinished`::

    asked.json      what the results are of: only the same question goes on where they stopped
    kept.jsonl      a line for each finished part, written after its files
    result/         the files so far; it becomes OUTPUT
    lock            held by the one process that works here
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from db.domain.errors import StateError
from pipelines.publishing import check_target

Line = Mapping[str, Any]
"""Plain values of JSON."""


class Unfinished:
    """The results so far. Made by `unfinished`."""

    def __init__(self, box: Path) -> None:
        self.result = box / "result"
        self._journal = box / "kept.jsonl"

    def kept(self) -> list[dict[str, Any]]:
        """What `keep` was given, in this process and those before it; a line torn by a crash is left out."""
        lines = []
        for line in self._journal.read_text().splitlines() if self._journal.exists() else ():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        return lines

    def keep(self, lines: Sequence[Line]) -> None:
        """Note finished parts, through a power cut; their files lie in `result` already."""
        if not lines:
            return
        with self._journal.open("a") as file:
            file.writelines(f"\n{json.dumps(line)}\n" for line in lines)  # the first \n ends a line torn by a crash
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def unfinished(output: Path, asked: Line) -> Iterator[Unfinished]:
    """The results of `asked` so far; they become the folder `output` when the block ends without an error.

    Ended by an error or killed, they stay, and the next call that asks the same goes on with them. Where there are
    none, nothing stays.

    Raises
    ------
    InputError
        If `output` holds something already, or is a file.
    StateError
        If the results beside `output` are of something else, or another process works on them.
    """
    check_target(output)
    output = output.resolve()
    box = output.with_name(f".{output.name}.unfinished")
    box.mkdir(parents=True, exist_ok=True)
    with (box / "lock").open("w") as lock:
        _take(lock.fileno(), output)
        _check_question(box, output, asked)
        so_far = Unfinished(box)
        so_far.result.mkdir(exist_ok=True)
        try:
            yield so_far
        except BaseException:
            if not so_far.kept():
                shutil.rmtree(box)
            raise
        if output.exists():
            output.rmdir()
        so_far.result.rename(output)
        shutil.rmtree(box)


def _take(lock: int, output: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process
    except BlockingIOError:
        msg = f"Another process is working on {output}."
        raise StateError(msg, hint="Wait for it, or name another folder.") from None


def _check_question(box: Path, output: Path, asked: Line) -> None:
    path = box / "asked.json"
    try:
        before = json.loads(path.read_text())
    except (OSError, ValueError):  # killed before it was written: nothing else is there yet
        path.write_text(json.dumps(asked, indent=1))
        return
    if before != json.loads(json.dumps(asked)):
        different = ", ".join(
            sorted(name for name in before.keys() | asked.keys() if before.get(name) != asked.get(name))
        )
        msg = f"{box} holds unfinished results for {output.name}, but of something else: {different}."
        raise StateError(msg, hint="Repeat the command that began them, remove that folder, or name another output.")
