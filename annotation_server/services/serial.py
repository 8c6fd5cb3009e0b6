"""The patient's other films in the campaign, for a reader who asks: nothing of masks, verdicts, keys or dates.

They stand in order of acquisition. Films without a date come last, and films of one day together, both in the order in
which they were registered; of neither is said what came first. Where the stage shows dates it shows days from the film
that is read: ingest shifted the dates of a patient together, so that intervals hold.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from db.domain.campaign import TAKEN_AWAY
from db.domain.errors import NotAllowedError, NotFoundError
from db.domain.study import SerialFilms
from db.models import CampaignCase, CaseRow, Comparison, Stage

Order = Literal["present", "before", "after", "unknown"]

NAME_CHARACTERS = 32


@dataclass(frozen=True)
class SerialFilm:
    """A film of the patient.

    Attributes
    ----------
    name
        Opens it in this comparison, and in no other. It follows from the comparison's token and the film's pixels, so
        that it tells no row.
    order
        Whether it is the film that is read, was taken before or after it, or nobody knows.
    days
        From the film that is read, negative before it; None where dates are hidden or missing.
    """

    name: str
    order: Order
    days: int | None


def count_others(session: Session, stage: Stage, case: CaseRow) -> int:
    """How many further films a reader of a case may ask for; 0 where the stage hides them."""
    if stage.definition.study.serial_films is SerialFilms.HIDDEN:
        return 0
    others = _of_patient(stage, case).where(CaseRow.id != case.id)
    return session.scalar(others.with_only_columns(func.count())) or 0


def list_films(session: Session, seat: Comparison) -> list[SerialFilm]:
    """The patient's films, the one that is read among them.

    Raises
    ------
    NotAllowedError
        If the stage hides them.
    """
    with_dates = seat.round.stage.definition.study.serial_films is SerialFilms.WITH_DATES
    return [
        SerialFilm(_name(seat, case), *_relate(case, seat.case, with_dates=with_dates))
        for case in _require(session, seat)
    ]


def find_film(session: Session, seat: Comparison, name: str) -> str:
    """The digest of the film that a name of `list_films` opens.

    Raises
    ------
    NotAllowedError
        If the stage hides them.
    NotFoundError
        If there is none, or not any more.
    """
    found = next((case for case in _require(session, seat) if _name(seat, case) == name), None)
    if found is None:
        msg = "There is no such film of this patient, or not any more."
        raise NotFoundError(msg, hint="Ask for the other films again.")
    return found.film_digest


def _require(session: Session, seat: Comparison) -> Sequence[CaseRow]:
    stage = seat.round.stage
    if stage.definition.study.serial_films is SerialFilms.HIDDEN:
        msg = f"Stage {stage.address} shows no other films of a patient."
        raise NotAllowedError(msg, hint="It is part of the protocol; ask the coordinator.")
    return sorted(session.scalars(_of_patient(stage, seat.case)), key=_acquired)


def _of_patient(stage: Stage, case: CaseRow) -> Select[CaseRow]:
    """The films of the patient in this campaign, whatever their arm, but for those that nobody may see any more."""
    is_member = (CampaignCase.case_id == CaseRow.id) & (CampaignCase.campaign_id == stage.campaign_id)
    return (
        select(CaseRow)
        .join(CampaignCase, is_member)
        .where(CaseRow.patient == case.patient, CampaignCase.reason.not_in(TAKEN_AWAY))
    )


def _acquired(case: CaseRow) -> tuple[bool, date, int]:
    return case.taken_on is None, case.taken_on or date.min, case.id


def _relate(case: CaseRow, present: CaseRow, *, with_dates: bool) -> tuple[Order, int | None]:
    if case.id == present.id:
        return "present", 0 if with_dates else None
    if case.taken_on is None or present.taken_on is None:
        return "unknown", None
    days = (case.taken_on - present.taken_on).days
    return "before" if days < 0 else "after" if days else "unknown", days if with_dates else None


def _name(seat: Comparison, case: CaseRow) -> str:
    return hashlib.sha256(f"{seat.token}/{case.film_digest}".encode()).hexdigest()[:NAME_CHARACTERS]
