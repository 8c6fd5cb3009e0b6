"""The page of all accounts."""

import re

import pytest
from sqlalchemy import select

from db.models import Comparison


@pytest.fixture
def coordinator(site):
    return site.visit("coordinator")


def text(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_people_are_invited_and_their_links_work(site, coordinator):
    page = coordinator.post("/accounts/invite", role="reader", people="new1, n@example.org\nreader\nnew2").text
    links = re.findall(r'value="http://localhost(/invitation/[^"]+)"', page)
    assert len(links) == 2
    assert "already" in page
    guest = site.visit()
    assert "new1" in guest.get(links[0]).text
    assert not re.findall("/invitation/", coordinator.get("/accounts").text)


@pytest.mark.parametrize(
    "form", [{}, {"role": "reader"}, {"role": "king", "people": "x"}, {"role": "reader", "people": "\n"}]
)
def test_nobody_to_invite_is_an_error(coordinator, form):
    assert coordinator.post("/accounts/invite", **form).status_code == 400


def test_a_coordinator_cannot_touch_an_admin(site, coordinator):
    assert coordinator.post("/accounts/invite", role="admin", people="x").status_code == 403
    for path in ("link", "deactivate"):
        assert coordinator.post(f"/accounts/{path}", code="admin").status_code == 403
    assert site.visit("admin").post("/accounts/deactivate", code="coordinator").status_code == 302
    assert coordinator.get("/accounts").location == "/login?next=/accounts"


def test_a_reader_who_is_deactivated_while_reading_is_out_at_once(site, coordinator):
    reader = site.visit("reader")
    headers = {"X-CSRFToken": reader.token()}
    assert reader.client.post("/api/stages/pilot/I/next", headers=headers).status_code == 200
    coordinator.post("/accounts/deactivate", code="reader")
    with site.record.database.read() as rows:
        assert not rows.scalars(select(Comparison).where(Comparison.account_id.is_not(None))).all()
    assert reader.client.post("/api/stages/pilot/I/next", headers=headers).status_code == 401
    coordinator.post("/accounts/reactivate", code="reader")
    assert reader.client.post("/api/stages/pilot/I/next", headers=headers).status_code == 401
    assert site.visit().sign_in("reader").status_code == 302


def test_the_last_sign_in_is_shown(site, coordinator):
    assert "UTC" not in coordinator.get("/accounts").text
    site.visit().sign_in("reader")
    assert re.search(
        r"reader reader reader@example.org active \d{4}-\d\d-\d\d \d\d:\d\d UTC",
        text(coordinator.get("/accounts").text),
    )


def test_a_code_with_markup_is_shown_as_text(coordinator):
    coordinator.post("/accounts/invite", role="reader", people="<b>x, <i>y")
    page = coordinator.get("/accounts").text
    assert "<b>x" not in page
    assert "&lt;b&gt;x" in page
