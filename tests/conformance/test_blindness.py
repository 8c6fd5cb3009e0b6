"""Nothing that reaches a reader's browser tells where a candidate comes from."""

import base64
import itertools
import json
import re
import secrets
import zlib
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.app import create_app
from annotation_server.services import claiming
from db.accounts import set_password
from db.domain.mask import pack, packed_length
from db.domain.provenance import MaskOrigin
from db.domain.study import SerialFilms
from db.models import Account, Campaign, Candidate, CaseRow, Comparison, MaskRow

PASSWORD = "correct horse battery"
STAGE = "/api/stages/pilot/I"
COMPARISON_FIELDS = {
    "token",
    "width_px",
    "height_px",
    "grid_width_px",
    "grid_height_px",
    "n_candidates",
    "n_decided",
    "n_left",
    "verdict",
    "task",
    "with_confidence",
    "redraw_from_candidate",
    "is_practice",
    "n_serial_films",
    "feedback",
    "film_url",
    "bundle_url",
    "lungs_url",
}
DRAWING = np.eye(60, 50, dtype=bool)
ENCODERS = ("tiny", "densenet121", "resnet50")
SECRETS = re.compile(
    "|".join(
        [
            "secret-",  # keys, patients and sources of the cases
            r"(?<![\w/-])1987|taken_on",  # the year of all films, which a random name may hold within
            *ENCODERS,
            ': ?"(drawing|network|redraw|empty)"',  # origins; touch_up is also a verdict
            "checkpoint",
            "mask_id",
            "case_id",
            "position",
        ]
    ).encode()
)


class Browser:
    """A reader's browser that keeps every answer, its status and headers included."""

    def __init__(self, record):
        with record.database.write() as session:
            set_password(session, session.scalars(select(Account).where(Account.code == "r1")).one(), PASSWORD)
        self.client = create_app(record).test_client()
        self.answers = []
        page = self.get("/login")
        self.csrf = re.findall(r'csrf-token" content="([^"]+)', page.text)[0]
        form = {"identity": "r1", "password": PASSWORD, "csrf_token": self.csrf}
        assert self.keep(self.client.post("/login", data=form)).status_code == 302
        self.csrf = re.findall(r'csrf-token" content="([^"]+)', self.get("/").text)[0]

    def keep(self, response):
        self.answers.append((response.status_code, list(response.headers), response.data))
        return response

    def get(self, url):
        return self.keep(self.client.get(url))

    def send(self, method, url, body=None, **headers):
        headers = {"X-CSRFToken": self.csrf} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.keep(self.client.open(url, method=method, json=body, headers=headers))

    def next(self):
        return self.send("POST", f"{STAGE}/next").json["comparison"]

    def decide(self, token, key, **body):
        return self.send("PUT", f"/api/comparisons/{token}/verdict", body, Idempotency_Key=key)

    def keep_draft(self, token, revision, *, slot):
        bits = base64.b64encode(zlib.compress(pack(DRAWING))).decode()
        body = {"revision": revision, "slot": slot, "started_from": None, "bits": bits}
        return self.send("PUT", f"/api/comparisons/{token}/draft", body)


@pytest.fixture
def deterministic(monkeypatch):
    """Make tokens, times and signatures repeat, so that two sessions can be compared byte by byte."""

    def restart():
        numbers = itertools.count(1)
        monkeypatch.setattr(secrets, "token_urlsafe", lambda n=None: f"{next(numbers):0{n or 32}}")
        monkeypatch.setattr(secrets, "token_hex", lambda n=None: f"{next(numbers):0{2 * (n or 32)}x}")
        monkeypatch.setattr("annotation_server.sessions._seconds", lambda: 1_700_000_000)
        monkeypatch.setattr("flask_wtf.csrf.os.urandom", bytes)
        monkeypatch.setattr("itsdangerous.timed.TimestampSigner.get_timestamp", lambda _: 1_700_000_000)
        monkeypatch.setattr("annotation_server.sessions._seconds", lambda: 1_700_000_000)

    return restart


def swap_origins(record):
    """Let every mask on offer be said to come from where another one of its case came from; pixels stay."""
    columns = ("origin", "checkpoint_id", "account_id", "parent_id", "simulated")
    with record.database.write() as session:
        for case_id in session.scalars(select(CaseRow.id)).all():
            query = select(MaskRow).join(Candidate).where(Candidate.case_id == case_id).order_by(MaskRow.id)
            masks = session.scalars(query).all()
            before = [[getattr(mask, column) for column in columns] for mask in masks]
            for mask, values in zip(masks, before[1:] + before[:1], strict=True):
                for column, value in zip(columns, values, strict=True):
                    setattr(mask, column, value)
        return len({mask.origin for mask in session.scalars(select(MaskRow))})


