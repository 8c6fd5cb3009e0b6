"""The API for programs: bearer tokens, and the steps of a stage."""

import pytest
from sqlalchemy import select

from db import audit, jobs
from db.accounts import find_account
from db.models import ApiToken, AuditEntry
from db.tokens import make_token, revoke_token

STAGE = "/api/campaigns/pilot/stages/I"


@pytest.fixture
def call(site):
    """`call("engineer", "GET", "/api/...")` with a fresh token of the account."""

    def call(code, method, path, json=None, **headers):
        with site.record.database.write() as session:
            secret = make_token(session, find_account(session, code), "test", days=1)
        client = site.app.test_client()
        return client.open(path, method=method, json=json, headers={"Authorization": f"Bearer {secret}"} | headers)

    return call


def test_a_program_sees_where_a_stage_stands(call):
    assert call("engineer", "GET", "/api/campaigns").json == {"campaigns": [{"name": "pilot", "stages": ["pilot/I"]}]}
    answer = call("engineer", "GET", STAGE)
    assert answer.status_code == 200
    assert answer.json["state"] == "open"
    assert (answer.json["n_decided"], answer.json["n_comparisons"]) == (0, 6)
    assert answer.json["job"]["state"] == "done"


def test_a_program_takes_a_stage_to_its_end_in_its_accounts_name(site, call):
    assert call("coordinator", "POST", f"{STAGE}/lock").status_code == 409
    locked = call("coordinator", "POST", f"{STAGE}/lock", {"leave_open": True})
    assert (locked.json["n_made"], locked.json["stage"]["state"]) == (0, "locked")
    assert call("coordinator", "POST", f"{STAGE}/unblind").json["state"] == "unblinded"
    assert call("coordinator", "POST", f"{STAGE}/close").json["state"] == "closed"
    assert call("coordinator", "POST", f"{STAGE}/close").status_code == 409
    with site.record.database.read() as session:
        query = select(AuditEntry).where(AuditEntry.action.startswith("stage_")).order_by(AuditEntry.id)
        entries = session.scalars(query).all()
        assert audit.verify(session) is None
    assert [(entry.actor, entry.action) for entry in entries] == [
        ("coordinator", "stage_locked"),
        ("coordinator", "stage_unblinded"),
        ("coordinator", "stage_closed"),
    ]


def test_a_program_exports_watches_and_cancels(site, call, monkeypatch):
    jobs.prepare(site.record.database)
    assert call("engineer", "POST", "/api/campaigns/pilot/exports").status_code == 409
    monkeypatch.setattr("annotation_server.services.exporting.final_masks", lambda *_: {"secret-case-0": []})
    job = call("engineer", "POST", "/api/campaigns/pilot/exports").json
    assert (job["kind"], job["state"], job["campaign"]) == ("export", "queued", "pilot")
    assert call("engineer", "POST", f"/api/jobs/{job['id']}/cancel").json["state"] == "cancelled"
    assert call("engineer", "GET", f"/api/jobs/{job['id']}").json["finished_at"] is not None
    assert call("engineer", "GET", "/api/jobs/99").status_code == 404
    assert call("engineer", "GET", f"/api/jobs/{10**30}").status_code == 400


@pytest.mark.parametrize("step", ["open", "lock", "unblind", "close"])
def test_an_engineers_program_moves_no_stage(call, step):
    assert call("engineer", "POST", f"{STAGE}/{step}").status_code == 403


@pytest.mark.parametrize(
    ("step", "body"), [("lock", {"leave_open": "perhaps"}), ("lock", {"x": 1}), ("open", {"n_cases": 0})]
)
def test_a_malformed_body_names_its_field(call, step, body):
    answer = call("coordinator", "POST", f"{STAGE}/{step}", body)
    assert answer.status_code == 400
    assert next(iter(body)) in answer.json["error"]["message"]


@pytest.mark.parametrize("sent", ["Bearer", "Bearer ", "Bearer overread_forged", "bearer x", "Bearer \xff"])
def test_a_forged_token_is_refused(site, sent):
    answer = site.app.test_client().get("/api/campaigns", headers={"Authorization": sent})
    assert answer.status_code == 401


def test_a_token_that_was_revoked_or_whose_account_is_shut_out_is_refused(site, change_account):
    with site.record.database.write() as session:
        account = find_account(session, "engineer")
        secrets = [make_token(session, account, "test", days=1) for _ in range(2)]
        revoke_token(session, account, session.scalars(select(ApiToken.id)).first())
    statuses = [status(site, secret) for secret in secrets]
    change_account("engineer", active=False)
    assert [*statuses, status(site, secrets[1])] == [401, 200, 401]


def status(site, secret):
    return site.app.test_client().get("/api/campaigns", headers={"Authorization": f"Bearer {secret}"}).status_code


def test_a_token_opens_no_page_and_no_readers_route(call):
    assert call("admin", "GET", "/campaigns").location == "/login?next=/campaigns"
    assert call("admin", "POST", "/accounts/invite").status_code == 400, "a page's change needs the page's token"
    assert call("admin", "POST", "/api/stages/pilot/I/next").status_code == 403
    assert call("admin", "GET", "/media/x/film").status_code == 401


def test_a_readers_token_would_open_nothing(call):
    assert call("reader", "GET", "/api/campaigns").status_code == 401
    assert call("reader", "POST", "/api/stages/pilot/I/next").status_code == 401


def test_a_token_and_a_cookie_never_mix(site):
    """With a token that is no good the browser's session does not count, and so its cookie never acts without CSRF."""
    admin = site.visit("admin")
    forged = {"Authorization": "Bearer overread_forged"}
    assert admin.get("/api/campaigns").status_code == 200
    assert admin.get("/api/campaigns", **forged).status_code == 401
    assert admin.client.post(f"{STAGE}/lock", headers=forged).status_code == 401
    assert admin.client.post(f"{STAGE}/lock").status_code == 400
    assert admin.client.post(f"{STAGE}/lock", headers={"Authorization": "Basic eDp5"}).status_code == 400


def test_programs_are_slowed_down(site):
    client = site.app.test_client()
    statuses = {client.get("/api/campaigns", headers={"Authorization": "Bearer x"}).status_code for _ in range(301)}
    assert statuses == {401, 429}
