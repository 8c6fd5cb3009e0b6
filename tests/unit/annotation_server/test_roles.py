"""Every route with the roles that may use it. A route that is missing here fails, and so does one that is too open."""

import re

import pytest

from annotation_server.app import create_app
from db.accounts import add_account, find_account
from db.domain.provenance import Role
from db.tokens import make_token

PASSWORD = "correct horse battery"
EVERYBODY = {None, *Role}
SIGNED_IN = {*Role}
READERS = {Role.READER}
COORDINATORS = {Role.COORDINATOR, Role.ADMIN}
STAFF = COORDINATORS | {Role.ENGINEER}

AUDIENCES = {
    ("GET", "/static/<path:filename>"): EVERYBODY,
    ("GET", "/healthz"): EVERYBODY,
    ("GET", "/readyz"): EVERYBODY,
    ("GET", "/login"): EVERYBODY,
    ("POST", "/login"): EVERYBODY,
    ("POST", "/logout"): SIGNED_IN,
    ("GET", "/invitation/<token>"): EVERYBODY,
    ("POST", "/invitation/<token>"): EVERYBODY,
    ("GET", "/account"): SIGNED_IN,
    ("POST", "/account/password"): SIGNED_IN,
    ("POST", "/account/sessions/end"): SIGNED_IN,
    ("POST", "/account/tokens"): STAFF,
    ("POST", "/account/tokens/<int:token_id>/revoke"): STAFF,
    ("GET", "/accounts"): COORDINATORS,
    ("POST", "/accounts/invite"): COORDINATORS,
    ("POST", "/accounts/link"): COORDINATORS,
    ("POST", "/accounts/<any(deactivate, reactivate):verb>"): COORDINATORS,
    ("GET", "/"): SIGNED_IN,
    ("GET", "/read/<campaign>/<stage>"): READERS,
    ("POST", "/api/stages/<campaign>/<stage>/next"): READERS,
    ("GET", "/api/stages/<campaign>/<stage>/history"): READERS,
    ("GET", "/api/comparisons/<token>"): READERS,
    ("POST", "/api/comparisons/<token>/ahead"): READERS,
    ("POST", "/api/comparisons/<token>/serial"): READERS,
    ("POST", "/api/comparisons/<token>/renew"): READERS,
    ("POST", "/api/comparisons/<token>/postpone"): READERS,
    ("PUT", "/api/comparisons/<token>/verdict"): READERS,
    ("GET", "/api/comparisons/<token>/draft"): READERS,
    ("PUT", "/api/comparisons/<token>/draft"): READERS,
    ("DELETE", "/api/comparisons/<token>/draft/<int:revision>"): READERS,
    ("GET", "/api/comparisons/<token>/drawing"): READERS,
    ("GET", "/media/<token>/film"): READERS,
    ("GET", "/media/<token>/serial/<name>"): READERS,
    ("GET", "/media/<token>/bundle"): READERS,
    ("GET", "/media/<token>/lungs"): READERS,
    ("GET", "/api/stages/<campaign>/<stage>/guide"): READERS,
    ("GET", "/campaigns/<name>/guide"): STAFF,
    ("POST", "/campaigns/<name>/guide"): COORDINATORS,
    ("GET", "/runs"): STAFF,
    ("GET", "/runs/<int:job_id>"): STAFF,
    ("GET", "/campaigns/<name>/<stage>/ensemble"): STAFF,
    ("POST", "/campaigns/<name>/<stage>/ensemble"): STAFF,
    ("GET", "/new-campaign"): COORDINATORS,
    ("POST", "/new-campaign"): COORDINATORS,
    ("GET", "/campaigns/<name>/films"): STAFF,
    ("POST", "/campaigns/<name>/films"): COORDINATORS,
    ("POST", "/campaigns/<name>/films/upload"): COORDINATORS,
    ("GET", "/campaigns/<name>/jobs/<int:job_id>/log"): STAFF,
    ("GET", "/campaigns/<name>/<stage>/readers"): STAFF,
    ("POST", "/campaigns/<name>/<stage>/readers/<any(assign, leave, count, overlap, admit):verb>"): COORDINATORS,
    ("GET", "/campaigns/<name>/<stage>/adjudication"): STAFF,
    ("POST", "/campaigns/<name>/<stage>/adjudication"): COORDINATORS,
    ("GET", "/campaigns/<name>/exports"): STAFF,
    ("POST", "/campaigns/<name>/exports"): COORDINATORS,
    ("GET", "/campaigns/<name>/exports/<int:job_id>.zip"): STAFF,
    ("GET", "/log"): COORDINATORS,
    ("GET", "/withdrawals"): COORDINATORS,
    ("POST", "/withdrawals"): COORDINATORS,
    ("POST", "/withdrawals/finish"): COORDINATORS,
    ("GET", "/metrics"): STAFF,
    ("GET", "/api/openapi.json"): STAFF,
    ("GET", "/api/campaigns"): STAFF,
    ("GET", "/api/campaigns/<campaign>/stages/<stage>"): STAFF,
    ("POST", "/api/campaigns/<campaign>/stages/<stage>/open"): COORDINATORS,
    ("POST", "/api/campaigns/<campaign>/stages/<stage>/train"): STAFF,
    ("POST", "/api/campaigns/<campaign>/stages/<stage>/lock"): COORDINATORS,
    ("POST", "/api/campaigns/<campaign>/stages/<stage>/unblind"): COORDINATORS,
    ("POST", "/api/campaigns/<campaign>/stages/<stage>/close"): COORDINATORS,
    ("POST", "/api/campaigns/<campaign>/exports"): STAFF,
    ("GET", "/api/jobs/<int:job_id>"): STAFF,
    ("POST", "/api/jobs/<int:job_id>/cancel"): STAFF,
    ("GET", "/campaigns"): STAFF,
    ("GET", "/campaigns/<name>"): STAFF,
    ("GET", "/campaigns/<name>/progress"): STAFF,
    ("GET", "/campaigns/<name>/report"): STAFF,
    ("GET", "/campaigns/<name>/<stage>/preference"): STAFF,
    ("POST", "/campaigns/<name>/jobs/<int:job_id>/cancel"): COORDINATORS,
    ("POST", "/campaigns/<name>/<stage>/<any(open, lock, unblind, close):verb>"): COORDINATORS,
    ("POST", "/campaigns/<name>/<stage>/train"): STAFF,
}