def show_serial_films(record, rule):
    """Let all films be of one patient, a day apart, and readers ask for them."""
    with record.database.write() as session:
        campaign = session.scalars(select(Campaign)).one()
        (stage,) = campaign.definition.stages
        shown = replace(stage, study=replace(stage.study, serial_films=rule))
        campaign.definition_json = replace(campaign.definition, stages=(shown,)).to_json()
        for day, case in enumerate(session.scalars(select(CaseRow).order_by(CaseRow.id)), 1):
            case.patient, case.taken_on = "secret-patient", date(1987, 5, day)


def whole_session(record):
    """Everything a reader can do, once; all answers."""
    show_serial_films(record, SerialFilms.WITH_DATES)
    browser = Browser(record)
    browser.get("/read/pilot/I")
    drawing = base64.b64encode(pack(DRAWING)).decode()
    verdicts: list[dict[str, Any]] = [
        {"kind": "pick", "slot": 2, "also_acceptable": [0]},
        {"kind": "touch_up", "slot": 1, "drawing": drawing},
        {"kind": "deny_all", "drawing": drawing},
        {"kind": "no_infection"},
        {"kind": "unreadable", "reason": "quality"},
        {"kind": "pick", "slot": 7},
    ]
    for number, verdict in enumerate(verdicts):
        comparison = browser.next()
        token = comparison["token"]
        browser.get(comparison["film_url"])
        browser.get(comparison["bundle_url"])
        for film in browser.send("POST", f"/api/comparisons/{token}/serial").json["films"]:
            browser.get(film["film_url"])
        browser.get(f"/media/{token}/lungs")
        browser.send("POST", f"/api/comparisons/{token}/renew")
        browser.send("POST", f"/api/comparisons/{token}/ahead")
        browser.keep_draft(token, None, slot=number % 4)
        browser.keep_draft(token, 7, slot=None)
        browser.get(f"/api/comparisons/{token}/draft")
        browser.decide(token, f"key-{number:08}", visible_ms=1500, **verdict)
        browser.get(f"/api/comparisons/{token}")
        browser.get(f"/api/comparisons/{token}/drawing")
    browser.get(f"{STAGE}/guide")
    for decided in browser.get(f"{STAGE}/history").json["decided"]:
        browser.decide(decided["token"], "revision-1", kind="pick", slot=3)
        browser.get(f"/api/comparisons/{decided['token']}")
    browser.send("POST", f"/api/comparisons/{browser.next()['token']}/postpone")
    browser.next()
    for url in (
        "/",
        "/campaigns",
        "/campaigns/pilot",
        "/campaigns/pilot/report",
        "/media/x/film",
        "/api/comparisons/x",
    ):
        browser.get(url)
    return browser.answers


def test_swapping_the_origins_leaves_every_byte_unchanged(build_room, deterministic, tmp_path):
    deterministic()
    plain = whole_session(build_room(home=tmp_path / "plain"))
    deterministic()
    swapped = build_room(home=tmp_path / "swapped")
    assert swap_origins(swapped) == 2
    found = whole_session(swapped)
    assert len(found) == len(plain) > 40
    for before, after in zip(plain, found, strict=True):
        assert after == before


def test_the_comparison_can_see_a_difference(build_room, deterministic, tmp_path):
    """The test above would fail if an answer depended on what was swapped: here one more thing differs."""
    deterministic()
    plain = whole_session(build_room(home=tmp_path / "plain"))
    deterministic()
    other = build_room(home=tmp_path / "other")
    with other.database.write() as session:
        first, second = session.scalars(select(Candidate).order_by(Candidate.id).limit(2)).all()
        first.mask_id, second.mask_id = second.mask_id, first.mask_id
    assert whole_session(other) != plain


def test_no_answer_names_a_case_a_network_or_an_origin(build_room):
    answers = whole_session(build_room())
    assert sum(status == 200 for status, _, _ in answers) > 35
    for _, headers, body in answers:
        assert not SECRETS.search(body), body[:300]
        assert not SECRETS.search(json.dumps(headers).encode())


def test_no_answer_can_be_told_apart_by_its_headers(build_room):
    media = [
        dict(headers)
        for _, headers, _ in whole_session(build_room())
        if dict(headers)["Content-Type"] in {"image/png", "application/octet-stream", "application/json"}
    ]
    assert len(media) > 30
    for headers in media:
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert not {"ETag", "Last-Modified", "Content-Disposition", "Expires", "Accept-Ranges"} & set(headers)


