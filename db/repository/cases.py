"""Campaigns and stages by their names, and the components of a campaign's cases."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from db.domain.campaign import Arm
from db.domain.errors import NotFoundError
from db.models import Campaign, CampaignCase, CaseRow, Stage


def component_of(session: Session, campaign_id: int) -> dict[str, str]:
    """The component of each of the campaign's cases, as it was when the case joined."""
    query = select(CaseRow.key, CampaignCase.component).join(CampaignCase)
    return dict(session.execute(query.where(CampaignCase.campaign_id == campaign_id)).all())


def set_aside(campaign_id: int) -> Select[int]:
    """The cases that left a campaign: what was said of them does not count."""
    return select(CampaignCase.case_id).where(
        CampaignCase.campaign_id == campaign_id, CampaignCase.arm == Arm.SET_ASIDE
    )


def find_campaign(session: Session, name: str) -> Campaign:
    """The campaign of `name`, or NotFoundError that lists those there are."""
    campaign = session.scalar(select(Campaign).where(Campaign.name == name))
    if campaign is None:
        known = session.scalars(select(Campaign.name).order_by(Campaign.name)).all()
        msg = f"There is no campaign {name!r}."
        raise NotFoundError(
            msg,
            hint=f"Known: {', '.join(known) or 'none yet; run `overread campaign create NAME`'}.",
        )
    return campaign


def find_stage(session: Session, address: str) -> Stage:
    """The stage of `CAMPAIGN/STAGE`, or NotFoundError."""
    campaign_name, _, name = address.partition("/")
    campaign = find_campaign(session, campaign_name)
    for stage in campaign.stages:
        if stage.name == name:
            return stage
    names = ", ".join(stage.address for stage in campaign.stages)
    msg = f"There is no stage {address!r}."
    raise NotFoundError(msg, hint=f"Campaign {campaign_name} has {names}.")
