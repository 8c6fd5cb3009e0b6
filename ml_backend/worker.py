"""Training as a job: one child process a network, each finished fold recorded at once, then candidates for readers."""

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.domain.campaign import RoundState
from db.domain.errors import ExternalError, InputError, InvariantError, OverreadError, StateError
from db.domain.network import NetworkSpec
from db.domain.plan import Split
from db.domain.recipe import TrainingRecipe
from db.job_context import Details, JobContext
from db.models import CampaignCase, CaseRow, Checkpoint, Round, TrainingExample
from db.repository.plans import round_plan
from ml_backend.data import load_maps
from ml_backend.packing import agreeing, pack
from ml_backend.proposing import keep_maps, offer_candidates
from ml_backend.task import Fold, RunFolder, TrainingSpec, TrainingTask

MAX_DEATHS = 3
"""How often the child of one network is replaced."""

CHILD = (sys.executable, "-m", "ml_backend.training")

_KNOWN_ERRORS = {kind.code: kind for kind in (InputError, StateError, InvariantError)}
"""What a child reports of its own accord; another child would only say it again."""

Keep = Callable[[Session, Checkpoint, Mapping[int, str]], None]
"""Writes the rows of a fold's probability maps, case id -> digest, in the transaction that records its checkpoint."""


@dataclass(frozen=True)
class Training:
    """What a job trains: every network on every split."""

    networks: tuple[NetworkSpec, ...]
    recipe: TrainingRecipe
    splits: tuple[Split, ...]
    seed: int


def train_round(context: JobContext) -> None:
    """Job: train the networks of a round and offer their masks to its readers."""
    if context.round_id is None:
        msg = f"Job {context.job_id} trains, but names no round."
        raise InvariantError(msg)
    with context.record.database.read() as session:
        round_ = session.get_one(Round, context.round_id)
        if round_.state is not RoundState.TRAINING:
            msg = f"Round {round_.number} of stage {round_.stage.address} is {round_.state}; it is not to be trained."
            raise StateError(msg, hint=f"Run `overread stage status {round_.stage.address}`.")
        definition, seed = round_.stage.definition, round_.stage.campaign.definition.seed
        training = Training(definition.networks, definition.recipe, round_plan(session, round_.id), seed)
    train_splits(context, training, keep_maps)
    offer_candidates(context, context.round_id)


def train_splits(context: JobContext, training: Training, keep: Keep) -> None:
    """Train what the job has not recorded yet; `keep` says what becomes of each fold's out-of-fold maps.

    Afterwards the job has one checkpoint for each network and split.

    Raises
    ------
    ExternalError
        If the child of a network dies again and again; the job's log has its last words.
    JobStopped
        If the job was cancelled.
    """
    groups = agreeing(training.splits)
    packs = [pack(context, group, size=training.recipe.input_size) for group in groups]
    for network in training.networks:
        spec = TrainingSpec.of(network, training.recipe, seed=training.seed)
        run = _NetworkRun(context, keep, spec, n_folds=len(training.splits))
        for data, group in zip(packs, groups, strict=True):
            run.train(data, group)