def test_a_comparison_has_the_allowed_fields_only(build_room):
    browser = Browser(build_room())
    comparison = browser.next()
    assert set(comparison) == COMPARISON_FIELDS
    browser.decide(comparison["token"], "key-00000001", kind="pick", slot=0)
    comparison = browser.get(f"/api/comparisons/{comparison['token']}").json["comparison"]
    assert set(comparison) == COMPARISON_FIELDS
    assert set(comparison["verdict"]) == {"kind", "slot", "also_acceptable", "reason", "confidence", "drawing"}
    assert [set(one) for one in browser.get(f"{STAGE}/history").json["decided"]] == [{"token", "kind"}]


def test_drafts_and_drawings_have_the_allowed_fields_only(build_room):
    browser = Browser(build_room())
    token = browser.next()["token"]
    assert set(browser.keep_draft(token, None, slot=1).json) == {"revision"}
    draft = browser.get(f"/api/comparisons/{token}/draft").json
    assert set(draft) == {"draft"}
    assert set(draft["draft"]) == {"revision", "age_s", "slot", "started_from", "bits"}
    body = {"kind": "deny_all", "drawing": base64.b64encode(pack(DRAWING)).decode()}
    browser.decide(token, "key-00000001", **body)
    drawing = browser.get(f"/api/comparisons/{token}/drawing").json
    assert set(drawing) == {"drawing"}
    assert set(drawing["drawing"]) == {"slot", "started_from", "bits"}


@pytest.mark.parametrize("rule", SerialFilms)
def test_serial_films_have_the_allowed_fields_and_days_where_the_stage_shows_them(build_room, rule):
    record = build_room()
    show_serial_films(record, rule)
    browser = Browser(record)
    comparison = browser.next()
    response = browser.send("POST", f"/api/comparisons/{comparison['token']}/serial")
    if rule is SerialFilms.HIDDEN:
        assert comparison["n_serial_films"] == 0
        assert response.status_code == 403
        return
    assert set(response.json) == {"films"}
    films = response.json["films"]
    assert len(films) == 1 + comparison["n_serial_films"] == 6
    assert [set(film) for film in films] == [{"film_url", "order", "days"}] * 6
    assert [film["order"] for film in films].count("present") == 1
    days = [film["days"] for film in films]
    assert days == [None] * 6 if rule is SerialFilms.WITHOUT_DATES else sorted(days) == days
    for film in films:
        assert re.fullmatch(rf"/media/{comparison['token']}/serial/[0-9a-f]{{32}}", film["film_url"])


@pytest.mark.parametrize("content", ["empty", "full", "noise"])
def test_the_bundle_is_as_long_whatever_the_masks_hold(build_room, content):
    record = build_room(n_cases=1)
    maps = {
        "empty": np.zeros((16, 16), np.float32),
        "full": np.ones((16, 16), np.float32),
        "noise": np.random.default_rng(5).random((400, 300), np.float32),
    }
    with record.database.write() as session:
        for mask in session.scalars(select(MaskRow)):
            mask.digest, mask.map_digest = None, record.store.put_map(maps[content])
    browser = Browser(record)
    comparison = browser.next()
    response = browser.get(comparison["bundle_url"])
    assert len(response.data) == 4 * packed_length(448, 373)
    assert "Content-Encoding" not in response.headers


def test_tokens_are_long_random_and_never_used_twice(build_room):
    record = build_room(n_cases=6)
    browser = Browser(record)
    tokens = []
    while comparison := browser.next():
        tokens.append(comparison["token"])
        browser.decide(tokens[-1], "key-00000001", kind="no_infection")
    assert len(set(tokens)) == 6
    assert min(map(len, tokens)) >= 4 * claiming.TOKEN_BYTES // 3


@pytest.mark.slow
def test_slots_do_not_depend_on_the_origin(build_room):
    """Chi-square of origin by slot over many comparisons; 3 degrees of freedom, one chance in 100,000."""
    from scipy.stats import chisquare

    from annotation_server.services.reading import ReadingService
    from db.domain.verdict import Decision, VerdictKind

    record = build_room(n_cases=120, readers=["r1", "r2"], n_seats=2)
    room = ReadingService(record)
    decision = Decision(VerdictKind.PICK, slot=0)
    with record.database.read() as session:
        readers = session.scalars(select(Account.id)).all()
    for reader in readers:
        while view := room.next_comparison(reader, 1):
            room.decide(reader, view.token, decision, idempotency_key="key", drawing=None)
    counts = np.zeros(4, int)
    with record.database.read() as session:
        drawn = dict(
            session.execute(
                select(Candidate.case_id, Candidate.position).join(MaskRow).where(MaskRow.origin == MaskOrigin.DRAWING)
            ).all()
        )
        for seat in session.scalars(select(Comparison)):
            counts[seat.order.index(drawn[seat.case_id])] += 1
    assert counts.sum() == 240
    assert chisquare(counts).pvalue > 1e-5
