"""The whole job, with real parts all along it: what `make demo` does, with few films and few steps."""

import os
import re
import socket
import subprocess
import sys

import pytest
from sqlalchemy import func, select

from annotation_server.services.coordinating import stage_status
from db.domain.campaign import RoundState, StageState
from db.domain.provenance import JobKind, JobState
from db.models import Comparison, FinalMask, Job, Prediction, Verdict
from db.record import Record
from db.repository.cases import find_stage
from db.repository.lineage import ancestors, certify, find_final
from db.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def overread(home, *arguments):
    environment = os.environ | {"OVERREAD_HOME": str(home), "COLUMNS": "200"}
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    home = tmp_path_factory.mktemp("demo")
    printed = overread(home, "demo", "--small", "--exit", "--home", str(home), "--port", str(free_port()))
    return home, printed


@pytest.fixture
def record(demo):
    record = Record.open(Settings(home=demo[0]))
    yield record
    record.database.dispose()


def test_address_and_accounts_are_printed(demo):
    assert re.search(r"Overread runs at http://127\.0\.0\.1:\d+", demo[1])
    assert re.search(r"sign in as coordinator\s+password \S+", demo[1])
    assert re.search(r"sign in as md\s+password \S+", demo[1])


def test_two_stages_are_closed_and_a_third_is_left_to_the_visitor(record):
    with record.database.read() as session:
        found = {name: stage_status(session, find_stage(session, f"demo/{name}")) for name in ("I", "II", "III")}
    assert [status.state for status in found.values()] == [StageState.CLOSED, StageState.CLOSED, StageState.OPEN]
    assert found["III"].round_state is RoundState.READING
    assert found["III"].n_comparisons == found["III"].n_cases > 0
    assert found["III"].n_decided == 0


def test_every_comparison_that_was_read_has_one_verdict_and_every_final_mask_a_certificate(record):
    with record.database.read() as session:
        n_decided = session.scalar(select(func.count()).where(Comparison.decided_at.is_not(None)))
        assert n_decided == session.scalar(select(func.count()).select_from(Verdict)) == 30
        finals = session.scalars(select(FinalMask.mask_id)).all()
        assert len(finals) == 30
        assert len(certify(session, finals)) == 30


def test_a_mask_of_stage_two_leads_back_to_drawings(record):
    with record.database.read() as session:
        query = select(FinalMask).where(FinalMask.round_id == 2, FinalMask.mask.has(origin="network"))
        final = session.scalars(query.limit(1)).first() or session.scalars(select(FinalMask)).first()
        found = ancestors(session, find_final(session, "demo", final.case.key).mask_id)
    assert found[0].case == final.case.key
    assert all(one.simulated for one in found if one.origin == "drawing")


def test_the_benchmark_predicted_every_final_and_normal_film_with_each_network(record):
    with record.database.read() as session:
        job = session.scalars(select(Job).where(Job.kind == JobKind.BENCHMARK)).one()
        assert job.state is JobState.DONE
        assert session.scalar(select(func.count()).select_from(Prediction)) == 2 * (30 + 10)


def test_the_report_is_one_file_without_script_that_says_what_is_simulated(demo):
    html = (demo[0] / "reports" / "demo.html").read_text()
    assert "<script" not in html
    assert "simulated" in html.lower()
    assert not re.search(r'(src|href)="https?://', html)


def test_masks_can_be_exported_and_new_films_predicted(demo, tmp_path):
    home, _ = demo
    overread(home, "export", "demo", str(tmp_path / "out"))
    assert len(list((tmp_path / "out" / "masks").glob("*.png"))) == 40
    overread(home, "predict", str(tmp_path / "out" / "films"), "--campaign", "demo", "--output", str(tmp_path / "new"))
    assert len(list((tmp_path / "new" / "masks").glob("*.png"))) == 40
    assert (tmp_path / "new" / "grades.csv").read_text().count("\n") == 41


def test_the_doctor_finds_nothing(demo):
    assert "certificates of final masks: well" in overread(demo[0], "doctor")


def test_running_it_again_goes_on_where_it_stopped(demo, record):
    home, _ = demo
    with record.database.read() as session:
        before = session.scalar(select(func.count()).select_from(Job))
    overread(home, "demo", "--small", "--exit", "--home", str(home), "--port", str(free_port()))
    with record.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == before
