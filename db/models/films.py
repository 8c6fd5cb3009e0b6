"""Films."""

from datetime import date, datetime

from sqlalchemy import ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from db.domain.case import CaseClass, View
from db.domain.provenance import SOFTWARE_VERSION
from db.models.base import Base, now


class CaseRow(Base):
    """One film. `fingerprint` is the thumbnail that finds near-duplicates."""

    __tablename__ = "case"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    patient: Mapped[str] = mapped_column(index=True)
    component: Mapped[str] = mapped_column(index=True)
    case_class: Mapped[CaseClass]
    view: Mapped[View]
    source: Mapped[str]
    licence: Mapped[str]
    sex: Mapped[str | None]
    age_years: Mapped[float | None]
    taken_on: Mapped[date | None]
    width_px: Mapped[int]
    height_px: Mapped[int]
    film_digest: Mapped[str]
    lung_digest: Mapped[str | None] = mapped_column(doc="A lung mask that came with the film: an outline to look by.")
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    simulated: Mapped[bool] = mapped_column(default=False)
    software_version: Mapped[str] = mapped_column(default=SOFTWARE_VERSION)
    created_at: Mapped[datetime] = mapped_column(default=now)


class PhantomTruth(Base):
    """What a phantom film really shows. Real films have none."""

    __tablename__ = "phantom_truth"

    case_id: Mapped[int] = mapped_column(ForeignKey("case.id"), primary_key=True)
    infection_digest: Mapped[str]
    lung_digest: Mapped[str]
