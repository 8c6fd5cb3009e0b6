"""Workers as processes, killed at random moments: nothing finished is done again, nothing acknowledged is lost."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.services.coordinating import create_campaign, open_stage, request_training
from db import jobs
from db.domain.campaign import RoundState
from db.domain.case import CaseClass, View
from db.domain.provenance import JobKind, JobState, MaskOrigin, Role
from db.domain.specs import find_spec, override
from db.models import (
    Account,
    Campaign,
    Candidate,
    CaseRow,
    Checkpoint,
    Comparison,
    Job,
    MaskRow,
    Progress,
    Round,
)
from db.record import Record
from db.settings import Settings

pytestmark = pytest.mark.slow

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What does not depend on the database is tested on one."""

N_PARTS = 12

WORKER = """
import json, os, sys, time
from pathlib import Path
from db import jobs
from db.artifacts import write_atomically
from db.domain.provenance import JobKind
from db.record import Record
from db.settings import Settings

home, url, name, max_takeovers = sys.argv[1:]
journal = os.open(Path(home, "journal"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def note(*what):
    os.write(journal, (json.dumps([time.monotonic(), os.getpid(), *what]) + "\\n").encode())

def handle(context):
    for part in range(context.arguments["n_parts"]):
        result = Path(home, "results", f"{context.job_id}-{part}")
        if result.exists():
            continue
        note("begin", context.job_id, part)
        time.sleep(0.1)
        write_atomically(result, b"")
        note("end", context.job_id, part)
        context.report("parts", part + 1, context.arguments["n_parts"])

note("ready")
jobs.MAX_TAKEOVERS = int(max_takeovers)
handlers = {JobKind.EXPORT: handle, JobKind.BENCHMARK: handle}
jobs.Worker(Record.open(Settings(home=home, db=url)), handlers, name=name).run()
"""


@dataclass
class Workshop:
    """A record, and worker processes by name."""

    record: Record
    script: Path
    processes: dict[str, subprocess.Popen[bytes]]
    max_takeovers: int = jobs.MAX_TAKEOVERS

    def start(self, name: str) -> None:
        home, url = self.record.settings.home, self.record.settings.db
        argv = [sys.executable, str(self.script), str(home), url, name, str(self.max_takeovers)]
        self.processes[name] = subprocess.Popen(argv)

    def kill(self, name: str) -> float:
        """Kill -9; when."""
        self.processes[name].kill()
        self.processes[name].wait()
        return time.monotonic()

    def journal(self) -> list[list[Any]]:
        path = self.record.settings.home / "journal"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def enqueue(self, kind: JobKind, campaign_id: int, n_parts: int = N_PARTS) -> int:
        with self.record.database.write() as session:
            return jobs.enqueue(session, kind=kind, campaign_id=campaign_id, arguments={"n_parts": n_parts}).id


@pytest.fixture
def workshop(tmp_path: Path, database_url: str) -> Iterator[Workshop]:
    record = Record.open(Settings(home=tmp_path, db=database_url))
    with record.database.write() as session:
        session.add_all(Campaign(id=i, name=f"c{i}", definition_json="{}") for i in range(1, 7))
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    shop = Workshop(record, script, {})
    yield shop
    for process in shop.processes.values():
        process.kill()
        process.wait()
    record.database.dispose()


def wait_until(holds: Callable[[], object], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.02)


def states(record: Record) -> list[JobState]:
    with record.database.read() as session:
        return list(session.scalars(select(Job.state).order_by(Job.id)))


def outcomes(record: Record) -> list[tuple[JobState, str]]:
    """State and error of each job."""
    with record.database.read() as session:
        return [(state, error) for state, error in session.execute(select(Job.state, Job.error).order_by(Job.id))]


