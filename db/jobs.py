"""Durable jobs on DBOS, which keeps its queues in the database of the record. Nothing else imports it.

The row of a job says all about it; the engine carries its number from whoever enqueues it to one worker, whatever
dies on the way. A handler is run again after a crash and finds what is finished by its content.
"""

import logging
import shutil
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event
from typing import Any

from dbos import DBOS, DBOSClient, WorkflowSerializationFormat
from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import Session

from db import audit
from db.domain.audit import AuditAction
from db.domain.errors import InvariantError, NotFoundError, OverreadError, StateError
from db.domain.provenance import JobKind, JobState
from db.job_context import ChildExit, JobContext, JobStopped
from db.liveness import Check, worker_lock
from db.models import Campaign, Job, now
from db.record import Record
from db.session import Database

__all__ = ["ChildExit", "Handler", "JobContext", "JobStopped", "Worker", "cancel", "enqueue", "prepare"]

APPLICATION = "overread"
WORKFLOW = "run_job"

PROTOCOL_VERSION = "2"
"""Raise it when older workers could not run newer jobs. By default it follows the source, and any edit strands jobs."""

QUEUES = {JobKind.TRAIN: "training", JobKind.BENCHMARK: "training", JobKind.EXPORT: "light", JobKind.INGEST: "light"}
"""Each worker takes one job at a time from each queue, so that an export does not wait for hours of training."""

MAX_TAKEOVERS = 3
"""A job whose workers die more often than this, without getting further in between, is what kills them."""

POLL_S = 0.5
START_S = 5.0
"""How long a worker waits for one of its name to be gone before it refuses to start."""

STOP_S = 10

Handler = Callable[[JobContext], None]

_log = logging.getLogger(__name__)


def prepare(database: Database) -> None:
    """Make or update the engine's own tables."""
    logging.getLogger("dbos").setLevel(logging.WARNING)
    DBOS.migrate(database.url)


