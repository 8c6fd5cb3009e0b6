"""The supervisor, with small scripts in place of the verbs."""

import signal
import subprocess
import sys
import time

import pytest

from pipelines import supervising
from pipelines.supervising import supervise


@pytest.fixture(autouse=True)
def _scripts(monkeypatch):
    """A "verb" is a Python script here; restarts are quick, and signal handlers are put back."""
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda argv, **more: real([sys.executable, "-u", "-c", *argv[4:]], **more))
    monkeypatch.setattr(supervising, "MAX_BACK_OFF_S", 0.1)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_output_carries_the_name_of_its_process_and_all_ending_well_is_the_end(capfd):
    assert supervise({"web": ["print('served')"], "worker": ["print('worked')"]}) == 0
    time.sleep(0.2)
    assert sorted(capfd.readouterr().out.splitlines()) == ["web | served", "worker | worked"]


def test_a_process_that_dies_is_started_again(tmp_path):
    starts = tmp_path / "starts"
    script = f"import os, sys; open({str(starts)!r}, 'a').write('x'); sys.exit(os.path.getsize({str(starts)!r}) < 3)"
    assert supervise({"worker": [script]}) == 0
    assert starts.read_text() == "xxx"


def test_one_that_never_starts_ends_the_others_and_gives_its_status():
    began = time.monotonic()
    assert supervise({"web": ["import time; time.sleep(60)"], "worker": ["import sys; sys.exit(5)"]}) == 5
    assert time.monotonic() - began < 20


SUPERVISOR = """
import subprocess, sys
from pipelines import supervising
real = subprocess.Popen
subprocess.Popen = lambda argv, **more: real([sys.executable, "-u", "-c", *argv[4:]], **more)
supervising.STOP_S = float(sys.argv[2])
sys.exit(supervising.supervise({"worker": [sys.argv[1]]}))
"""


def supervised(script, *, stop_s):
    """Exit status of a supervisor in a process of its own: `script` signals it, and no signal reaches the tests."""
    return subprocess.call([sys.executable, "-c", SUPERVISOR, script, str(stop_s)], timeout=60)


def test_a_signal_ends_all_in_good_order(tmp_path, monkeypatch):
    monkeypatch.undo()
    ended = tmp_path / "ended"
    script = (
        "import os, signal, sys, time\n"
        f"signal.signal(signal.SIGTERM, lambda *_: (open({str(ended)!r}, 'w').close(), sys.exit()))\n"
        "os.kill(os.getppid(), signal.SIGTERM)\n"  # to the supervisor, which is listening since before it started this
        "time.sleep(60)"
    )
    assert supervised(script, stop_s=20) == 0
    assert ended.exists()


def test_one_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.undo()
    script = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "time.sleep(60)"
    )
    began = time.monotonic()
    supervised(script, stop_s=0.3)
    assert time.monotonic() - began < 15