@pytest.fixture
def app(build_room):
    record = build_room()
    with record.database.write() as session:
        for role in Role:
            add_account(session, str(role), role, password=PASSWORD)
    return create_app(record)


@pytest.fixture
def sign_in(app):
    """A client that is signed in with a role, or signed out, and the token that its requests carry."""

    def sign_in(role):
        client = app.test_client()
        if role is not None:
            form = {"identity": str(role), "password": PASSWORD, "csrf_token": token_of(client)}
            assert client.post("/login", data=form).status_code == 302
        return client, {"X-CSRFToken": token_of(client)}

    return sign_in


def token_of(client):
    return re.findall(r'csrf-token" content="([^"]+)', client.get("/login").text)[0]


def routes(app):
    return {(method, rule.rule) for rule in app.url_map.iter_rules() for method in rule.methods - {"HEAD", "OPTIONS"}}


def address(rule):
    samples = [(r"<any\((\w+).*?>", r"\1"), (r"<int:\w+>", "1"), (r"<[^>]*>", "x")]
    for pattern, sample in samples:
        rule = re.sub(pattern, sample, rule)
    return rule


def is_refused(response, path):
    if path.startswith(("/api/", "/media/", "/metrics")) and response.status_code != 302:
        return response.status_code in {401, 403}
    return response.status_code == 403 or (response.status_code == 302 and response.location.startswith("/login"))


def test_every_route_is_listed(app):
    assert routes(app) == set(AUDIENCES)


@pytest.mark.parametrize("role", [None, *Role])
def test_a_role_reaches_what_is_listed_for_it_and_nothing_else(sign_in, role):
    client, headers = sign_in(role)
    for (method, rule), audience in AUDIENCES.items():
        if rule in {"/login", "/logout", "/account/sessions/end"}:
            continue  # they change who is signed in; tested in test_auth and test_sessions
        path = address(rule)
        response = client.open(path, method=method, headers=headers)
        assert is_refused(response, path) != (role in audience), f"{role} {method} {path}: {response.status}"


@pytest.mark.parametrize("role", Role)
def test_a_token_reaches_what_its_role_may_below_api_and_nothing_else(app, role):
    with app.extensions["record"].database.write() as session:
        secret = make_token(session, find_account(session, str(role)), "test", days=1)
    client = app.test_client()
    for (method, rule), audience in AUDIENCES.items():
        path = address(rule)
        takes_tokens = path.startswith("/api/") or path == "/metrics"
        if audience == EVERYBODY or (method != "GET" and not takes_tokens):
            continue  # a change of a page needs the page's token first: tested in test_staff_api
        response = client.open(path, method=method, headers={"Authorization": f"Bearer {secret}"})
        is_admitted = takes_tokens and role in audience & STAFF
        assert is_refused(response, path) != is_admitted, f"{role} {method} {path}: {response.status}"


@pytest.mark.parametrize("role", [Role.READER, Role.ADMIN])
def test_every_change_needs_the_token_of_the_page(sign_in, role):
    client, _ = sign_in(role)
    for method, rule in AUDIENCES:
        if method != "GET":
            for headers in ({}, {"X-CSRFToken": "forged"}, {"HX-Request": "true"}, {"Authorization": "Basic eDp5"}):
                response = client.open(address(rule), method=method, headers=headers)
                assert response.status_code == 400, f"{method} {rule}: {response.status}"


def test_a_view_without_an_audience_is_closed_to_everybody(app, sign_in):
    app.add_url_rule("/forgotten", "forgotten", lambda: "open")
    for role in Role:
        client, _ = sign_in(role)
        assert client.get("/forgotten").status_code == 403
    assert app.test_client().get("/forgotten").status_code == 302


def test_signed_out_requests_for_data_get_json(sign_in):
    client, headers = sign_in(None)
    response = client.post("/api/stages/pilot/I/next", headers=headers)
    assert response.status_code == 401
    assert set(response.json["error"]) == {"code", "message", "hint"}
