import logging

import pytest
from sqlalchemy.exc import OperationalError

from annotation_server.services.reading import ReadingService
from db.domain.errors import InvariantError, StateError

NEXT = "/api/stages/pilot/I/next"


@pytest.fixture
def call(site, monkeypatch):
    """A reader's call of the next comparison, which fails with an error."""
    reader = site.visit("reader")
    headers = {"X-CSRFToken": reader.token()}

    def call(error):
        def fail(*_):
            raise error

        monkeypatch.setattr(ReadingService, "next_comparison", fail)
        return reader.client.post(NEXT, headers=headers)

    return call


def test_our_errors_become_their_status_code_message_and_hint(call):
    answer = call(StateError("It is locked.", hint="Wait."))
    assert answer.status_code == 409
    assert answer.json == {"error": {"code": "state", "message": "It is locked.", "hint": "Wait."}}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OperationalError("INSERT", {}, Exception())])
def test_a_failing_disk_or_database_asks_to_try_again(call, error):
    answer = call(error)
    assert (answer.status_code, answer.json["error"]["code"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("error", [RuntimeError("a secret path"), InvariantError("a secret case")])
def test_a_bug_shows_a_reference_to_the_log_and_nothing_else(call, caplog, error):
    with caplog.at_level(logging.ERROR):
        answer = call(error)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    reference = caplog.records[-1].args[-1]
    assert reference in answer.json["error"]["message"]


def test_a_page_that_fails_is_calm_even_when_accounts_cannot_be_read(site, monkeypatch):
    reader = site.visit("reader")

    error = OperationalError("SELECT", {}, Exception("disk I/O error"))

    def fail(*_):
        raise error

    monkeypatch.setattr(type(site.record.database), "read", fail)
    answer = reader.get("/")
    assert answer.status_code == 503
    assert "For research use. Not a medical device." in answer.text
    assert "disk" not in answer.text


@pytest.mark.parametrize("path", ["/nothing", "/api/nothing", "/campaigns/none", "/read/pilot/III"])
def test_what_is_not_there_is_404_and_names_no_internals(site, path):
    who = "coordinator" if path.startswith("/campaigns") else "reader"
    answer = site.visit(who).get(path)
    assert answer.status_code == 404
    assert answer.is_json == path.startswith("/api/")


def test_a_wrong_method_names_the_right_one(site):
    answer = site.visit("reader").get(NEXT)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]
