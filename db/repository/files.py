"""Which files of the store the record knows of."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.models import CaseRow, Checkpoint, EncoderWeights, FinalMask, MaskRow, PhantomTruth, Prediction

DIGESTS = (
    CaseRow.film_digest,
    CaseRow.lung_digest,
    MaskRow.digest,
    MaskRow.map_digest,
    FinalMask.digest,
    Checkpoint.weights_digest,
    Prediction.map_digest,
    PhantomTruth.infection_digest,
    PhantomTruth.lung_digest,
    EncoderWeights.digest,
)
"""Every column that names a file in the store."""


def known_digests(session: Session) -> set[str]:
    """The digest of every file that a row names. A withdrawn film has none any more."""
    found = {digest for column in DIGESTS for digest in session.scalars(select(column).distinct())}
    return {digest for digest in found if digest}
