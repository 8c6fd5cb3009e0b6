"""Pretrained weights of encoders: which there are, and which count."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import EncoderWeights


def newest_weights(session: Session, encoder: str) -> EncoderWeights | None:
    """The weights that networks on `encoder` start from; None where they start from random values."""
    return next(iter(all_weights(session, encoder)), None)


def all_weights(session: Session, encoder: str) -> Sequence[EncoderWeights]:
    """Every weights of `encoder`, the newest first."""
    query = select(EncoderWeights).where(EncoderWeights.encoder == encoder)
    return session.scalars(query.order_by(EncoderWeights.id.desc())).all()
