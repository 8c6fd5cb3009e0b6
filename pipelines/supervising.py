"""A few verbs of `overread` as child processes that are kept alive and end together."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Event, Thread

import click

POLL_S = 0.2
STOP_S = 20.0
"""How long a process may take to end when it is asked to."""

STEADY_S = 10.0
"""A process that lived so long had started well."""

MAX_BACK_OFF_S = 30.0
MAX_FALSE_STARTS = 3


@dataclass(eq=False)
class _Part:
    """One supervised process and its history."""

    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    n_false_starts: int = 0
    status: int | None = None

    def start(self) -> None:
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-m", "pipelines.cli", *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for the supervisor, which passes it on
        )
        Thread(target=self._echo, args=[self.process], daemon=True).start()

    def watch(self) -> None:
        """Start the process when it is due; take note of its end."""
        if self.process is None:
            if time.monotonic() >= self.start_at:
                self.start()
        elif (status := self.process.poll()) is not None:
            self.process = None
            self._plan_restart(status)

    def ask_to_end(self) -> None:
        if self.process is not None:
            self.process.terminate()

    def end(self, deadline: float) -> None:
        """Wait until the process has ended; past the deadline, make it."""
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _plan_restart(self, status: int) -> None:
        steady = time.monotonic() - self.started_at >= STEADY_S
        self.n_false_starts = 0 if steady else self.n_false_starts + 1
        if status == 0 or self.n_false_starts >= MAX_FALSE_STARTS:
            self.status = status
            return
        back_off_s = min(MAX_BACK_OFF_S, 2.0**self.n_false_starts - 0.5)
        self.start_at = time.monotonic() + back_off_s
        click.echo(f"{self.name} | ended with status {status}; it starts again in {back_off_s:g} s", err=True)

    def _echo(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            click.echo(f"{self.name} | {line.rstrip()}")


def supervise(verbs: Mapping[str, Sequence[str]]) -> int:
    """Run each of `verbs`, name -> arguments of `overread`, until a signal comes; the exit status.

    A process that dies is started again, later and later if it cannot start at all; one that ends well has done its
    work. When the last has, or one has failed to start three times in a row, the others are ended too.
    """
    parts = [_Part(name, arguments) for name, arguments in verbs.items()]
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while not stopping.wait(POLL_S):
        for part in parts:
            if part.status is None:
                part.watch()
        statuses = [part.status for part in parts]
        if any(statuses) or None not in statuses:
            break
    for part in parts:
        part.ask_to_end()
    deadline = time.monotonic() + STOP_S
    for part in parts:
        part.end(deadline)
    return max(abs(part.status or 0) for part in parts)
