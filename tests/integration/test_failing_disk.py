"""A disk that is full or fails: 503 and when to try again, nothing half-written, and the same request works later."""

import base64
import errno
import hashlib
import os
import re

import numpy as np
import pytest
from sqlalchemy import event, select, text

from annotation_server.app import create_app
from annotation_server.sessions import open_session
from db.accounts import find_account
from db.domain.mask import pack
from db.models import MaskRow, Verdict

NEXT = "/api/stages/pilot/I/next"


class Reader:
    """A reader's browser."""

    def __init__(self, record):
        self.client = create_app(record).test_client()
        with record.database.read() as rows, self.client.session_transaction() as session:
            open_session(session, find_account(rows, "r1").fs_uniquifier)
        (token,) = re.findall(r'csrf-token" content="([^"]+)', self.client.get("/").text)
        self.headers = {"X-CSRFToken": token}

    def next(self):
        return self.client.post(NEXT, headers=self.headers)

    def redraw(self, token, seed):
        bits = np.random.default_rng(seed).random((60, 50)) > 0.5
        body = {"kind": "deny_all", "drawing": base64.b64encode(pack(bits)).decode()}
        headers = self.headers | {"Idempotency-Key": f"key-{seed:05}"}
        return self.client.put(f"/api/comparisons/{token}/verdict", json=body, headers=headers)


def assert_asks_to_try_again(answer):
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0


def assert_whole(record):
    """Every file of the store is what its name says, none is half-written, every row's file is there, the rows hold."""
    files = [path for path in record.store.root.rglob("*") if path.is_file()]
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == path.name for path in files)
    with record.database.read() as session:
        assert session.scalar(text("PRAGMA integrity_check")) == "ok"
        named = session.scalars(select(MaskRow.digest).where(MaskRow.digest.is_not(None))).all()
    assert set(named) <= {path.name for path in files}


def n_verdicts(record):
    with record.database.read() as session:
        return len(session.scalars(select(Verdict)).all())


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("call", ["fsync", "open", "rename"])
def test_a_drawing_that_cannot_be_stored_can_be_sent_again(build_room, monkeypatch, call, reason):
    record = build_room(n_cases=1)
    reader = Reader(record)
    token = reader.next().json["comparison"]["token"]

    def fail(*_, **__):
        raise OSError(reason, os.strerror(reason))

    with monkeypatch.context() as broken:
        target = {"fsync": "os.fsync", "open": "db.artifacts.tempfile.mkstemp", "rename": "pathlib.Path.rename"}[call]
        broken.setattr(target, fail)
        assert_asks_to_try_again(reader.redraw(token, 1))
    assert n_verdicts(record) == 0
    assert_whole(record)
    assert reader.redraw(token, 1).json["revision"] == 1
    assert reader.redraw(token, 1).json["revision"] == 1
    assert n_verdicts(record) == 1
    assert_whole(record)


def test_a_database_that_is_full_keeps_what_it_acknowledged(build_room):
    """It may grow by a page at a time: sooner or later each kind of write meets the end."""
    record = build_room(n_cases=60)
    reader = Reader(record)
    room = {"pages": 0}

    def limit(connection):
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {max(pages, room['pages'])}")

    event.listen(record.database.engine, "begin", limit)
    n_acknowledged = n_refused = 0
    for seed in range(60):
        answers = [reader.next()]
        if answers[0].status_code == 200:
            answers.append(reader.redraw(answers[0].json["comparison"]["token"], seed))
            n_acknowledged += answers[-1].status_code == 200
        for answer in answers:
            if answer.status_code != 200:
                assert_asks_to_try_again(answer)
                n_refused += 1
                with record.database.read() as session:
                    room["pages"] = session.scalar(text("PRAGMA page_count")) + 1
        assert n_verdicts(record) == n_acknowledged
    assert n_refused > 2, "the database was never full"
    assert n_acknowledged > 10
    assert_whole(record)


def test_the_server_says_when_it_is_not_ready(build_room, monkeypatch):
    record = build_room(n_cases=1)
    client = create_app(record).test_client()
    assert client.get("/readyz").json == {"status": "ready"}

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", fail)
    assert_asks_to_try_again(client.get("/readyz"))
    assert client.get("/healthz").status_code == 200
    assert [path.name for path in record.store.root.iterdir() if path.is_file()] == []
