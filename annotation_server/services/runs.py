"""What an engineer looks at: trainings, what they left behind, and how the networks of locked stages did."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.domain.errors import NotFoundError
from db.domain.provenance import JobKind
from db.models import Checkpoint, Job, now

N_RUNS = 100


@dataclass(frozen=True)
class Run:
    """A training or a benchmark; `hours` until its end, or until now."""

    job: Job
    place: str
    hours: float | None
    n_checkpoints: int


@dataclass(frozen=True)
class TrainedNetwork:
    """A network of a run: its checkpoints, one a fold, and what their cards say together."""

    network: str
    checkpoints: Sequence[Checkpoint]

    @property
    def data(self) -> Sequence[str]:
        """The digests of what was learned from."""
        return sorted({str(one.card.get("data", ""))[:12] for one in self.checkpoints})

    @property
    def wall_s(self) -> float:
        """How long all folds took."""
        return sum(float(one.card.get("wall_s", 0)) for one in self.checkpoints)


def list_runs(session: Session) -> Sequence[Run]:
    """The newest trainings and benchmarks of all campaigns."""
    query = select(Job).where(Job.kind.in_((JobKind.TRAIN, JobKind.BENCHMARK))).order_by(Job.id.desc()).limit(N_RUNS)
    found = session.scalars(query).all()
    counts = select(Checkpoint.job_id, func.count()).where(Checkpoint.job_id.in_([job.id for job in found]))
    n_checkpoints = dict(session.execute(counts.group_by(Checkpoint.job_id)).all())
    return [_run(job, n_checkpoints.get(job.id, 0)) for job in found]


def find_run(session: Session, job_id: int) -> tuple[Run, Sequence[TrainedNetwork]]:
    """A run with its networks, or NotFoundError."""
    job = session.get(Job, job_id)
    if job is None or job.kind not in {JobKind.TRAIN, JobKind.BENCHMARK}:
        msg = f"There is no run {job_id}."
        raise NotFoundError(msg, hint="Look at the list of runs.")
    of_network: dict[str, list[Checkpoint]] = defaultdict(list)
    query = select(Checkpoint).where(Checkpoint.job_id == job_id).order_by(Checkpoint.network, Checkpoint.fold)
    for checkpoint in session.scalars(query):
        of_network[checkpoint.network].append(checkpoint)
    networks = [TrainedNetwork(name, found) for name, found in of_network.items()]
    return _run(job, sum(map(len, of_network.values()))), networks


def _run(job: Job, n_checkpoints: int) -> Run:
    hours = None
    if job.started_at is not None:
        hours = ((job.finished_at or now()) - job.started_at).total_seconds() / 3600
    place = f"{job.round.stage.address}, round {job.round.number}" if job.round else f"{job.campaign.name}, benchmark"
    return Run(job, place, hours, n_checkpoints)
