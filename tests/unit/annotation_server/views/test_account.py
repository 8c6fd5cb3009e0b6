"""One's own account, and the page behind a link."""

import re

import pytest
from sqlalchemy import select

from db.accounts import find_account
from db.invitations import invite
from db.models import ApiToken

PASSWORD = "correct horse battery"
NEW = "umbrella on the moon"


@pytest.fixture
def link(site):
    def link(code):
        with site.record.database.write() as session:
            return f"/invitation/{invite(session, find_account(session, code))}"

    return link


def test_a_link_leads_to_a_password_and_then_to_the_login(site, link):
    address = link("reader")
    guest = site.visit()
    assert "sign in as <strong>reader</strong>" in guest.get(address).text
    answer = guest.post(address, new=NEW, again=NEW)
    assert (answer.status_code, answer.location) == (302, "/login")
    assert guest.sign_in("reader", NEW).status_code == 302


def test_a_used_a_forged_and_a_strange_link_lead_to_the_same_calm_page(site, link):
    used = link("reader")
    site.visit().post(used, new=NEW, again=NEW)
    pages = [site.visit().get(address) for address in (used, "/invitation/forged", f"/invitation/{'x' * 5000}")]
    assert {page.status_code for page in pages} == {404}
    assert len({re.sub(r'content="[^"]+"', "", page.text) for page in pages}) == 1
    assert "This link does not work" in pages[0].text
    assert site.visit().post(used, new=NEW, again=NEW).status_code == 404


@pytest.mark.parametrize(("new", "again"), [(NEW, NEW + "!"), ("password1234", "password1234"), ("", "")])
def test_a_link_survives_a_refused_password(site, link, new, again):
    address = link("reader")
    answer = site.visit().post(address, new=new, again=again)
    assert answer.status_code == 400
    assert "alert" in answer.text
    assert site.visit().post(address, new=NEW, again=NEW).status_code == 302


def test_a_reset_ends_the_sessions_of_the_account(site, link):
    reader = site.visit("reader")
    site.visit().post(link("reader"), new=NEW, again=NEW)
    assert reader.get("/").location == "/login"


def test_a_link_needs_the_token_of_the_page(site, link):
    assert site.app.test_client().post(link("reader"), data={"new": NEW, "again": NEW}).status_code == 400


def test_a_new_password_ends_other_sessions_and_begins_this_one_anew(site):
    here, there = site.visit("reader"), site.visit("reader")
    answer = here.post("/account/password", old=PASSWORD, new=NEW, again=NEW)
    assert answer.status_code == 302
    assert here.get("/").status_code == 200
    assert there.get("/").location == "/login"
    assert site.visit().sign_in("reader", NEW).status_code == 302


def test_a_wrong_old_password_changes_nothing_and_is_slowed_down(site):
    reader = site.visit("reader")
    statuses = [reader.post("/account/password", old="wrong", new=NEW, again=NEW).status_code for _ in range(11)]
    assert statuses == [400] * 10 + [429]
    assert site.visit().sign_in("reader").status_code == 302


def test_everywhere_means_everywhere(site):
    here, there = site.visit("reader"), site.visit("reader")
    assert here.post("/account/sessions/end").location == "/login"
    assert here.get("/").location == "/login"
    assert there.get("/").location == "/login"


def test_a_token_is_shown_once_and_only_to_its_maker(site):
    engineer = site.visit("engineer")
    page = engineer.post("/account/tokens", name="<b>nightly", days="30").text
    (secret,) = re.findall(r"overread_[\w-]{43}", page)
    again = engineer.get("/account").text
    assert secret not in again
    assert "&lt;b&gt;nightly" in again
    assert "nightly" not in site.visit("coordinator").get("/account").text
    with site.record.database.read() as session:
        token_id = session.scalars(select(ApiToken.id)).one()
    assert site.visit("coordinator").post(f"/account/tokens/{token_id}/revoke").status_code == 404
    assert engineer.post(f"/account/tokens/{token_id}/revoke").status_code == 302
    assert "nightly" not in engineer.get("/account").text


@pytest.mark.parametrize("days", ["", "0", "-1", "366", "many", "9" * 30])
def test_a_token_of_no_sensible_age_is_refused(site, days):
    answer = site.visit("engineer").post("/account/tokens", name="nightly", days=days)
    assert answer.status_code == 400


def test_a_reader_is_offered_no_tokens(site):
    assert "token" not in re.sub(r"csrf.token", "", site.visit("reader").get("/account").text)