@dataclass(eq=False)
class _NetworkRun:
    """One network's way through its folds, by as many children as it takes."""

    context: JobContext
    keep: Keep
    spec: TrainingSpec
    n_folds: int
    n_recorded: int = 0
    splits: dict[str, Split] = field(default_factory=dict)
    error: OverreadError | None = None

    @property
    def network(self) -> str:
        return self.spec.network.name

    def train(self, data: Path, group: Sequence[Split]) -> None:
        """Train the network on those splits of a group that are not recorded yet."""
        for _ in range(1 + MAX_DEATHS):
            recorded = self._recorded()
            self.n_recorded = len(recorded)
            self.splits = {_name(split): split for split in group if split.fold not in recorded}
            if not self.splits:
                return
            task = TrainingTask(self.spec, data, self._runs, tuple(map(_fold, self.splits.values())))
            task.save(path := self.context.folder / f"{self.network}.json")
            ended = self.context.child([*CHILD, str(path)], self._on_line, environment=_environment())
            if ended.status == 0:
                return
            if self.error is not None:
                raise self.error
        msg = f"Training of {self.network} died {1 + MAX_DEATHS} times, the last with status {ended.status}:\n"
        raise ExternalError(msg + ended.last_words, hint=f"More is in {self.context.log}.")

    @property
    def _runs(self) -> Path:
        return self.context.record.settings.runs_folder.resolve()

    def _recorded(self) -> set[int | None]:
        query = select(Checkpoint.fold).where(Checkpoint.job_id == self.context.job_id)
        with self.context.record.database.read() as session:
            return set(session.scalars(query.where(Checkpoint.network == self.network)))

    def _on_line(self, line: str) -> None:
        if not line.startswith("{"):  # a library's chatter
            return
        values: dict[str, Any] = json.loads(line)
        match values["event"]:
            case "progress":
                n_epochs = values["epoch"] - (values["step"] < values["n_steps"])
                self._report(
                    n_epochs,
                    loss=values["loss"],
                    films_per_s=values["films_per_s"],
                    eta_s=values["eta_s"],
                    message=f"fold {values['fold']}, epoch {values['epoch']} of {values['n_epochs']}",
                )
            case "waiting":
                self._report(0, message=f"fold {values['fold']} is being trained by another process")
            case "fold":
                self._record(values)
                self.n_recorded += 1
                self._report(0, message=f"fold {values['fold']} is done")
            case "error" if values["code"] in _KNOWN_ERRORS:
                self.error = _KNOWN_ERRORS[values["code"]](values["message"], hint=values["hint"])

    def _report(self, n_epochs: int, **details: Unpack[Details]) -> None:
        """Progress counts whole epochs over all folds: what is counted is never trained again."""
        n_done = self.n_recorded * self.spec.epochs + n_epochs
        self.context.report(self.network, n_done, self.n_folds * self.spec.epochs, **details)

    def _record(self, values: Mapping[str, Any]) -> None:
        """Keep a finished fold: its files in the store first, then all its rows at once."""
        store, split = self.context.record.store, self.splits[values["fold"]]
        run = RunFolder(self._runs / values["key"])
        maps = load_maps(Path(values["predictions"])) if values["predictions"] else {}
        digests = {case: store.put_map(probability) for case, probability in maps.items()}
        checkpoint = Checkpoint(
            network=self.network,
            fold=split.fold,
            key=run.key,
            weights_digest=store.put(run.checkpoint.read_bytes()),
            card=json.loads(run.card.read_text()),
        )
        with self.context.record.database.write() as session:
            checkpoint.job = self.context.running_job(session)
            session.add(checkpoint)
            session.flush()
            ids = _case_ids(session, self.context.campaign_id)
            rows = [
                {"checkpoint_id": checkpoint.id, "case_id": ids[example.case], "mask_id": example.mask_id}
                for example in split.examples
            ]
            session.execute(insert(TrainingExample), rows)
            self.keep(session, checkpoint, {ids[case]: digest for case, digest in digests.items()})


def _name(split: Split) -> str:
    return "all" if split.fold is None else str(split.fold)


def _fold(split: Split) -> Fold:
    return Fold(_name(split), tuple(example.case for example in split.examples), split.targets)


def _case_ids(session: Session, campaign_id: int) -> dict[str, int]:
    query = select(CaseRow.key, CaseRow.id).join(CampaignCase).where(CampaignCase.campaign_id == campaign_id)
    return dict(session.execute(query).all())


def _environment() -> dict[str, str]:
    """The child's environment: quiet, and with no more threads than this process may use cores."""
    n_cores = str(len(os.sched_getaffinity(0)))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), n_cores)
    return {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3", **threads, **os.environ}