def enqueue(
    session: Session,
    *,
    kind: JobKind,
    campaign_id: int,
    round_id: int | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> Job:
    """Add a job in the caller's transaction: it exists, and will be run, if and only if that commits.

    Raises
    ------
    StateError
        If a job of that kind waits or runs for the round, or for the campaign where there is no round.
    """
    session.get_one(Campaign, campaign_id, with_for_update=True)  # one at a time, so that two cannot both be first
    _refuse_second(session, kind, campaign_id, round_id)
    job = Job(
        kind=kind,
        workflow_id=str(uuid.uuid4()),
        campaign_id=campaign_id,
        round_id=round_id,
        arguments=dict(arguments or {}),
    )
    session.add(job)
    session.flush()
    client = DBOSClient(system_database_engine=session.get_bind().engine, application_name=APPLICATION, lazy=True)
    client.enqueue_in_transaction(
        session,
        {
            "workflow_name": WORKFLOW,
            "queue_name": QUEUES[kind],
            "workflow_id": job.workflow_id,
            "app_version": PROTOCOL_VERSION,
            "serialization_type": WorkflowSerializationFormat.PORTABLE,  # JSON; the default is pickle
        },
        job.id,
    )
    return job


def cancel(database: Database, job_id: int, *, actor: str = audit.SYSTEM) -> None:
    """End a job that waits or runs; its worker notices within a second and kills its child process.

    Raises
    ------
    NotFoundError
        If there is no such job.
    StateError
        If it has ended already.
    """
    with database.write() as session:
        job = session.get(Job, job_id, with_for_update=True)
        if job is None:
            msg = f"There is no job {job_id}."
            raise NotFoundError(msg, hint="List them with `overread worker list`.")
        if not job.state.is_active:
            msg = f"Job {job_id} is {job.state} already."
            raise StateError(msg)
        job.state, job.finished_at = JobState.CANCELLED, now()
        audit.log(session, actor, AuditAction.JOB_CANCELLED, job.campaign.name, job=job.id, kind=job.kind)


class Worker:
    """Runs jobs until it is told to end. `name` is unique among the workers of a database."""

    def __init__(self, record: Record, handlers: Mapping[JobKind, Handler], *, name: str | None = None) -> None:
        self.name = name or socket.gethostname()
        self._record = record
        self._database = record.database
        self._handlers = handlers
        self._running: dict[int, JobContext] = {}
        self._stopping = Event()

    def run(self, until: Callable[[], bool] | None = None) -> bool:
        """Take jobs, those of dead workers included, until a signal comes (False) or `until` says so (True).

        Raises
        ------
        StateError
            If a worker of this name is alive.
        """
        with self._alive() as check_lock, _client(self._database) as client, _on_signal(self._stopping.set):
            for queue in sorted(set(QUEUES.values())):
                client.register_queue(queue, worker_concurrency=1, polling_interval_sec=POLL_S)
            self._resume(client, self.name)
            self._launch()
            try:
                while not self._stopping.wait(POLL_S):
                    if until is not None and until():
                        return True
                    check_lock()
                    self._take_over(client)
                    self._stop_unwanted()
                return False
            finally:
                self._stop()

    def is_idle(self) -> bool:
        """Whether no job waits, and none runs here."""
        with self._database.read() as session:
            return not self._running and not session.scalar(select(exists().where(Job.state == JobState.QUEUED)))

    def has_twin(self) -> bool:
        """Whether another process is the worker of this name."""
        with worker_lock(self._record, self.name) as check:
            return check is None

    @contextmanager
    def _alive(self) -> Iterator[Check]:
        """Hold the worker's lock, once a process of its name that is just ending has ended."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            with worker_lock(self._record, self.name) as check:
                if check is not None:
                    yield check
                    return
            time.sleep(POLL_S)
        msg = f"A worker called {self.name} is running already."
        raise StateError(msg, hint="Stop it first, or give this one a GPU of its own with `--gpus`.")

    def _launch(self) -> None:
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self._database.url,
                "application_version": PROTOCOL_VERSION,
                "executor_id": self.name,
                "log_level": "WARNING",
            }
        )

        @DBOS.workflow(name=WORKFLOW)
        def run_job(job_id: int) -> None:
            self._run_job(job_id)

        DBOS.launch()

    def _take_over(self, client: DBOSClient) -> None:
        """Put the jobs of dead workers back on their queues.

        Only under the dead one's lock: else, of two workers that both see it dead, the second would resume what the
        first is running by then.
        """
        pending = client.list_workflows(status="PENDING", load_input=False, load_output=False)
        for worker in {str(workflow.executor_id) for workflow in pending} - {self.name}:
            with worker_lock(self._record, worker) as is_dead:
                if is_dead:
                    self._resume(client, worker)

    def _resume(self, client: DBOSClient, worker: str) -> None:
        for workflow in client.list_workflows(
            status="PENDING", executor_id=worker, load_input=False, load_output=False
        ):
            with self._database.write() as session:
                job = session.scalar(select(Job).where(Job.workflow_id == workflow.workflow_id))
                if job is not None and job.state is JobState.RUNNING:
                    _count_takeover(job)
            client.resume_workflow(workflow.workflow_id, queue_name=workflow.queue_name)

    def _run_job(self, job_id: int) -> None:
        with self._database.read() as session:
            job = session.get_one(Job, job_id)
            context = JobContext(self._record, job_id, job.campaign_id, job.round_id, job.arguments)
            handler = self._handlers[job.kind]
        self._running[job_id] = context  # before the look at the signal, so that one of the two sees the other
        try:
            if self._stopping.is_set():
                raise JobStopped
            begun = func.coalesce(Job.started_at, now())
            if self._move(job_id, JobState.QUEUED, JobState.RUNNING, started_at=begun):  # not if it was cancelled
                self._handle(context, handler)
        finally:
            del self._running[job_id]

    def _handle(self, context: JobContext, handler: Handler) -> None:
        try:
            handler(context)
        except JobStopped:
            if self._stopping.is_set():
                self._move(context.job_id, JobState.RUNNING, JobState.QUEUED)
                raise  # so that the engine holds it for pending, and the next worker takes it up
        except Exception as error:  # noqa: BLE001 - whatever it is, the job failed and the worker goes on
            if not isinstance(error, OverreadError) or isinstance(error, InvariantError):
                _log.exception("Job %d failed.", context.job_id)
            message = str(error) if isinstance(error, OverreadError) else f"{type(error).__name__}: {error}"
            self._move(context.job_id, JobState.RUNNING, JobState.FAILED, error=message, finished_at=now())
        else:
            self._move(context.job_id, JobState.RUNNING, JobState.DONE, finished_at=now())
        shutil.rmtree(context.folder, ignore_errors=True)  # the job has ended: nobody takes it up again

    def _move(self, job_id: int, before: JobState, after: JobState, **values: object) -> bool:
        """Take a job from one state to another; whether it was in the first."""
        with self._database.write() as session:
            change = update(Job).where(Job.id == job_id, Job.state == before).values(state=after, **values)
            return session.scalar(change.returning(Job.id)) is not None

    def _stop_unwanted(self) -> None:
        contexts = dict(self._running)
        query = select(Job.id).where(Job.id.in_(contexts), Job.state == JobState.CANCELLED)
        with self._database.read() as session:
            cancelled = session.scalars(query).all()
        for job_id in cancelled:
            contexts[job_id].stop()
        for context in contexts.values():
            context.kill_if_silent()

    def _stop(self) -> None:
        self._stopping.set()
        for context in list(self._running.values()):
            context.stop()
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=STOP_S)


def _refuse_second(session: Session, kind: JobKind, campaign_id: int, round_id: int | None) -> None:
    query = select(Job).where(Job.kind == kind, Job.campaign_id == campaign_id, Job.round_id == round_id)
    if (job := session.scalar(query.where(Job.state.in_(JobState.active())))) is not None:
        msg = f"Job {job.id} ({kind}) is {job.state} for this already."
        raise StateError(msg, hint=f"Wait for it, or end it with `overread worker cancel {job.id}`.")


def _count_takeover(job: Job) -> None:
    """Let a dead worker's job wait again, or end it if it has outlived too many."""
    job.n_takeovers += 1
    job.state = JobState.QUEUED
    if job.n_takeovers > MAX_TAKEOVERS:
        job.state, job.finished_at = JobState.FAILED, now()
        job.error = f"{job.n_takeovers} workers in a row died while they ran this job, and it did not get further."


@contextmanager
def _client(database: Database) -> Iterator[DBOSClient]:
    client = DBOSClient(system_database_url=database.url, application_name=APPLICATION)
    try:
        yield client
    finally:
        client.destroy()


@contextmanager
def _on_signal(react: Callable[[], None]) -> Iterator[None]:
    """Let SIGTERM and SIGINT call `react` while the block runs."""
    before = {number: signal.signal(number, lambda *_: react()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
