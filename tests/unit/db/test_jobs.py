import pytest
from sqlalchemy import column, select, table

from db import jobs
from db.domain.errors import InputError, InvariantError, NotFoundError, StateError
from db.domain.provenance import JobKind, JobState
from db.jobs import JobContext, JobStopped, Worker
from db.liveness import worker_lock
from db.models import Campaign, Job
from db.record import Record
from db.settings import Settings

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path, database_url):
    return Settings(home=tmp_path / "home", db=database_url)


@pytest.fixture
def record(settings):
    opened = Record.open(settings)
    with opened.database.write() as session:
        session.add_all(
            [Campaign(id=1, name="pilot", definition_json="{}"), Campaign(id=2, name="b", definition_json="{}")]
        )
    yield opened
    opened.database.dispose()


def enqueue(record, kind=JobKind.EXPORT, campaign_id=1, **arguments) -> int:
    with record.database.write() as session:
        return jobs.enqueue(session, kind=kind, campaign_id=campaign_id, arguments=arguments).id


def job(record, id_) -> Job:
    with record.database.read() as session:
        return session.get_one(Job, id_)


def work(record, handler, kind=JobKind.EXPORT) -> None:
    worker = Worker(record, {kind: handler})
    assert worker.run(worker.is_idle)


def waiting(record) -> list[tuple[str, str]]:
    """What waits in the engine's queues: id and serialization of each workflow."""
    schema = None if record.database.is_sqlite else "dbos"
    workflows = table(
        "workflow_status", column("workflow_uuid"), column("serialization"), column("status"), schema=schema
    )
    query = select(workflows.c.workflow_uuid, workflows.c.serialization).where(workflows.c.status == "ENQUEUED")
    with record.database.read() as session:
        return list(session.execute(query).all())


def test_a_job_exists_and_waits_only_if_the_callers_transaction_commits(record):
    with record.database.write() as session:
        jobs.enqueue(session, kind=JobKind.EXPORT, campaign_id=1)
        session.rollback()
    assert waiting(record) == []
    id_ = enqueue(record)
    assert waiting(record) == [(job(record, id_).workflow_id, "portable_json")]


def test_a_second_job_is_refused_while_the_first_waits_or_runs_but_not_for_another_campaign(record):
    first = enqueue(record)
    enqueue(record, campaign_id=2)
    enqueue(record, JobKind.BENCHMARK)
    with pytest.raises(StateError, match=f"Job {first} .* queued"):
        enqueue(record)
    jobs.cancel(record.database, first)
    assert enqueue(record) > first


def test_a_worker_runs_a_job_with_its_arguments(record):
    seen = []
    id_ = enqueue(record, folder="out")
    work(record, lambda context: seen.append((context.job_id, context.campaign_id, dict(context.arguments))))
    assert seen == [(id_, 1, {"folder": "out"})]
    done = job(record, id_)
    assert (done.state, done.n_takeovers, done.error) == (JobState.DONE, 0, "")
    assert done.started_at
    assert done.finished_at
    assert done.created_at <= done.started_at <= done.finished_at


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (InputError("No film.", hint="Ingest."), "No film. Ingest."),
        (ValueError("x"), "ValueError: x"),
        (InvariantError("Leak."), "Leak."),
    ],
)
def test_a_failing_job_says_why_and_the_next_one_runs(tmp_path, error, message):
    record = Record.open(Settings(home=tmp_path))
    with record.database.write() as session:
        session.add_all([Campaign(id=i, name=str(i), definition_json="{}") for i in (1, 2)])
    failing, next_ = enqueue(record), enqueue(record, campaign_id=2)

    def handle(context: JobContext) -> None:
        if context.campaign_id == 1:
            raise error

    work(record, handle)
    assert (job(record, failing).state, job(record, failing).error) == (JobState.FAILED, message)
    assert job(record, next_).state is JobState.DONE
    record.database.dispose()


@pytest.mark.parametrize("error", [None, InputError("No film."), JobStopped()])
def test_what_a_job_kept_is_gone_once_it_has_ended(tmp_path, error):
    record = Record.open(Settings(home=tmp_path))
    with record.database.write() as session:
        session.add(Campaign(id=1, name="pilot", definition_json="{}"))
    enqueue(record)
    folders = []

    def handle(context: JobContext) -> None:
        context.folder.mkdir(parents=True)
        (context.folder / "films.npz").touch()
        folders.append(context.folder)
        if error is not None:
            if isinstance(error, JobStopped):
                jobs.cancel(record.database, context.job_id)
            raise error

    work(record, handle)
    assert [folder.exists() for folder in folders] == [False]
    record.database.dispose()


def test_a_cancelled_job_is_never_started_and_cannot_be_cancelled_again(record):
    id_ = enqueue(record)
    jobs.cancel(record.database, id_)
    work(record, lambda _: pytest.fail("it was started"))
    assert job(record, id_).state is JobState.CANCELLED
    with pytest.raises(StateError, match="cancelled already"):
        jobs.cancel(record.database, id_)
    with pytest.raises(NotFoundError):
        jobs.cancel(record.database, 99)


def test_a_job_cancelled_while_it_runs_ends_at_its_next_report(record):
    id_ = enqueue(record)
    reached = []

    def handle(context: JobContext) -> None:
        jobs.cancel(record.database, context.job_id)
        while True:
            try:
                context.report("part", 1, 2)
            except JobStopped:
                reached.append("end")
                raise

    work(record, handle)
    assert reached == ["end"]
    assert job(record, id_).state is JobState.CANCELLED


def test_a_second_worker_of_one_name_is_refused(record, monkeypatch):
    monkeypatch.setattr(jobs, "START_S", 0.1)
    with worker_lock(record, "gpu0") as held:
        assert held is not None
        with pytest.raises(StateError, match="gpu0 is running already"):
            Worker(record, {}, name="gpu0").run()
        assert Worker(record, {}, name="gpu0").has_twin()
        assert not Worker(record, {}, name="gpu1").has_twin()


def test_a_job_whose_workers_keep_dying_without_getting_further_is_ended(record):
    id_ = enqueue(record)
    with record.database.write() as session:
        for n_deaths in range(1, jobs.MAX_TAKEOVERS + 2):
            assert session.get_one(Job, id_).state is JobState.QUEUED, n_deaths
            jobs._count_takeover(session.get_one(Job, id_))
    assert job(record, id_).state is JobState.FAILED
    work(record, lambda _: pytest.fail("it was started again"))
    assert "4 workers in a row died" in job(record, id_).error
