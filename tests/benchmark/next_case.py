"""How long the server takes for readers: 64 at once over 10,000 cases with two seats each, SQLite and PostgreSQL.

`.venv/bin/pytest tests/benchmark/next_case.py -s`, alone on the machine: server and readers share its cores. The
readers are threads of ours, lighter than those of a load tool, and about seven times as fast as people, who judge
hundreds of films a day, one a minute; as browsers do they ask for the case ahead. What is measured is the server's own
time, from a request's arrival in the application to its answer, waiting for locks and for Python included; what
readers waited is printed beside it.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import numpy as np
import pytest
from sqlalchemy import func, select

from db.accounts import hash_password
from db.migrations import upgrade
from db.models import Account, Comparison, Verdict
from db.session import Database

N_READERS = 64
N_CASES = 10_000
N_SEATS = 2
DURATION_S = 60
THINK_S = 8.0
PASSWORD = "correct horse battery"
GATES_MS = {"next": 50.0, "ahead": 50.0, "verdict": 100.0}
"""99th percentiles of the server's time."""

KINDS = {"next": "/next", "ahead": "/ahead", "film": "/film", "bundle": "/bundle", "verdict": "/verdict"}


@pytest.mark.timeout(900)
def test_64_readers_at_once(build_room, tmp_path, database_url):
    migrated = Database(database_url)
    upgrade(migrated)
    migrated.dispose()
    codes = [f"r{i}" for i in range(N_READERS)]
    record = build_room(n_cases=N_CASES, readers=codes, n_seats=N_SEATS, home=tmp_path, url=database_url)
    hashed = hash_password(PASSWORD)
    with record.database.write() as session:
        for account in session.scalars(select(Account)):
            account.password = hashed
    record.database.analyze()  # as when candidates are offered
    settings = {"OVERREAD_HOME": str(tmp_path), "OVERREAD_DB": database_url, "OVERREAD_SECRET_KEY": "k" * 40}
    command = [sys.executable, __file__, str(tmp_path / "times.json")]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        address = re.findall(r"http://(\S+)", server.stdout.readline())[0]
        try:
            readers = [Reader(address, code) for code in codes]
            with ThreadPoolExecutor(N_READERS) as threads:
                n_read = sum(threads.map(Reader.read, readers))
        finally:
            server.terminate()
    took_ms = json.loads((tmp_path / "times.json").read_text())
    print(f"\n{record.database.engine.dialect.name}: {N_READERS} readers, {n_read} cases in {DURATION_S} s")
    for kind in KINDS:
        waited = np.percentile([wait for reader in readers for wait in reader.waits_ms[kind]], [50, 99])
        p50, p99 = np.percentile(took_ms[kind], [50, 99])
        gate = f", {p99 / GATES_MS[kind]:.2f} of the gate" if kind in GATES_MS else ""
        print(
            f"{kind:8} n {len(took_ms[kind]):5}  server median {p50:5.1f} ms, p99 {p99:5.1f} ms{gate}"
            f"  (readers waited {waited[0]:.1f} and {waited[1]:.1f} ms)"
        )
    with record.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Verdict)) == n_read
        taken = session.execute(
            select(Comparison.case_id, Comparison.account_id).where(Comparison.account_id.is_not(None))
        ).all()
        assert max(Counter(map(tuple, taken)).values()) == 1, "a reader had both seats of a case"
    assert "failed" not in took_ms, "0 'database is locked'"


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
        n_read, fetched = 0, None
        while time.perf_counter() < ends:
            case = self.claim("next", "/api/stages/pilot/I/next")
            if case["token"] != fetched:
                self.fetch(case)
            ahead = self.claim("ahead", f"/api/comparisons/{case['token']}/ahead")
            self.fetch(ahead)
            fetched = ahead["token"]
            time.sleep(self.rng.uniform(0, 2 * THINK_S))
            body = json.dumps({"kind": "pick", "slot": int(self.rng.integers(4))})
            key = {"Idempotency-Key": f"verdict-{n_read:06}"}
            self.ask("verdict", "PUT", f"/api/comparisons/{case['token']}/verdict", body, self.headers | key)
            n_read += 1
        return n_read

    def claim(self, kind, path):
        return json.loads(self.ask(kind, "POST", path, "", self.headers))["comparison"]

    def fetch(self, case):
        for kind in ("film", "bundle"):
            self.ask(kind, "GET", case[f"{kind}_url"])

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


class Timed:
    """The application, and how long each kind of its answers took in ms."""

    def __init__(self, application):
        self.application = application
        self.took_ms: defaultdict[str, list[float]] = defaultdict(list)

    def __call__(self, environ, start_response):
        kind = next((kind for kind, ending in KINDS.items() if environ["PATH_INFO"].endswith(ending)), "other")

        def start(status, headers, exc_info=None):
            if status.startswith("5"):
                self.took_ms["failed"].append(0.0)
            return start_response(status, headers, exc_info)

        began = time.perf_counter()
        try:
            return self.application(environ, start)
        finally:
            self.took_ms[kind].append((time.perf_counter() - began) * 1000)


def serve(path):
    """What `overread serve` does, with a clock in front of the application."""
    from waitress import create_server

    from annotation_server.app import create_app
    from annotation_server.auth import limiter
    from db.record import Record
    from db.settings import Settings

    settings = Settings()
    timed = Timed(create_app(Record.open(settings)))
    limiter.enabled = False  # all readers sign in from one address
    server = create_server(timed, host="127.0.0.1", port=0, threads=settings.threads, ident=None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    print(f"http://127.0.0.1:{server.effective_port}", flush=True)
    try:
        server.run()
    finally:
        path.write_text(json.dumps(timed.took_ms))


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
