"""What the readers of an unblinded stage preferred, with what is needed to read it rightly."""

from dataclasses import dataclass
from math import nan

from sqlalchemy import select
from sqlalchemy.orm import Session

from annotation_server.services.overview import shows_phantoms
from db.artifacts import Store
from db.domain.agreement import (
    PositionBias,
    Preference,
    chance_machine_preferred,
    measure_position_bias,
    measure_preference,
)
from db.domain.errors import StateError
from db.models import Account, Comparison, Stage, Verdict
from db.repository.figure_lines import FigureLine, figure_lines
from db.repository.figures import StudyFigures, study_figures
from db.repository.judgements import judge_round


@dataclass(frozen=True)
class StagePreference:
    """The preference in a stage's last round. `chance` is nan where no drawing was on offer."""

    measured: Preference
    chance: float
    bias: PositionBias
    is_simulated: bool
    has_phantoms: bool
    study: StudyFigures

    @property
    def lines(self) -> list[FigureLine]:
        """All figures, as the report shows them too."""
        return figure_lines(self.study, self.measured, chance=self.chance)


def stage_preference(session: Session, store: Store, stage: Stage) -> StagePreference:
    """Measure it.

    Raises
    ------
    StateError
        Before the stage is unblinded.
    """
    if not stage.rounds:
        msg = f"Stage {stage.address} was never opened."
        raise StateError(msg)
    round_id = stage.rounds[-1].id
    judgements = judge_round(session, store, round_id)
    definition = stage.definition
    simulated = select(Verdict.id).join(Comparison).join(Account, Verdict.account_id == Account.id)
    return StagePreference(
        measured=measure_preference(judgements),
        chance=chance_machine_preferred(len(definition.networks)) if definition.with_drawing else nan,
        bias=measure_position_bias(judgements),
        study=study_figures(session, store, round_id),
        is_simulated=session.scalar(simulated.where(Comparison.round_id == round_id, Account.simulated)) is not None,
        has_phantoms=shows_phantoms(session, stage),
    )
