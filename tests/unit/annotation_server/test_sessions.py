"""How a session ends: by time, by sign-out, by a change of the account or of the key."""

import pytest
from sqlalchemy import select

from annotation_server import sessions
from annotation_server.app import create_app
from db import audit
from db.models import AuditEntry, EndedSession
from db.record import Record
from db.settings import Settings

HOUR = 3600


@pytest.fixture
def clock(monkeypatch):
    """`clock(seconds)` lets time pass for sessions."""
    moment = [sessions._seconds()]
    monkeypatch.setattr(sessions, "_seconds", lambda: moment[0])

    def pass_time(seconds):
        moment[0] += seconds

    return pass_time


def cookie(visitor):
    found = visitor.client.get_cookie("overread")
    assert found
    return found.value


def test_a_session_that_is_used_lasts_twelve_hours_and_no_longer(site, clock):
    reader = site.visit("reader")
    for _ in range(12):
        clock(HOUR - 1)
        assert reader.get("/").status_code == 200
    clock(HOUR)
    assert reader.get("/").location == "/login"


def test_an_idle_session_ends_after_two_hours(site, clock):
    reader = site.visit("reader")
    clock(2 * HOUR + 1)
    assert reader.get("/").location == "/login"


def test_a_page_that_refreshes_itself_keeps_no_session_alive(site, clock):
    coordinator = site.visit("coordinator")
    for _ in range(3):
        clock(HOUR - 1)
        answer = coordinator.get("/campaigns/pilot/progress", **{"HX-Request": "true"})
    assert answer.status_code == 204


def test_a_copied_cookie_is_worth_nothing_after_sign_out_and_other_sessions_go_on(site):
    here, there = site.visit("reader"), site.visit("reader")
    copied = cookie(here)
    here.post("/logout")
    thief = site.visit()
    thief.client.set_cookie("overread", copied)
    assert thief.get("/").location == "/login"
    assert there.get("/").status_code == 200


def test_ended_sessions_are_forgotten_when_they_are_too_old_anyway(site, monkeypatch):
    site.visit("reader").post("/logout")
    with site.record.database.read() as rows:
        (ended,) = rows.scalars(select(EndedSession))
    monkeypatch.setattr(sessions, "now", lambda: ended.expires_at + sessions.LIFETIME)
    site.visit("engineer").post("/logout")
    with site.record.database.read() as rows:
        assert rows.scalars(select(EndedSession.session_digest)).all() != [ended.session_digest]


def test_a_planted_session_does_not_become_the_signed_in_one(site):
    visitor = site.visit()
    visitor.token()
    planted = cookie(visitor)
    visitor.sign_in("reader")
    assert cookie(visitor) != planted
    attacker = site.visit()
    attacker.client.set_cookie("overread", planted)
    assert attacker.get("/").location == "/login"


def test_signing_in_again_leaves_the_account_of_before(site):
    visitor = site.visit("coordinator")
    visitor.sign_in("reader")
    assert visitor.get("/campaigns").status_code == 403


@pytest.mark.parametrize("forged", ["", "x", "eyJfdXNlcl9pZCI6InIxIn0.x.x", "\x00"])
def test_a_forged_cookie_opens_nothing(site, forged):
    visitor = site.visit()
    visitor.client.set_cookie("overread", forged)
    assert visitor.get("/").location == "/login"


def rotated(site, **settings):
    changed = Settings(home=site.record.settings.home, secret_key="n" * 40, **settings)
    return create_app(Record(changed, site.record.database, site.record.store)).test_client()


def test_sessions_outlive_a_change_of_the_key_only_where_the_old_one_is_named(site):
    signed = cookie(site.visit("reader"))
    for old_keys, status in [((), 302), (("k" * 40,), 200), (("o" * 40,), 302)]:
        client = rotated(site, old_secret_keys=old_keys)
        client.set_cookie("overread", signed)
        assert client.get("/").status_code == status


def test_sign_in_and_out_stand_in_the_log_and_what_was_typed_does_not(site):
    visitor = site.visit()
    visitor.sign_in("my-password-in-the-wrong-field", "x")
    visitor.sign_in("reader@example.org", "wrong password here")
    visitor.sign_in("reader")
    visitor.post("/logout")
    with site.record.database.read() as rows:
        entries = rows.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()[-4:]
        assert audit.verify(rows) is None
    assert [(entry.actor, entry.action, entry.subject) for entry in entries] == [
        ("system", "sign_in_failed", "unknown"),
        ("system", "sign_in_failed", "reader"),
        ("reader", "signed_in", "reader"),
        ("reader", "signed_out", "reader"),
    ]
    assert not any(entry.detail for entry in entries)
