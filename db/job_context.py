"""What a handler of jobs is given: the record, its arguments, a place to report to, a way to run a child process."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any, TypedDict, Unpack

from sqlalchemy import update
from sqlalchemy.orm import Session

from db.domain.provenance import JobState
from db.models import Job, Progress
from db.record import Record

REPORT_EVERY_S = 0.5
SILENCE_S = 1800.0
"""A child that says nothing for so long hangs; tracing the largest network takes minutes."""

EXIT_S = 30.0
"""How long a child may live on after it has closed its output."""

NICENESS = 10
"""Children give way to the web server."""

N_LAST_WORDS = 12
"""Lines of a dead child's error output that its job's error quotes."""


class JobStopped(BaseException):
    """The job was cancelled, or its worker is asked to end. No Exception, so that no handler takes it for an error."""


class Details(TypedDict, total=False):
    """What a report may say besides how much is done."""

    loss: float
    films_per_s: float
    eta_s: float
    message: str


@dataclass(frozen=True)
class ChildExit:
    """How a child ended: its exit status (negative: the signal), and the end of its error output."""

    status: int
    last_words: str


@dataclass(eq=False)
class JobContext:
    """One run of one job. A handler may be run again after a crash: it finds finished work by its content."""

    record: Record
    job_id: int
    campaign_id: int
    round_id: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    _stopped: Event = field(default_factory=Event)
    _child: subprocess.Popen[str] | None = None
    _heard_at: float = 0.0
    _reported_at: float = 0.0

    @property
    def folder(self) -> Path:
        """Where the job keeps what it needs while it runs; gone once it has ended."""
        return self.record.settings.job_folder(self.job_id)

    @property
    def log(self) -> Path:
        """Where its children's error output goes."""
        return self.record.settings.job_log(self.job_id)

    def report(self, part: str, n_done: int, n_total: int, **details: Unpack[Details]) -> None:
        """Say how far one part of the job is; about two of them a second are kept, and the last.

        A part never goes back: a run that starts again after a crash shows once it is further than the one before.

        Raises
        ------
        JobStopped
            If the job is to end here; so a handler that reports can be cancelled.
        """
        self.raise_if_stopped()
        if time.monotonic() - self._reported_at < REPORT_EVERY_S and n_done < n_total:
            return
        with self.record.database.write() as session:
            row = session.get(Progress, (self.job_id, part)) or Progress(job_id=self.job_id, part=part, n_done=0)
            if n_done > row.n_done:  # it gets on, so those it outlived were not its fault
                session.execute(update(Job).where(Job.id == self.job_id).values(n_takeovers=0))
            row.n_done, row.n_total = max(n_done, row.n_done), n_total
            for name, value in details.items():
                setattr(row, name, value)
            session.add(row)
        self._reported_at = time.monotonic()

    def running_job(self, session: Session) -> Job:
        """The job's row, locked: what the transaction writes is written only if the job was not cancelled before.

        Raises
        ------
        JobStopped
            If it was.
        """
        job = session.get_one(Job, self.job_id, with_for_update=True, populate_existing=True)
        if job.state is not JobState.RUNNING:
            raise JobStopped
        return job

    def child(
        self, argv: Sequence[str], on_line: Callable[[str], None], *, environment: Mapping[str, str] | None = None
    ) -> ChildExit:
        """Run a process to its end and hand each line of its output to `on_line`; its error output goes to the log.

        Raises
        ------
        JobStopped
            If the job is stopped; the process and all that it started are killed first.
        """
        self.raise_if_stopped()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as errors:
            offset = errors.tell()
            status = self._run_child(argv, on_line, environment, errors.fileno())
        self.raise_if_stopped()
        lines = self.log.read_bytes()[offset:].decode(errors="replace").splitlines()
        return ChildExit(status, "\n".join(lines[-N_LAST_WORDS:]))

    def stop(self) -> None:
        """End the job where it stands; called by its worker, from another thread."""
        self._stopped.set()
        self._kill()

    def kill_if_silent(self) -> None:
        """End a child that hangs, so that it is replaced."""
        if time.monotonic() - self._heard_at > SILENCE_S:
            self._kill()

    def raise_if_stopped(self) -> None:
        """Raise JobStopped if the job is to end."""
        if self._stopped.is_set():
            raise JobStopped

    def _run_child(
        self, argv: Sequence[str], on_line: Callable[[str], None], environment: Mapping[str, str] | None, errors: int
    ) -> int:
        self._heard_at = time.monotonic()
        self._child = process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the worker, and the whole family can be killed at once
        )
        try:
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
            if self._stopped.is_set():  # it came before there was a process to kill
                raise JobStopped
            for line in process.stdout or ():
                self._heard_at = time.monotonic()
                on_line(line)
            return process.wait(EXIT_S)
        finally:
            self._kill()
            process.communicate()
            self._child = None

    def _kill(self) -> None:
        if (process := self._child) is not None and process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
