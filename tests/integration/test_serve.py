"""The web server as a process, killed in the middle of its work: what it acknowledged is on the disk."""

import base64
import json
import os
import random
import re
import resource
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import pytest
from sqlalchemy import select, text

from annotation_server.services.reading import ReadingService
from db.accounts import hash_password
from db.domain.verdict import Decision, VerdictKind
from db.models import Account, Comparison, Draft, Verdict
from db.record import Record
from db.settings import Settings

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
HASH = hash_password(PASSWORD)
CODES = [f"r{i}" for i in range(8)]
MANY = (pytest.mark.torture, pytest.mark.timeout(3600))
"""The full counts of a gate."""

KEY = "k" * 40


@pytest.fixture
def serve(tmp_path):
    """Start `overread serve` on the record in `tmp_path`; the process and its address."""
    Record.open(Settings(home=tmp_path)).database.dispose()  # with the migrations' own table, which `build_room` lacks
    processes: list[subprocess.Popen[str]] = []

    def start(*, file_bytes=None):
        """With `file_bytes` no file of the process grows beyond that: its disk is full."""

        def limit():
            if file_bytes is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))

        environment = os.environ | {"OVERREAD_HOME": str(tmp_path), "OVERREAD_SECRET_KEY": KEY}
        command = [sys.executable, "-m", "pipelines.cli", "serve", "--port", "0"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, preexec_fn=limit)  # noqa: PLW1509 - no threads run here yet
        processes.append(process)
        assert process.stdout
        return process, re.findall(r"http://\S+", process.stdout.readline())[0]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


class Reader:
    """A reader's browser."""

    def __init__(self, address, code):
        self.address = address
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        form = {"identity": code, "password": PASSWORD, "csrf_token": self.csrf("/login")}
        self.ask("POST", "/login", urlencode(form).encode())
        self.headers = {"X-CSRFToken": self.csrf("/"), "Content-Type": "application/json"}

    def csrf(self, path):
        return re.findall(r'csrf-token" content="([^"]+)', self.ask("GET", path).decode())[0]

    def ask(self, method, path, data=None, headers=()):
        request = urllib.request.Request(self.address + path, data, dict(headers), method=method)  # noqa: S310 - ours
        with self.opener.open(request, timeout=30) as answer:
            return answer.read()

    def next(self):
        return json.loads(self.ask("POST", "/api/stages/pilot/I/next", b"", self.headers))["comparison"]

    def draft(self, token):
        return json.loads(self.ask("GET", f"/api/comparisons/{token}/draft"))["draft"]

    def keep_draft(self, token, stroke, revision):
        """Send a drawing of which the first bits are the number of the stroke."""
        bits = zlib.compress(stroke.to_bytes(4) + bytes(371))
        fields = {"revision": revision, "slot": None, "started_from": None, "bits": base64.b64encode(bits).decode()}
        body = json.dumps(fields).encode()
        return json.loads(self.ask("PUT", f"/api/comparisons/{token}/draft", body, self.headers))["revision"]

    def decide(self, token, slot):
        body = json.dumps({"kind": "pick", "slot": slot}).encode()
        headers = self.headers | {"Idempotency-Key": f"key-{slot:05}"}
        return json.loads(self.ask("PUT", f"/api/comparisons/{token}/verdict", body, headers))["revision"]


class Session:
    """Eight readers who read through the restarts of a server, and what it acknowledged to them."""

    def __init__(self, record):
        self.record = record
        self.acknowledged: dict[str, int] = {}
        self.pending: dict[str, str] = {}
        with record.database.write() as session:
            for account in session.scalars(select(Account)):
                account.password = HASH

    def read(self, address, begin=lambda: None):
        """Everybody signs in, then `begin`; everybody reads until nothing is left or the server fails."""
        readers = {code: Reader(address, code) for code in CODES}
        begin()
        with ThreadPoolExecutor(len(readers)) as threads:
            list(threads.map(self._read, readers.items()))

    def _read(self, who):
        code, reader = who
        try:
            if code in self.pending:  # the browser sends again what was never answered
                token = self.pending[code]
                self.acknowledged[token] = reader.decide(token, 0)
                del self.pending[code]
            while comparison := reader.next():
                token = self.pending[code] = comparison["token"]
                self.acknowledged[token] = reader.decide(token, 0)
                del self.pending[code]
        except (OSError, HTTPException):
            return

    def check(self):
        """What was acknowledged is stored once, and nothing else but what waits to be sent again."""
        assert set(self.acknowledged.values()) == {1}
        with self.record.database.read() as session:
            stored = session.scalars(select(Comparison.token).join(Verdict)).all()
            assert session.scalar(text("PRAGMA integrity_check")) == "ok"
        assert len(stored) == len(set(stored))
        assert set(self.acknowledged) <= set(stored) <= set(self.acknowledged) | set(self.pending.values())


