import base64
import zlib

import numpy as np
import pytest
from sqlalchemy import select

from db.domain.mask import pack
from db.models import Draft, Stage

NEXT = "/api/stages/pilot/I/next"
DRAWING = np.eye(60, 50, dtype=bool)


@pytest.fixture
def reader(site):
    return site.visit("reader")


@pytest.fixture
def token(reader):
    return send(reader, "POST", NEXT).json["comparison"]["token"]


def send(visitor, method, path, body=None):
    return visitor.client.open(path, method=method, json=body, headers={"X-CSRFToken": visitor.token()})


def keep(visitor, token, revision=None, drawing=DRAWING, **fields):
    bits = base64.b64encode(zlib.compress(pack(drawing))).decode()
    body = {"revision": revision, "slot": None, "started_from": None, "bits": bits} | fields
    return send(visitor, "PUT", f"/api/comparisons/{token}/draft", body)


def test_a_draft_arrives_bit_for_bit_and_comes_back(reader, token):
    path = f"/api/comparisons/{token}/draft"
    assert reader.get(path).json == {"draft": None}
    revision = keep(reader, token, slot=2).json["revision"]
    draft = reader.get(path).json["draft"]
    assert (draft["revision"], draft["slot"], draft["started_from"]) == (revision, 2, None)
    assert zlib.decompress(base64.b64decode(draft["bits"])) == pack(DRAWING)
    assert send(reader, "DELETE", f"{path}/{revision}").status_code == 200
    assert reader.get(path).json == {"draft": None}


def test_a_stale_draft_is_answered_with_the_newer_revision_and_a_code_of_its_own(reader, token):
    revision = keep(reader, token).json["revision"]
    answer = keep(reader, token, revision + 5, ~DRAWING)
    assert answer.status_code == 409
    assert answer.json["error"]["code"] == "stale"
    assert str(revision) in answer.json["error"]["message"]
    assert send(reader, "DELETE", f"/api/comparisons/{token}/draft/{revision + 5}").status_code == 409


@pytest.mark.parametrize(
    "fields",
    [
        {"bits": "***"},
        {"bits": "é"},
        {"bits": ""},
        {"bits": 5},
        {"slot": 4},
        {"slot": 10**30},
        {"revision": "one"},
        {"origin": "network"},
    ],
)
def test_a_malformed_draft_is_refused_with_a_message_and_not_kept(site, reader, token, fields):
    answer = keep(reader, token, **fields)
    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "input"
    with site.record.database.read() as session:
        assert session.scalars(select(Draft)).all() == []


def test_a_huge_draft_is_refused_before_it_is_read(reader, token):
    assert keep(reader, token, bits="A" * (33 * 2**20)).status_code == 413


def test_a_locked_stage_answers_calmly(site, reader, token):
    with site.record.database.write() as session:
        session.scalars(select(Stage)).one().state = "locked"
    answer = keep(reader, token)
    assert answer.status_code == 409
    assert answer.json["error"]["code"] == "state"


def test_the_drawing_of_a_verdict_comes_back_to_its_reader_only(reader, token):
    path = f"/api/comparisons/{token}/drawing"
    assert reader.get(path).json == {"drawing": None}
    body = {"kind": "touch_up", "slot": 1, "drawing": base64.b64encode(pack(DRAWING)).decode()}
    headers = {"X-CSRFToken": reader.token(), "Idempotency-Key": "key-00000001"}
    assert reader.client.put(f"/api/comparisons/{token}/verdict", json=body, headers=headers).status_code == 200
    drawing = reader.get(path).json["drawing"]
    assert (drawing["slot"], zlib.decompress(base64.b64decode(drawing["bits"]))) == (1, pack(DRAWING))
    assert reader.get("/api/comparisons/of-somebody-else/drawing").status_code == 404
