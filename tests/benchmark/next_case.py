"""How long readers wait for the server: a real `overread serve` on SQLite, 20 readers at once over 10,000 cases.

`.venv/bin/pytest tests/benchmark/next_case.py -s`, alone on the machine: server and readers share its cores. The
readers here are four times as fast as people, who judge hundreds of films a day, about one a minute.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
from sqlalchemy import func, select

from db.accounts import hash_password
from db.models import Account, Verdict
from db.record import Record
from db.settings import Settings

N_READERS = 20
N_CASES = 10_000
DURATION_S = 30
THINK_S = 4.0
PASSWORD = "correct horse battery"


@pytest.mark.timeout(600)
def test_20_readers_at_once(build_room, tmp_path):
    Record.open(Settings(home=tmp_path)).database.dispose()
    codes = [f"r{i}" for i in range(N_READERS)]
    record = build_room(n_cases=N_CASES, readers=codes, home=tmp_path)
    hashed = hash_password(PASSWORD)
    with record.database.write() as session:
        for account in session.scalars(select(Account)):
            account.password = hashed
    environment = os.environ | {"OVERREAD_HOME": str(tmp_path), "OVERREAD_SECRET_KEY": "k" * 40}
    command = [sys.executable, "-m", "pipelines.cli", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        address = re.findall(r"http://(\S+)", server.stdout.readline())[0]
        try:
            readers = [Reader(address, code) for code in codes]
            with ThreadPoolExecutor(N_READERS) as threads:
                n_read = sum(threads.map(Reader.read, readers))
        finally:
            server.terminate()
    print()
    for kind in ("next", "film", "bundle", "verdict"):
        waits_ms = [wait for reader in readers for wait in reader.waits_ms[kind]]
        p50, p99 = np.percentile(waits_ms, [50, 99])
        print(f"{kind}: median {p50:.1f} ms, p99 {p99:.1f} ms, worst {max(waits_ms):.1f} ms, n {len(waits_ms)}")
    with record.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Verdict)) == n_read


class Reader:
    """A reader's browser, and how long it waited for each kind of answer."""

    def __init__(self, address, code):
        self.connection = HTTPConnection(urlsplit(f"//{address}").netloc, timeout=60)
        self.rng = np.random.default_rng(int(code[1:]))
        self.cookies, self.waits_ms = {}, defaultdict(list)
        form = {"identity": code, "password": PASSWORD, "csrf_token": self.csrf("/login")}
        self.ask("login", "POST", "/login", urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
        self.headers = {"X-CSRFToken": self.csrf("/"), "Content-Type": "application/json"}

    def read(self):
        ends = time.perf_counter() + DURATION_S
        time.sleep(self.rng.uniform(0, THINK_S))
        n_read = 0
        while time.perf_counter() < ends:
            answer = self.ask("next", "POST", "/api/stages/pilot/I/next", "", self.headers)
            case = json.loads(answer)["comparison"]
            for kind in ("film", "bundle"):
                self.ask(kind, "GET", case[f"{kind}_url"])
            body = json.dumps({"kind": "pick", "slot": int(self.rng.integers(4))})
            key = {"Idempotency-Key": f"verdict-{n_read:06}"}
            self.ask("verdict", "PUT", f"/api/comparisons/{case['token']}/verdict", body, self.headers | key)
            n_read += 1
            time.sleep(self.rng.uniform(0, 2 * THINK_S))
        return n_read

    def ask(self, kind, method, path, body=None, headers=()):
        began = time.perf_counter()
        cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        self.connection.request(method, path, body, dict(headers) | cookies)
        answer = self.connection.getresponse()
        content = answer.read()
        self.waits_ms[kind].append((time.perf_counter() - began) * 1000)
        assert answer.status in {200, 302}, content
        for cookie in answer.headers.get_all("Set-Cookie") or ():
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return content

    def csrf(self, path):
        return re.findall(r'csrf-token" content="([^"]+)', self.ask("page", "GET", path).decode())[0]
