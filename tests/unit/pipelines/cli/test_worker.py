from pkgutil import resolve_name

import pytest
from click.testing import CliRunner

from db import jobs
from db.domain.errors import ExternalError, StateError
from db.domain.provenance import JobKind, JobState
from db.liveness import worker_lock
from db.models import Campaign, Job, Progress
from db.record import Record
from db.settings import Settings
from pipelines.cli import worker


@pytest.fixture
def record(tmp_path, monkeypatch):
    monkeypatch.setenv("OVERREAD_HOME", str(tmp_path))
    opened = Record.open(Settings())
    with opened.database.write() as session:
        session.add(Campaign(id=1, name="pilot", definition_json="{}"))
    yield opened
    opened.database.dispose()


@pytest.fixture
def job_id(record):
    with record.database.write() as session:
        job = jobs.enqueue(session, kind=JobKind.EXPORT, campaign_id=1)
        session.add(Progress(job_id=job.id, part="films", n_done=3, n_total=9, message="c03"))
        return job.id


def handle_with(monkeypatch, handler) -> None:
    monkeypatch.setattr(worker, "_handlers", lambda: {JobKind.EXPORT: handler})


def state(record, job_id) -> JobState:
    with record.database.read() as session:
        return session.get_one(Job, job_id).state


def test_the_list_shows_each_job_with_its_progress(job_id):
    lines = CliRunner().invoke(worker.command, ["list"]).output.splitlines()
    assert lines == [f"{job_id}: export of pilot, queued.", "    films 3 of 9, c03"]


def test_a_job_is_cancelled_by_its_number(record, job_id):
    result = CliRunner().invoke(worker.command, ["cancel", str(job_id)])
    assert result.output == f"Job {job_id} is cancelled.\n"
    assert state(record, job_id) is JobState.CANCELLED


def test_a_job_is_finished_on_the_spot_where_no_worker_runs(record, job_id, monkeypatch):
    handle_with(monkeypatch, lambda context: context.report("films", 9, 9))
    worker.finish(record, job_id)
    assert state(record, job_id) is JobState.DONE


def test_the_error_of_a_failed_job_is_the_commands_error(record, job_id, monkeypatch):
    def fail(_):
        msg = "The folder is full."
        raise StateError(msg)

    handle_with(monkeypatch, fail)
    with pytest.raises(ExternalError, match="folder is full"):
        worker.finish(record, job_id)


def test_where_a_worker_runs_its_job_is_waited_for(record, job_id, monkeypatch):
    handle_with(monkeypatch, lambda _: pytest.fail("it was done here"))
    monkeypatch.setattr("time.sleep", lambda _: jobs.cancel(record.database, job_id))
    with worker_lock(record, jobs.Worker(record, {}).name), pytest.raises(StateError, match="was cancelled"):
        worker.finish(record, job_id)


def test_every_kind_of_job_has_a_handler_that_exists():
    assert set(worker._handlers()) == set(JobKind)
    for place in worker.HANDLERS.values():
        assert callable(resolve_name(place))
