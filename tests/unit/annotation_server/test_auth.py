import pytest


def test_a_login_with_code_or_address_leads_to_the_first_page(site):
    for identity in ("reader", "reader@example.org"):
        answer = site.visit().sign_in(identity)
        assert (answer.status_code, answer.location) == (302, "/")


@pytest.mark.parametrize("identity", ["reader", "nobody", "", "x" * 300, "' OR 1=1 --", "\0"])
def test_a_failed_login_says_the_same_whatever_was_wrong(site, identity):
    answer = site.visit().sign_in(identity, "wrong password here")
    assert answer.status_code == 403
    assert "do not open an account" in answer.text


def test_a_login_goes_on_to_the_page_that_asked_for_it(site):
    assert site.visit().get("/read/pilot/I").location == "/login?next=/read/pilot/I"
    assert site.visit().sign_in("reader", next="/read/pilot/I").location == "/read/pilot/I"


@pytest.mark.parametrize(
    "elsewhere", ["//evil.example", "https://evil.example/", "/\\evil.example", "evil", "/a\nb", "/\t/x"]
)
def test_a_login_never_leads_to_another_host(site, elsewhere):
    assert site.visit().sign_in("reader", next=elsewhere).location == "/"


def test_a_login_needs_the_token_of_the_page(site):
    answer = site.app.test_client().post("/login", data={"identity": "reader", "password": "correct horse battery"})
    assert answer.status_code == 400


def test_the_token_changes_with_the_login(site):
    visitor = site.visit()
    before = visitor.token()
    visitor.sign_in("reader")
    assert visitor.client.post("/logout", data={"csrf_token": before}).status_code == 400
    assert visitor.post("/logout").status_code == 302


def test_the_cookie_is_kept_from_scripts_and_other_sites(site):
    cookie = site.visit().sign_in("reader").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_guessing_a_password_is_slowed_down_for_that_account_only(site):
    visitor = site.visit()
    statuses = [visitor.sign_in("reader", "wrong password here").status_code for _ in range(11)]
    assert statuses == [403] * 10 + [429]
    assert site.visit().sign_in("READER").status_code == 429
    assert site.visit().sign_in("coordinator").status_code == 302


def test_who_signs_out_is_out(site):
    visitor = site.visit("reader")
    assert visitor.get("/").status_code == 200
    assert visitor.post("/logout").location == "/login"
    assert visitor.get("/").location == "/login"


@pytest.mark.parametrize("change", [{"active": False}, {"password": "another password"}])
def test_a_changed_account_ends_its_sessions(site, change_account, change):
    visitor = site.visit("reader")
    change_account("reader", **change)
    assert visitor.get("/").location == "/login"
    assert site.visit().sign_in("reader").status_code == 403


def test_a_part_that_refreshes_itself_sends_the_whole_page_to_the_login(site):
    answer = site.visit().get("/campaigns/pilot/progress", **{"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/login?next=/campaigns/pilot/progress")
