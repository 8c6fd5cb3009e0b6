"""`overread worker`: runs the jobs that wait. Here, and only here, each kind of job gets its handler."""

import os
import socket
import sys
import time
from contextlib import contextmanager
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import click

from pipelines.cli.context import open_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import TaskID

    from db.domain.provenance import JobKind
    from db.jobs import Handler, JobContext
    from db.record import Record

HANDLERS = {
    "train": "pipelines.training:train_round",
    "benchmark": "pipelines.benchmark:run",
    "export": "pipelines.export:run",
    "ingest": "pipelines.registering:run",
}
"""Where each kind of job has its handler: by name, so that a worker loads only what its jobs need."""


@click.group(
    invoke_without_command=True, epilog="Example:\n\n    overread worker --exit-when-idle\n\n    overread worker list"
)
@click.option("--exit-when-idle", is_flag=True, help="End when no job waits any more.")
@click.option("--gpus", metavar="LIST", help="Numbers of the GPUs to use, as 0,1: one worker for each.")
@click.pass_context
def command(context: click.Context, *, exit_when_idle: bool, gpus: str | None) -> None:
    """Run the jobs that wait: training, benchmark, export. Without GPUs a machine has one worker."""
    if context.invoked_subcommand is not None:
        return
    numbers = gpus.split(",") if gpus else []
    if len(numbers) > 1:
        _run_one_for_each(numbers, exit_when_idle=exit_when_idle)
    if numbers:
        os.environ["CUDA_VISIBLE_DEVICES"] = numbers[0]
    from db.jobs import Worker

    name = "-gpu".join([socket.gethostname(), *numbers])
    click.echo(f"Worker {name} takes jobs.")
    worker = Worker(open_record(), _handlers(), name=name)
    worker.run(worker.is_idle if exit_when_idle else None)


@command.command(name="list", epilog="Example:\n\n    overread worker list")
def list_() -> None:
    """List the jobs, the newest first, with their progress."""
    from sqlalchemy import select

    from db.models import Job, Progress

    with open_record().database.read() as session:
        for job in session.scalars(select(Job).order_by(Job.id.desc())):
            target = job.round.stage.address if job.round else job.campaign.name
            click.echo(f"{job.id}: {job.kind} of {target}, {job.state}. {job.error}".rstrip())
            query = select(Progress).where(Progress.job_id == job.id).order_by(Progress.updated_at)
            for part in session.scalars(query):
                click.echo(f"    {part.part} {part.n_done} of {part.n_total}, {part.message}".rstrip(", "))


@command.command(epilog="Example:\n\n    overread worker cancel 3")
@click.argument("job", type=int)
def cancel(job: int) -> None:
    """End job JOB, whether it waits or runs. What it has finished stays and is used by the next."""
    from db.jobs import cancel

    cancel(open_record().database, job)
    click.echo(f"Job {job} is cancelled.")


def finish(record: "Record", job_id: int) -> None:
    """Show a job's progress until it has ended; run it here unless a worker of this machine is there to do it.

    Raises
    ------
    ExternalError
        If the job failed.
    StateError
        If it was cancelled.
    """
    from db.jobs import POLL_S, Worker

    worker = Worker(record, _handlers())
    with shown_progress(record, job_id) as is_ended:
        while not is_ended():
            if worker.has_twin():
                time.sleep(POLL_S)
            elif not worker.run(is_ended):
                raise click.Abort
    check_outcome(record, job_id)


def check_outcome(record: "Record", job_id: int) -> None:
    """Raise what `finish` raises if the job did not end well."""
    from db.domain.errors import ExternalError, StateError
    from db.domain.provenance import JobState
    from db.models import Job

    with record.database.read() as session:
        job = session.get_one(Job, job_id)
    if job.state is JobState.FAILED:
        msg = f"Job {job_id} failed: {job.error}"
        raise ExternalError(msg)
    if job.state is JobState.CANCELLED:
        msg = f"Job {job_id} was cancelled."
        raise StateError(msg)


@contextmanager
def shown_progress(record: "Record", job_id: int) -> "Iterator[Callable[[], bool]]":
    """Bars for the parts of a job; the block gets a function that brings them up to date and says if it has ended."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from sqlalchemy import select

    from db.models import Job
    from db.models import Progress as Part

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[message]}")
    bars: dict[str, TaskID] = {}
    with Progress(*columns) as display:

        def is_ended() -> bool:
            with record.database.read() as session:
                for part in session.scalars(select(Part).where(Part.job_id == job_id)):
                    if part.part not in bars:
                        bars[part.part] = display.add_task(part.part, message="")
                    display.update(bars[part.part], completed=part.n_done, total=part.n_total, message=part.message)
                return not session.get_one(Job, job_id).state.is_active

        yield is_ended


def _run_one_for_each(gpus: list[str], *, exit_when_idle: bool) -> None:
    from pipelines.supervising import supervise

    open_record().database.dispose()  # the schema is brought up to date once, before the workers want to
    flags = ["--exit-when-idle"] if exit_when_idle else []
    sys.exit(supervise({f"gpu{gpu}": ["worker", "--gpus", gpu, *flags] for gpu in gpus}))


def _handlers() -> "dict[JobKind, Handler]":
    from db.domain.provenance import JobKind

    return {JobKind(kind): _lazy(place) for kind, place in HANDLERS.items()}


def _lazy(place: str) -> "Handler":
    def handler(context: "JobContext") -> None:
        resolve_name(place)(context)

    return handler
