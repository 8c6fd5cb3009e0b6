import subprocess
import sys
import threading
import time

import pytest
from sqlalchemy import select

from db import job_context
from db.domain.provenance import JobKind, JobState
from db.job_context import JobContext, JobStopped
from db.models import Campaign, Job, Progress


@pytest.fixture
def context(record):
    with record.database.write() as session:
        session.add(Campaign(id=1, name="pilot", definition_json="{}"))
        session.flush()
        session.add(
            Job(id=7, kind=JobKind.TRAIN, workflow_id="w", campaign_id=1, state=JobState.RUNNING, n_takeovers=2)
        )
    return JobContext(record, 7, 1)


def progress(context) -> tuple[int, int, str, float | None]:
    with context.record.database.read() as session:
        row = session.scalars(select(Progress)).one()
        return row.n_done, row.n_total, row.message, row.loss


def n_takeovers(context) -> int:
    with context.record.database.read() as session:
        return session.get_one(Job, 7).n_takeovers


def test_reports_come_at_most_twice_a_second_but_the_last_always(context):
    context.report("a", 1, 10, message="one", loss=0.5)
    context.report("a", 2, 10, message="two")
    assert progress(context) == (1, 10, "one", 0.5)
    context.report("a", 10, 10, message="ten")
    assert progress(context) == (10, 10, "ten", 0.5)


def test_progress_never_goes_back_and_only_getting_further_forgives_takeovers(context, monkeypatch):
    monkeypatch.setattr(job_context, "REPORT_EVERY_S", 0)
    context.report("a", 5, 10)
    assert n_takeovers(context) == 0
    with context.record.database.write() as session:
        session.get_one(Job, 7).n_takeovers = 3
    for n_done in (0, 3, 5):
        context.report("a", n_done, 10)
        assert (progress(context)[0], n_takeovers(context)) == (5, 3)
    context.report("a", 6, 10)
    assert n_takeovers(context) == 0


def test_a_child_hands_over_its_lines_its_status_and_its_last_words(context):
    lines: list[str] = []
    code = "import sys; print('one'); print('two'); [print(i, file=sys.stderr) for i in range(40)]; sys.exit(3)"
    ended = context.child([sys.executable, "-c", code], lines.append)
    assert lines == ["one\n", "two\n"]
    assert (ended.status, ended.last_words.splitlines()) == (3, [str(i) for i in range(28, 40)])
    assert context.log.read_text().startswith("0\n1\n")
    again = context.child([sys.executable, "-c", "import sys; sys.exit('alas')"], lines.append)
    assert again.last_words == "alas"


def test_stopping_a_job_kills_its_child_and_what_that_started(context):
    script = "import subprocess, sys; p = subprocess.Popen(['sleep', '60']); print(p.pid, flush=True); p.wait()"
    pids = []

    def on_line(line: str) -> None:
        pids.append(int(line))
        threading.Timer(0.1, context.stop).start()

    began = time.monotonic()
    with pytest.raises(JobStopped):
        context.child([sys.executable, "-c", script], on_line)
    assert time.monotonic() - began < 5
    for _ in range(20):
        if not is_alive(pids[0]):
            break
        time.sleep(0.05)
    assert not is_alive(pids[0])
    with pytest.raises(JobStopped):
        context.child([sys.executable, "-c", ""], on_line)
    with pytest.raises(JobStopped):
        context.report("a", 1, 1)


def test_an_error_while_reading_a_line_leaves_no_child_behind(context):
    pids = []

    def on_line(line: str) -> None:
        pids.append(int(line))
        raise ValueError(line)

    with pytest.raises(ValueError, match=r"\d+"):
        context.child([sys.executable, "-c", "import os,time; print(os.getpid(), flush=True); time.sleep(60)"], on_line)
    assert not is_alive(pids[0])


def test_a_silent_child_is_killed_and_a_talking_one_is_not(context, monkeypatch):
    watch = threading.Timer(0.5, context.kill_if_silent)
    watch.start()
    assert context.child([sys.executable, "-c", "import time; time.sleep(1)"], print).status == 0
    monkeypatch.setattr(job_context, "SILENCE_S", 0.1)
    threading.Timer(0.5, context.kill_if_silent).start()
    assert context.child([sys.executable, "-c", "import time; time.sleep(60)"], print).status == -9


def test_a_transaction_of_a_cancelled_job_writes_nothing(context):
    with context.record.database.write() as session:
        assert context.running_job(session).id == 7
        session.get_one(Job, 7).state = JobState.CANCELLED

    def write() -> None:
        with context.record.database.write() as session:
            session.add(Progress(job_id=7, part="late"))
            context.running_job(session)

    with pytest.raises(JobStopped):
        write()
    with context.record.database.read() as session:
        assert session.scalars(select(Progress)).all() == []


def is_alive(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip() not in {"", "Z"}