def test_two_workers_killed_at_ten_random_moments_finish_everything_once(workshop):
    rng = random.Random(int(os.environ.get("OVERREAD_SEED", "1")))  # noqa: S311 - moments, no secrets
    n_kills, names = 10, ("a", "b")
    workshop.max_takeovers = n_kills  # a job that begins between two kills did not cause them
    for name in names:
        workshop.start(name)
    for campaign_id in range(1, 7):
        workshop.enqueue(JobKind.EXPORT, campaign_id)
    workshop.enqueue(JobKind.BENCHMARK, 1)
    killed_at = {}
    wait_until(lambda: any(entry[2] == "begin" for entry in workshop.journal()))
    for _ in range(n_kills):
        time.sleep(rng.uniform(0.0, 1.5))
        name = rng.choice(names)
        killed_at[workshop.processes[name].pid] = workshop.kill(name)
        workshop.start(name)
    wait_until(lambda: all(not state.is_active for state in states(workshop.record)), 120)

    assert outcomes(workshop.record) == [(JobState.DONE, "")] * 7
    finished: set[tuple[int, int]] = set()
    working: dict[tuple[int, int], int] = {}
    for moment, pid, what, *numbers in workshop.journal():
        part = tuple(numbers)
        if what == "begin":
            assert part not in finished, f"{part} was done again"
            other = working.get(part)
            assert other in {None, pid} or killed_at[other] <= moment, f"{part} was done by two at once"
            working[part] = pid
        elif what == "end":
            finished.add(part)
    kept = {path.name for path in (workshop.record.settings.home / "results").iterdir()}
    results = {name for name in kept if not name.startswith(".new-")}
    assert results == {f"{job}-{part}" for job in range(1, 8) for part in range(N_PARTS)}
    assert len(kept - results) <= 10, "a kill leaves at most one unfinished file behind"
    assert len(finished) >= 7 * N_PARTS - 10, "a kill costs at most one line of the journal"


def test_a_dead_workers_job_is_taken_over_within_seconds(workshop):
    workshop.start("a")
    job_id = workshop.enqueue(JobKind.EXPORT, 1, n_parts=200)
    wait_until(lambda: len(workshop.journal()) > 3)
    workshop.start("b")
    wait_until(lambda: sum(entry[2] == "ready" for entry in workshop.journal()) == 2)
    time.sleep(4)  # until it is at work
    first, second = workshop.processes["a"].pid, workshop.processes["b"].pid
    assert {entry[1] for entry in workshop.journal() if entry[2] == "begin"} == {first}, "a living worker keeps its job"
    died = workshop.kill("a")
    wait_until(lambda: any(entry[1] == second and entry[2] == "begin" for entry in workshop.journal()))
    taken = next(entry[0] for entry in workshop.journal() if entry[1] == second and entry[2] == "begin")
    assert taken - died < 5
    jobs.cancel(workshop.record.database, job_id)


@on_sqlite
def test_an_export_does_not_wait_behind_training_but_a_second_training_does(workshop):
    long, second = (workshop.enqueue(JobKind.BENCHMARK, i, n_parts=1000) for i in (1, 2))
    short = workshop.enqueue(JobKind.EXPORT, 1, n_parts=1)
    workshop.start("a")
    wait_until(lambda: states(workshop.record)[short - 1] is JobState.DONE)
    time.sleep(1)
    assert states(workshop.record) == [JobState.RUNNING, JobState.QUEUED, JobState.DONE]
    jobs.cancel(workshop.record.database, long)
    wait_until(lambda: states(workshop.record)[second - 1] is JobState.RUNNING)


@on_sqlite
def test_a_worker_that_is_asked_to_end_gives_its_job_back_without_counting_it(workshop):
    workshop.enqueue(JobKind.EXPORT, 1, n_parts=300)
    workshop.start("a")
    wait_until(lambda: len(workshop.journal()) > 3)
    workshop.processes["a"].send_signal(signal.SIGTERM)
    assert workshop.processes["a"].wait(15) == 0
    assert states(workshop.record) == [JobState.QUEUED]
    workshop.start("a")
    n_before = len(workshop.journal())
    wait_until(lambda: len(workshop.journal()) > n_before + 3)
    with workshop.record.database.read() as session:
        job = session.scalars(select(Job)).one()
        assert (job.state, job.n_takeovers) == (JobState.RUNNING, 0)


@on_sqlite
def test_a_job_that_kills_its_worker_is_ended_after_a_few(workshop):
    workshop.script.write_text(WORKER.replace('note("begin"', 'time.sleep(0.2); os.kill(os.getpid(), 9); note("begin"'))
    workshop.enqueue(JobKind.EXPORT, 1)
    n_starts = 0
    while states(workshop.record) != [JobState.FAILED]:
        workshop.start("a")
        n_starts += 1
        wait_until(lambda: workshop.processes["a"].poll() is not None or states(workshop.record) == [JobState.FAILED])
        assert n_starts <= jobs.MAX_TAKEOVERS + 2
    assert n_starts == jobs.MAX_TAKEOVERS + 2
    with workshop.record.database.read() as session:
        assert "died while they ran this job" in session.scalars(select(Job)).one().error


