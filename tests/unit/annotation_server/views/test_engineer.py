"""The engineer's pages."""

import pytest
from sqlalchemy import select

from db.domain.campaign import StageState
from db.domain.specs import find_spec
from db.models import AuditEntry, Checkpoint, Stage

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def engineer(site):
    return site.visit("engineer")


def test_runs_are_listed_with_their_checkpoints(site, engineer):
    with site.record.database.write() as session:
        checkpoint = session.get_one(Checkpoint, 1)
        checkpoint.card = {"data": "d" * 64, "wall_s": 90.0, "losses": [0.5, 0.25], "best_epoch": 2, "note": SCRIPT}
    assert "pilot/I, round 1" in engineer.get("/runs").text
    page = engineer.get("/runs/1").text
    assert "unet-tiny" in page
    assert "1.5 minutes; data dddddddddddd." in page
    assert "0.2500" in page
    assert SCRIPT not in page
    assert engineer.get("/runs/99").status_code == 404


def draft(site):
    """A second stage, not open yet."""
    with site.record.database.write() as session:
        campaign = session.get_one(Stage, 1).campaign
        campaign.definition_json = find_spec("smoke").to_json()
        campaign.stages.append(Stage(name="II", position=1))


def test_networks_are_named_for_a_draft_without_evidence(site, engineer):
    draft(site)
    page = engineer.get("/campaigns/pilot/II/ensemble").text
    assert "kept as unmeasured" in page
    answer = engineer.post("/campaigns/pilot/II/ensemble", further="unet-tiny dla-small")
    assert answer.location == "/campaigns/pilot"
    with site.record.database.read() as session:
        stage = session.scalars(select(Stage).where(Stage.name == "II")).one()
        assert [network.name for network in stage.definition.networks] == ["dla-small", "unet-tiny"]
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "networks_chosen")).one()
        assert entry.actor == "engineer"


@pytest.mark.parametrize("further", ["", "unet-nothing", "unet-tiny unet-tiny", SCRIPT])
def test_networks_that_cannot_be_are_refused(site, engineer, further):
    draft(site)
    engineer.post("/campaigns/pilot/II/ensemble", further=further)
    page = engineer.get("/campaigns/pilot/II/ensemble").text
    assert "alert-warning" in page
    assert SCRIPT not in page


def test_an_open_stage_gets_no_other_networks(engineer):
    assert engineer.get("/campaigns/pilot/I/ensemble").status_code == 409
    engineer.post("/campaigns/pilot/I/ensemble", further="unet-tiny")
    assert "fixed when it opened" in engineer.get("/campaigns/pilot").text


def test_a_stage_says_what_its_next_step_needs(site, engineer):
    assert "0 of 6 comparisons are decided" in engineer.get("/campaigns/pilot").text
    draft(site)
    page = engineer.get("/campaigns/pilot").text
    assert "stage I is open" in page
    assert "0 films are left to read" in page
    with site.record.database.write() as session:
        session.get_one(Stage, 1).state = StageState.CLOSED
    assert "stage I is closed" in engineer.get("/campaigns/pilot").text


@pytest.mark.parametrize("number", ["many", "-1", "1.5"])
def test_a_number_of_films_that_is_none_is_refused(site, number):
    visitor = site.visit("coordinator")
    draft(site)
    visitor.post("/campaigns/pilot/II/open", n_cases=number)
    assert "The number of films is" in visitor.get("/campaigns/pilot").text
