import pytest

from annotation_server.app import create_app
from db.domain.errors import InputError
from db.record import Record
from db.settings import Settings


def test_a_short_session_key_is_refused(site):
    settings = Settings(home=site.record.settings.home, secret_key="k" * 31)
    with pytest.raises(InputError, match="31 characters"):
        create_app(Record(settings, site.record.database, site.record.store))


@pytest.mark.parametrize("path", ["/login", "/", "/campaigns", "/api/stages/pilot/I/history", "/nothing", "/healthz"])
def test_every_answer_forbids_foreign_content_and_is_kept_nowhere(site, path):
    answer = site.visit().get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert {"ETag", "Last-Modified"}.isdisjoint(answer.headers.keys())


@pytest.mark.parametrize(
    ("who", "path"),
    [
        (None, "/login"),
        ("reader", "/"),
        ("coordinator", "/campaigns"),
        ("coordinator", "/campaigns/pilot"),
        ("reader", "/read/pilot/I"),
        ("reader", "/nothing"),
    ],
)
def test_pages_say_what_they_are_for_and_run_nothing_inline(site, who, path):
    page = site.visit(who).get(path).text
    assert "For research use. Not a medical device." in page
    assert " style=" not in page
    assert "<style" not in page
    assert " onclick" not in page
    assert page.count("<script") == page.count('<script type="module" src="/static/dist/assets/')


def test_built_files_are_kept_by_the_browser(site):
    page = site.visit().get("/login").text
    script = page.split('<script type="module" src="')[1].split('"')[0]
    answer = site.visit().get(script)
    assert answer.status_code == 200
    assert "immutable" in answer.headers["Cache-Control"]


def test_a_body_that_is_too_large_is_refused(site):
    reader = site.visit("reader")
    headers = {"X-CSRFToken": reader.token(), "Idempotency-Key": "0123456789"}
    answer = reader.client.put("/api/comparisons/x/verdict", data=b"x" * (32 * 2**20 + 1), headers=headers)
    assert answer.status_code == 413


def test_cookies_go_over_https_only_where_the_settings_say_so(site):
    settings = Settings(home=site.record.settings.home, secret_key="k" * 40, secure_cookies=True)
    app = create_app(Record(settings, site.record.database, site.record.store))
    assert "Secure" in app.test_client().get("/login").headers["Set-Cookie"]
