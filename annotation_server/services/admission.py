"""Which round readers are at work in, whose seat a token names, and whether it may still be used."""

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from db.domain.campaign import Arm, RoundState, StageState
from db.domain.errors import NotFoundError, StateError
from db.models import CampaignCase, Comparison, Round, Stage
from db.repository.roster import refuse_who_left


def present_round(session: Session, stage_id: int) -> Round:
    """The stage's round that readers are at work in, or StateError."""
    stage = session.get(Stage, stage_id, options=[joinedload(Stage.campaign), joinedload(Stage.rounds)])
    if stage is None or not stage.rounds:
        msg = "This stage has not been opened."
        raise StateError(msg, hint="Ask the coordinator.")
    round_ = stage.rounds[-1]
    is_drawn = round_.state is RoundState.DRAWING
    if is_drawn and session.scalar(select(Comparison.id).where(Comparison.round_id == round_.id).limit(1)) is None:
        is_drawn = False  # its drawings came from elsewhere
    _refuse_unless(round_, RoundState.DRAWING if is_drawn else RoundState.READING)
    return round_


def own_seat(session: Session, account_id: int, token: str, *, lock: bool = False) -> Comparison:
    """The reader's seat that a token names, or NotFoundError."""
    query = select(Comparison).where(Comparison.token == token, Comparison.account_id == account_id)
    seat = session.scalar(query.with_for_update() if lock else query)
    if seat is None:
        msg = "This comparison is not yours, or not any more."
        raise NotFoundError(msg, hint="Its lease may have run out while you were away; go on with the next case.")
    return seat


def require_open(session: Session, seat: Comparison, *, lock: bool = False) -> None:
    """Refuse what is not drawn or read any more.

    With `lock`, what was found true stays true until the transaction ends: nobody locks the stage meanwhile.

    Raises
    ------
    StateError
        If the stage, the round or the film has gone on without this seat.
    """
    if lock:
        # Locking a stage and training it again both change the round's row; sharing a second row would invite deadlock.
        session.get_one(Round, seat.round_id, with_for_update={"read": True}, populate_existing=True)
    _refuse_unless(seat.round, RoundState.DRAWING if seat.kind.is_drawn else RoundState.READING)
    refuse_who_left(session, seat.round.stage, seat.account_id)
    if session.scalar(set_aside(seat.round).where(CampaignCase.case_id == seat.case_id)) is not None:
        msg = "This film was taken away from the study."
        raise StateError(msg, hint="Go on with the next case.")


def set_aside(round_: Round) -> Select[int]:
    """The cases that left the campaign of a round."""
    return select(CampaignCase.case_id).where(
        CampaignCase.campaign_id == round_.stage.campaign_id, CampaignCase.arm == Arm.SET_ASIDE
    )


def _refuse_unless(round_: Round, due: RoundState) -> None:
    stage = round_.stage
    if stage.state is not StageState.OPEN:
        msg = f"Stage {stage.address} is {stage.state}: its verdicts stand."
        raise StateError(msg, hint="What you decided is kept. Go back to the start page.")
    if round_.state is due:
        return
    if due is RoundState.DRAWING:
        msg = f"Stage {stage.address} takes no drawings any more: round {round_.number} is {round_.state}."
        raise StateError(msg, hint="What you drew is kept. Go back to the start page.")
    msg = f"Stage {stage.address} has nothing to read now: round {round_.number} is {round_.state}."
    raise StateError(msg, hint="Come back when its networks are trained.")