@pytest.mark.parametrize(("n_kills", "n_cases"), [(3, 400), pytest.param(60, 12_000, marks=MANY)])
def test_no_acknowledged_verdict_is_lost_or_doubled_by_a_kill(serve, build_room, n_kills, n_cases):
    session = Session(build_room(n_cases=n_cases, readers=CODES))
    for _ in range(n_kills):
        process, address = serve()
        killer = threading.Timer(random.uniform(0.2, 2.0), process.kill)  # noqa: S311 - no secret
        session.read(address, killer.start)
        killer.join()
    session.check()
    assert len(session.acknowledged) > 10
    print(f"kill -9: {n_kills} times, {len(session.acknowledged)} verdicts acknowledged, 0 lost, 0 doubled")


@pytest.mark.parametrize(("n_times", "n_cases"), [(1, 150), pytest.param(20, 2000, marks=MANY)])
def test_a_disk_that_fills_up_costs_no_acknowledged_verdict(serve, build_room, n_times, n_cases):
    session = Session(build_room(n_cases=n_cases, readers=CODES))
    for _ in range(n_times):
        with session.record.database.engine.connect() as connection:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))  # so that the journal is what meets the limit
        process, address = serve(file_bytes=random.randint(400_000, 800_000))  # noqa: S311 - no secret
        with suppress(OSError):  # full before everybody had signed in, which is logged
            session.read(address)
        assert len(session.acknowledged) < n_cases, "the disk was never full"
        process.kill()
        process.wait()
        session.check()
    _, address = serve()
    session.read(address)
    session.check()
    print(f"full disk: {n_times} times, {len(session.acknowledged)} verdicts acknowledged, 0 lost, 0 doubled")


ONE_VERDICT = """
import os, signal, sys
from pathlib import Path
from annotation_server.services.reading import ReadingService
from db.domain.verdict import Decision, VerdictKind
from db.record import Record
from db.settings import Settings

record = Record.open(Settings(home=Path(sys.argv[1])))
dialect, left = record.database.engine.dialect, [int(sys.argv[3])]
commit = dialect.do_commit

def die_at_the_last(when):
    if sys.argv[2] == when and left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def do_commit(connection):
    left[0] -= 1
    die_at_the_last("before")
    commit(connection)
    die_at_the_last("after")

dialect.do_commit = do_commit
room = ReadingService(record)
view = room.next_comparison(1, 1)
print(view.token, flush=True)
room.decide(1, view.token, Decision(VerdictKind.NO_INFECTION), idempotency_key="key", drawing=None)
print("acknowledged", flush=True)
"""


def test_a_kill_at_every_commit_leaves_one_verdict_when_it_is_sent_again(build_room, tmp_path):
    Record.open(Settings(home=tmp_path)).database.dispose()
    record = build_room(n_cases=8)
    room = ReadingService(record)
    ends = []
    for n_commits in (1, 2, 3):
        for when in ("before", "after"):
            command = [sys.executable, "-c", ONE_VERDICT, str(tmp_path), when, str(n_commits)]
            ended = subprocess.run(command, capture_output=True, text=True, check=False)
            ends.append(ended.returncode)
            said = ended.stdout.split()
            view = room.next_comparison(1, 1)  # the one that was claimed, if that was committed
            assert view
            token, acknowledged = said[0] if said else view.token, said[1:]
            if acknowledged:
                break
            decision = Decision(VerdictKind.NO_INFECTION)
            assert room.decide(1, token, decision, idempotency_key="key", drawing=None) == 1
            with record.database.read() as session:
                assert (
                    len(session.scalars(select(Verdict).join(Comparison).where(Comparison.token == token)).all()) == 1
                )
    assert ends == [-signal.SIGKILL] * 4 + [0], "a claim and a verdict are one commit each"


def test_no_acknowledged_draft_is_lost_by_a_kill(serve, build_room):
    record = build_room()
    with record.database.write() as session:
        session.scalars(select(Account)).one().password = hash_password(PASSWORD)
    stroke, revision, n_acknowledged = 0, None, 0
    for run in range(3):
        process, address = serve()
        reader = Reader(address, "r1")
        token = reader.next()["token"]
        if draft := reader.draft(token):
            found = int.from_bytes(zlib.decompress(base64.b64decode(draft["bits"]))[:4])
            assert found in {stroke - 1, stroke}  # the last one that was sent may have arrived without its answer
            stroke, revision = found, draft["revision"]
        killer = threading.Timer(0.3 + run / 5, process.kill)
        killer.start()
        try:
            while True:
                stroke += 1
                revision = reader.keep_draft(token, stroke, revision)
                n_acknowledged += 1
        except (OSError, HTTPException):
            pass
        killer.join()
    assert n_acknowledged > 10
    with record.database.read() as session:
        assert int.from_bytes(zlib.decompress(session.scalars(select(Draft.bits)).one())[:4]) in {stroke - 1, stroke}


def test_a_polite_end_closes_the_server(serve):
    process, address = serve()
    with urllib.request.urlopen(f"{address}/healthz", timeout=30) as answer:  # noqa: S310 - ours
        assert json.load(answer) == {"status": "ok"}
        assert "Server" not in answer.headers
    process.terminate()
    assert process.wait(30) == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/healthz", timeout=5)  # noqa: S310 - ours
