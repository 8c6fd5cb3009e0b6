"""The verdicts of a round that count, and what the readers of each case come to."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from db.domain.majority import find_majority
from db.domain.study import SeatKind
from db.models import Comparison, MaskRow, Round, Verdict
from db.repository.cases import set_aside
from db.repository.pixels import Likeness
from db.repository.roster import left_out

READ = (SeatKind.READING,)


@dataclass(frozen=True)
class Outcome:
    """What a round came to.

    `agreed` is the verdict of each settled case, `disputed` the verdicts of each whose readers differ, by case id. A
    case is disputed while no verdict has a majority and nobody adjudicated it.
    """

    agreed: dict[int, Verdict]
    disputed: dict[int, list[Verdict]]


def current_verdicts(
    session: Session, round_id: int, *, kinds: Collection[SeatKind] = READ, of_all: bool = False
) -> dict[int, list[Verdict]]:
    """The verdicts that count: case id -> the last revision of each decided seat of these kinds.

    Those of readers who left and do not count are among them only `of_all`; those of films that left, never.
    """
    stage = session.get_one(Round, round_id).stage
    without = set() if of_all else left_out(session, stage.id)
    query = (
        select(Comparison)
        .where(Comparison.round_id == round_id, Comparison.kind.in_(kinds), Comparison.decided_at.is_not(None))
        .where(Comparison.case_id.not_in(set_aside(stage.campaign_id)))
        .order_by(Comparison.case_id, Comparison.seat)
        .options(
            joinedload(Comparison.case, innerjoin=True),
            selectinload(Comparison.verdicts).joinedload(Verdict.account, innerjoin=True),
            selectinload(Comparison.verdicts).joinedload(Verdict.mask).joinedload(MaskRow.case),
        )
    )
    found: dict[int, list[Verdict]] = defaultdict(list)
    for comparison in session.scalars(query):
        if comparison.account_id not in without:
            found[comparison.case_id].append(comparison.verdicts[-1])
    return found


def weigh_verdicts(session: Session, likeness: Likeness, round_id: int) -> Outcome:
    """The majority of each case's readers by chosen mask, else the adjudicator's verdict.

    Masks that nobody could tell apart count as one, whoever made them; so do unreadable films, whatever the reason.
    """
    adjudicated = current_verdicts(session, round_id, kinds={SeatKind.ADJUDICATION})
    agreed: dict[int, Verdict] = {}
    disputed: dict[int, list[Verdict]] = {}
    for case_id, verdicts in current_verdicts(session, round_id).items():
        majority = find_majority(verdicts, lambda one, other: likeness.are_equal(one.mask, other.mask))
        if majority is None and case_id in adjudicated:
            majority = adjudicated[case_id][-1]
        if majority is None:
            disputed[case_id] = verdicts
        else:
            agreed[case_id] = majority
    return Outcome(agreed, disputed)
