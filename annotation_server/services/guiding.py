"""The annotation guide of a campaign: what counts as infection, effusion, fibrosis. Each change is a new version."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import audit
from db.domain.audit import AuditAction
from db.domain.errors import InputError
from db.models import Account, Campaign, Guide

MAX_CHARACTERS = 50_000


def all_guides(session: Session, campaign_id: int) -> list[Guide]:
    """Every version of a campaign's guide, the newest first."""
    query = select(Guide).where(Guide.campaign_id == campaign_id).order_by(Guide.version.desc())
    return list(session.scalars(query))


def newest_guide(session: Session, campaign_id: int) -> Guide | None:
    """The guide that counts, or None."""
    query = select(Guide).where(Guide.campaign_id == campaign_id).order_by(Guide.version.desc()).limit(1)
    return session.scalar(query)


def publish_guide(session: Session, campaign: Campaign, text: str, *, author: Account) -> Guide:
    """A new version of the guide; readers see it the next time they open it.

    Raises
    ------
    InputError
        If it is empty, the same as before, or longer than 50,000 characters.
    """
    text = text.replace("\r\n", "\n").strip()
    session.refresh(campaign, with_for_update=True)  # two at once would have one number
    before = newest_guide(session, campaign.id)
    if not text or len(text) > MAX_CHARACTERS:
        msg = f"The guide has {len(text)} characters."
        raise InputError(msg, hint=f"Write 1 to {MAX_CHARACTERS}.")
    if before is not None and before.text == text:
        msg = f"The guide is the same as version {before.version}."
        raise InputError(msg, hint="Change it first.")
    version = before.version + 1 if before else 1
    guide = Guide(campaign_id=campaign.id, version=version, text=text, account_id=author.id)
    session.add(guide)
    audit.log(session, author.code, AuditAction.GUIDE_PUBLISHED, campaign.name, version=version)
    return guide
