import base64
import io
import re

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select

from annotation_server.app import create_app
from db.accounts import set_password
from db.domain.campaign import StageState
from db.domain.mask import pack, packed_length
from db.models import Account, Stage, Verdict

PASSWORD = "correct horse battery"
NEXT = "/api/stages/pilot/I/next"
KEY = {"Idempotency-Key": "6f9619ff-8b86-d011-b42d-00c04fc964ff"}
DRAWING = np.eye(60, 50, dtype=bool)


@pytest.fixture
def record(build_room):
    record = build_room(readers=["r1", "r2"])
    with record.database.write() as session:
        for account in session.scalars(select(Account)):
            set_password(session, account, PASSWORD)
    return record


@pytest.fixture
def app(record):
    return create_app(record)


class Reader:
    """A signed-in reader's browser."""

    def __init__(self, app, code):
        self.client = app.test_client()
        form = {"identity": code, "password": PASSWORD, "csrf_token": self.token("/login")}
        assert self.client.post("/login", data=form).status_code == 302
        self.headers = {"X-CSRFToken": self.token("/")}

    def token(self, path):
        return re.findall(r'csrf-token" content="([^"]+)', self.client.get(path).text)[0]

    def next(self):
        return self.client.post(NEXT, headers=self.headers).json["comparison"]

    def decide(self, token, body, key=KEY):
        return self.client.put(f"/api/comparisons/{token}/verdict", json=body, headers=self.headers | key)


@pytest.fixture
def reader(app):
    return Reader(app, "r1")


def body(**fields):
    """What the reading screen sends."""
    usual = {"kind": "pick", "slot": 0, "also_acceptable": [], "reason": None, "confidence": None, "visible_ms": 900}
    return usual | {"drawing": None} | fields


def test_the_whole_way_from_a_case_to_its_verdict(record, reader):
    comparison = reader.next()
    film = Image.open(io.BytesIO(reader.client.get(comparison["film_url"]).data))
    assert film.size == (comparison["width_px"], comparison["height_px"]) == (50, 60)
    bundle = reader.client.get(comparison["bundle_url"]).data
    size = packed_length(comparison["grid_height_px"], comparison["grid_width_px"])
    assert len(bundle) == size * comparison["n_candidates"]
    answer = reader.decide(comparison["token"], body(slot=2, also_acceptable=[3, 0]))
    assert answer.json == {"revision": 1, "feedback": None}
    again = reader.client.get(f"/api/comparisons/{comparison['token']}").json["comparison"]
    assert again["verdict"] == {
        "kind": "pick",
        "slot": 2,
        "also_acceptable": [0, 3],
        "reason": None,
        "confidence": None,
        "drawing": None,
    }
    history = reader.client.get("/api/stages/pilot/I/history").json
    assert history == {"decided": [{"token": comparison["token"], "kind": "pick"}]}
    with record.database.read() as session:
        assert session.scalars(select(Verdict)).one().visible_ms == 900


@pytest.mark.parametrize("fields", [{"kind": "touch_up", "slot": 1}, {"kind": "deny_all", "slot": None}])
def test_a_drawing_arrives_bit_for_bit(record, reader, fields):
    drawing = base64.b64encode(pack(DRAWING)).decode()
    answer = reader.decide(reader.next()["token"], body(drawing=drawing, **fields))
    assert answer.status_code == 200
    with record.database.read() as session:
        mask = session.scalars(select(Verdict)).one().mask
        assert np.array_equal(record.store.get_mask(mask.digest), DRAWING)


@pytest.mark.parametrize(
    "fields",
    [
        {"origin": "network"},
        {"kind": "like"},
        {"slot": 4},
        {"slot": None},
        {"slot": "0; DROP TABLE verdict"},
        {"also_acceptable": [0]},
        {"also_acceptable": [None]},
        {"reason": "quality"},
        {"confidence": 9},
        {"visible_ms": -1},
        {"kind": "deny_all", "slot": None, "drawing": "***"},
        {"kind": "deny_all", "slot": None, "drawing": "AAAA"},
        {"kind": "unreadable", "slot": None},
        {"slot": 10**30},
    ],
)
def test_a_wrong_verdict_is_refused_with_a_message_and_not_stored(record, reader, fields):
    answer = reader.decide(reader.next()["token"], body(**fields))
    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "input"
    assert answer.json["error"]["message"]
    with record.database.read() as session:
        assert session.scalars(select(Verdict)).all() == []


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{", b"\xff\xfe", b'{"kind": "pick"' + b" " * 1000])
def test_what_is_not_json_is_refused(reader, data):
    url = f"/api/comparisons/{reader.next()['token']}/verdict"
    answer = reader.client.put(url, data=data, headers=reader.headers | KEY)
    assert answer.status_code == 400
    assert set(answer.json) == {"error"}


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": ""}, {"Idempotency-Key": "x" * 300}])
def test_a_verdict_needs_an_idempotency_key(reader, key):
    assert reader.decide(reader.next()["token"], body(), key).status_code == 400


def test_the_same_submission_again_is_one_row(record, reader):
    token = reader.next()["token"]
    assert [reader.decide(token, body()).json for _ in range(3)] == [{"revision": 1, "feedback": None}] * 3
    assert reader.decide(token, body(slot=1), {"Idempotency-Key": "another-key"}).json == {
        "revision": 2,
        "feedback": None,
    }
    with record.database.read() as session:
        assert len(session.scalars(select(Verdict)).all()) == 2


def test_nothing_changes_without_the_token_against_forgery(record, reader):
    comparison = reader.next()
    answer = reader.client.put(f"/api/comparisons/{comparison['token']}/verdict", json=body(), headers=KEY)
    assert answer.status_code == 400
    assert answer.json["error"]["code"] == "csrf"
    assert reader.client.post(NEXT).status_code == 400
    with record.database.read() as session:
        assert session.scalars(select(Verdict)).all() == []


def test_another_readers_case_does_not_exist(app, reader):
    comparison = reader.next()
    other = Reader(app, "r2")
    answers = [
        other.client.get(comparison["film_url"]),
        other.client.get(comparison["bundle_url"]),
        other.client.get(f"/api/comparisons/{comparison['token']}"),
        other.client.post(f"/api/comparisons/{comparison['token']}/renew", headers=other.headers),
        other.client.post(f"/api/comparisons/{comparison['token']}/postpone", headers=other.headers),
        other.decide(comparison["token"], body()),
    ]
    assert [answer.status_code for answer in answers] == [404] * 6
    assert {answer.json["error"]["code"] for answer in answers} == {"not_found"}


def test_a_stage_locked_meanwhile_answers_calmly(record, reader):
    token = reader.next()["token"]
    with record.database.write() as session:
        session.scalars(select(Stage)).one().state = StageState.LOCKED
    answer = reader.decide(token, body())
    assert answer.status_code == 409
    assert answer.json["error"]["code"] == "state"
    assert reader.client.post(NEXT, headers=reader.headers).status_code == 409


def test_the_last_case_is_followed_by_null(reader):
    for number in range(6):
        reader.decide(reader.next()["token"], body(), {"Idempotency-Key": f"number-{number}"})
    answer = reader.client.post(NEXT, headers=reader.headers)
    assert answer.json == {"comparison": None}


def test_a_stage_that_does_not_exist_is_not_found(reader):
    assert reader.client.post("/api/stages/pilot/III/next", headers=reader.headers).status_code == 404
    assert reader.client.get("/read/nowhere/I").status_code == 404
