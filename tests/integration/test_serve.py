"""The web server as a process, killed in the middle of its work: what it acknowledged is on the disk."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from db.accounts import hash_password
from db.models import Account, Comparison, Draft, Verdict
from db.record import Record
from db.settings import Settings

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
N_READERS = 4
KEY = "k" * 40


@pytest.fixture
def serve(tmp_path):
    """Start `overread serve` on the record in `tmp_path`; the process and its address."""
    Record.open(Settings(home=tmp_path)).database.dispose()  # with the migrations' own table, which `build_room` lacks
    processes: list[subprocess.Popen[str]] = []

    def start():
        environment = os.environ | {"OVERREAD_HOME": str(tmp_path), "OVERREAD_SECRET_KEY": KEY}
        command = [sys.executable, "-m", "pipelines.cli", "serve", "--port", "0"]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
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


def test_no_acknowledged_verdict_is_lost_or_doubled_by_a_kill(serve, build_room):
    codes = [f"r{i}" for i in range(N_READERS)]
    record = build_room(n_cases=400, readers=codes)
    with record.database.write() as session:
        for account in session.scalars(select(Account)):
            account.password = hash_password(PASSWORD)
    acknowledged: dict[str, int] = {}
    pending: dict[str, str] = {}
    for run in range(3):
        process, address = serve()
        readers = [Reader(address, code) for code in codes]
        for code, reader in zip(codes, readers, strict=True):
            if code in pending:  # the browser sends again what was never answered
                token = pending.pop(code)
                acknowledged[token] = reader.decide(token, 0)

        def read(code, reader):
            try:
                while comparison := reader.next():
                    pending[code] = comparison["token"]
                    acknowledged[comparison["token"]] = reader.decide(comparison["token"], 0)
                    del pending[code]
            except (OSError, HTTPException):
                return

        killer = threading.Timer(0.5 + run / 3, process.kill)
        killer.start()
        with ThreadPoolExecutor(N_READERS) as threads:
            list(threads.map(read, codes, readers))
        killer.join()
    assert set(acknowledged.values()) == {1}
    assert len(acknowledged) > 10
    with record.database.read() as session:
        stored = session.scalars(select(Comparison.token).join(Verdict)).all()
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored) <= set(acknowledged) | set(pending.values())


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
