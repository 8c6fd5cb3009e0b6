"""`overread benchmark` at the command line; the job itself is left to a worker."""

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from annotation_server.services.coordinating import lock_stage
from db import jobs
from db.domain.errors import InputError
from db.models import Job
from pipelines.cli.benchmark import command


@pytest.fixture
def overread_benchmark(campaign, monkeypatch):
    """Enqueues, and does not wait; the arguments of the campaign's benchmarks so far."""
    campaign.open("I").train("I").read("I")
    lock_stage(campaign.record, "pilot/I")
    jobs.prepare(campaign.record.database)
    monkeypatch.setattr("pipelines.cli.benchmark.open_record", lambda: campaign.record)
    monkeypatch.setattr("pipelines.cli.worker.finish", lambda *_: None)

    def run(*arguments):
        CliRunner().invoke(command, ["pilot", *arguments], catch_exceptions=False)

    return run


def enqueued(record):
    with record.database.read() as session:
        return session.scalars(select(Job.arguments).where(Job.kind == "benchmark")).all()


def test_named_networks_are_the_jobs(record, overread_benchmark):
    overread_benchmark("--spec", "smoke", "--set", "epochs=2", "--network", "dla-tiny", "--network", "unet-small")
    expected = {"spec": "smoke", "settings": {"epochs": "2"}, "networks": ["dla-tiny", "unet-small"]}
    assert enqueued(record) == [expected]


@pytest.mark.parametrize("networks", [["unet-huge"], ["dla-tiny", "dla-tiny"]])
def test_networks_that_cannot_be_measured_make_no_job(record, overread_benchmark, networks):
    with pytest.raises(InputError):
        overread_benchmark(*(part for name in networks for part in ("--network", name)))
    assert enqueued(record) == []
