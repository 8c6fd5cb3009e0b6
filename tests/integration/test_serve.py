"""The web server as a process, killed in the middle of its work: what it acknowledged is on the disk."""

import json
import os
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from http.cookiejar import CookieJar
from urllib.parse import urlencode

import pytest
from sqlalchemy import select

from db.accounts import hash_password
from db.models import Account, Comparison, Verdict
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


def test_a_polite_end_closes_the_server(serve):
    process, address = serve()
    with urllib.request.urlopen(f"{address}/healthz", timeout=30) as answer:  # noqa: S310 - ours
        assert json.load(answer) == {"status": "ok"}
        assert "Server" not in answer.headers
    process.terminate()
    assert process.wait(30) == 0
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"{address}/healthz", timeout=5)  # noqa: S310 - ours
