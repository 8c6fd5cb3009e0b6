"""The way of the films, counted."""

import pytest
from sqlalchemy import select

from db.domain.campaign import Arm
from db.models import Campaign, CampaignCase
from pipelines.report.flow import find_flow, find_origins


@pytest.fixture
def flow(record):
    """The present flow as name -> (films, patients)."""

    def find():
        with record.database.read() as session:
            steps = find_flow(session, session.scalars(select(Campaign)).one())
            return {step.name: (step.n_films, step.n_patients) for step in steps}

    return find


@pytest.mark.usefixtures("campaign")
def test_before_a_stage_opens_films_are_only_ingested(flow):
    assert flow() == {"Ingested": (40, 20)}


def test_films_are_followed_by_stage_arm_and_reason(record, campaign, flow):
    campaign.open("I").train("I").read("I", all_but=2)
    with record.database.write() as session:
        members = select(CampaignCase).where(CampaignCase.arm == Arm.READ, CampaignCase.stage_id.is_(None))
        aside = session.scalars(members.order_by(CampaignCase.case_id.desc())).first()
        aside.arm, aside.reason = Arm.SET_ASIDE, "a duplicate"
    found = flow()
    assert found["In campaign pilot"] == (40, 20)
    assert found["Stage I"][0] == found["judged"][0] + 2
    assert found["Control group"] == (10, 5)
    assert found["Set aside: a duplicate"] == (1, 1)
    parts = [n_films for name, (n_films, _) in found.items() if name.startswith(("Stage", "To be", "Control", "Set"))]
    assert sum(parts) == 40
    assert "with a final mask" not in found


def test_origins_name_source_licence_and_class(record, campaign):
    campaign.open("I")
    with record.database.read() as session:
        origins = find_origins(session, session.scalars(select(Campaign)).one())
    assert [(one.source, one.licence, one.case_class, one.n_films) for one in origins] == [
        ("test", "CC0", "infection", 30),
        ("test", "CC0", "normal", 10),
    ]