@pytest.fixture
def campaign(tmp_path: Path) -> Iterator[Record]:
    """A campaign of 12 films with drawings, its first round waiting to be trained, tiny in every way."""
    record = Record.open(Settings(home=tmp_path))
    rng = np.random.default_rng(0)
    definition = override(find_spec("smoke"), {"n_folds": "3", "epochs": "6", "steps_per_epoch": "20"})
    stage = replace(definition.stages[0], networks=definition.stages[0].networks[:2])
    with record.database.write() as session:
        campaign = create_campaign(session, "pilot", replace(definition, stages=(stage,)))
        reader = Account(code="r1", role=Role.READER, fs_uniquifier="r1")
        session.add(reader)
        session.flush()
        for i in range(12):
            case = CaseRow(
                key=f"c{i:02}",
                patient=f"p{i:02}",
                component=f"c{i:02}",
                case_class=CaseClass.INFECTION,
                view=View.PA,
                source="noise",
                licence="CC0",
                width_px=32,
                height_px=32,
                film_digest=record.store.put_film(rng.integers(0, 255, (32, 32), np.uint8)),
                fingerprint=b"",
            )
            digest = record.store.put_mask(rng.random((32, 32)) > 0.5)
            session.add(case)
            session.flush()
            session.add(
                MaskRow(
                    campaign_id=campaign.id,
                    case_id=case.id,
                    origin=MaskOrigin.DRAWING,
                    digest=digest,
                    account_id=reader.id,
                )
            )
        session.flush()
        open_stage(session, "pilot/I")
    request_training(record, "pilot/I")
    yield record
    record.database.dispose()


@contextmanager
def overread_worker(record: Record, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, "OVERREAD_HOME": str(record.settings.home)}
    process = subprocess.Popen([sys.executable, "-m", "pipelines.cli", "worker", *arguments], env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def finished_folds(record: Record) -> dict[str, int]:
    """When each trained fold was finished, by its KEY."""
    return {path.parent.name: path.stat().st_mtime_ns for path in record.settings.runs_folder.glob("*/done")}


def has_finished(record: Record, n_folds: int) -> bool:
    return len(finished_folds(record)) >= n_folds


def checkpoints(record: Record) -> dict[int, tuple[str, int | None, str]]:
    with record.database.read() as session:
        return {row.id: (row.network, row.fold, row.key) for row in session.scalars(select(Checkpoint))}


@pytest.mark.keras
def test_training_killed_three_times_ends_with_every_fold_trained_once(campaign):
    folds: dict[str, int] = {}
    rows: dict[int, tuple[str, int | None, str]] = {}
    rng = random.Random(int(os.environ.get("OVERREAD_SEED", "1")))  # noqa: S311
    for n_folds in (0, 1, 3):
        with overread_worker(campaign) as process:
            wait_until(partial(has_finished, campaign, n_folds), 90)
            wait_until(lambda: any(campaign.settings.runs_folder.glob("*/epoch.safetensors")), 90)
            time.sleep(rng.uniform(0, 1))
            process.kill()
            process.wait()
        assert finished_folds(campaign).items() >= folds.items(), "a finished fold was trained again"
        assert checkpoints(campaign).items() >= rows.items(), "a recorded fold was lost or recorded again"
        folds, rows = finished_folds(campaign), checkpoints(campaign)
    with overread_worker(campaign, "--exit-when-idle") as process:
        assert process.wait(120) == 0
    assert finished_folds(campaign).items() >= folds.items()
    assert checkpoints(campaign).items() >= rows.items()
    final = list(checkpoints(campaign).values())
    assert len(final) == 6
    assert len({(network, fold) for network, fold, _ in final}) == 6
    assert {key for _, _, key in final} == finished_folds(campaign).keys()
    with campaign.database.read() as session:
        assert session.scalars(select(Round)).one().state is RoundState.READING
        assert session.scalars(select(Job)).one().state is JobState.DONE
        assert len(session.scalars(select(Comparison)).all()) == 12
        assert len(session.scalars(select(Candidate)).all()) == 12 * 3
        parts = {row.part: (row.n_done, row.n_total) for row in session.scalars(select(Progress))}
    assert parts.pop("films") == (12, 12)
    assert set(parts.values()) == {(18, 18)}


@pytest.mark.keras
def test_cancelling_a_training_kills_its_child(campaign):
    with overread_worker(campaign) as process:
        wait_until(lambda: any(campaign.settings.runs_folder.glob("*/epoch.safetensors")), 90)
        children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, check=True).stdout.split()
        assert len(children) == 1
        jobs.cancel(campaign.database, 1)
        wait_until(lambda: not Path(f"/proc/{int(children[0])}").exists(), 5)
    with campaign.database.read() as session:
        assert session.scalars(select(Job)).one().state is JobState.CANCELLED
        assert session.scalars(select(Candidate)).all() == []
