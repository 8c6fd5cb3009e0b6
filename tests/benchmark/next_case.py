"""How long readers wait for the server: 64 readers at once over 10,000 cases.

`.venv/bin/pytest tests/benchmark/next_case.py -s`
"""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.app import create_app
from annotation_server.auth import limiter
from db.accounts import hash_password
from db.models import Account, Comparison, Verdict

N_READERS = 64
N_CASES = 10_000
DURATION_S = 30
THINK_S = 4.0
"""Mean time between a reader's verdicts, four times as fast as a person: hundreds of films a day is one a minute."""

PASSWORD = "correct horse battery"
NEXT_P99_MS = 50
SUBMIT_P99_MS = 100


@pytest.mark.timeout(600)
def test_64_readers_do_not_wait(build_room, monkeypatch):
    began = time.perf_counter()
    record = build_room(n_cases=N_CASES, readers=[f"r{i}" for i in range(N_READERS)])
    print(f"\n{N_CASES} cases in {time.perf_counter() - began:.0f} s")
    hashed = hash_password(PASSWORD)
    with record.database.write() as session:
        for account in session.scalars(select(Account)):
            account.password = hashed
    app = create_app(record)
    monkeypatch.setattr(limiter, "enabled", False)  # 64 people sign in from one address
    times_ms: dict[str, list[float]] = {"next": [], "submit": []}
    clients = [_signed_in(app, f"r{i}") for i in range(N_READERS)]
    gate = threading.Barrier(N_READERS)

    server = ThreadPoolExecutor(record.settings.threads)

    def ask(kind, *arguments, **options):
        """One request, in one of the server's threads; the time includes the wait for it."""
        began = time.perf_counter()
        response = server.submit(*arguments, **options).result()
        times_ms[kind].append((time.perf_counter() - began) * 1000)
        assert response.status_code == 200, response.text
        return response.json

    def read(number):
        client, headers = clients[number]
        rng = np.random.default_rng(number)
        gate.wait()
        ends = time.perf_counter() + DURATION_S
        time.sleep(rng.uniform(0, THINK_S))
        n_read = 0
        while time.perf_counter() < ends:
            token = ask("next", client.post, "/api/stages/pilot/I/next", headers=headers)["comparison"]["token"]
            url, body = f"/api/comparisons/{token}/verdict", {"kind": "pick", "slot": int(rng.integers(4))}
            key = {"Idempotency-Key": f"{number:04}-{n_read:08}"}
            assert ask("submit", client.put, url, json=body, headers=headers | key) == {"revision": 1}
            n_read += 1
            time.sleep(rng.uniform(0, 2 * THINK_S))
        return n_read

    with ThreadPoolExecutor(N_READERS) as threads:
        n_read = sum(threads.map(read, range(N_READERS)))
    for name, values in times_ms.items():
        p50, p99 = np.percentile(values, [50, 99])
        print(f"{name}: median {p50:.1f} ms, p99 {p99:.1f} ms, worst {max(values):.1f} ms, n {len(values)}")
    with record.database.read() as session:
        assert len(session.scalars(select(Verdict.id)).all()) == n_read
        assert len(session.scalars(select(Comparison.id).where(Comparison.decided_at.is_not(None))).all()) == n_read
    assert np.percentile(times_ms["next"], 99) < NEXT_P99_MS
    assert np.percentile(times_ms["submit"], 99) < SUBMIT_P99_MS


def _signed_in(app, code):
    client = app.test_client()
    form = {"identity": code, "password": PASSWORD, "csrf_token": _token(client.get("/login"))}
    assert client.post("/login", data=form).status_code == 302
    return client, {"X-CSRFToken": _token(client.get("/"))}


def _token(page):
    return re.findall(r'csrf-token" content="([^"]+)', page.text)[0]
