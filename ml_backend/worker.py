"""Training as a job: each finished fold is recorded at once, then readers get their candidates."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.domain.campaign import RoundState
from db.domain.errors import InvariantError, StateError
from db.domain.folds import sample_components
from db.domain.network import NetworkSpec
from db.domain.plan import Split
from db.domain.recipe import TrainingRecipe
from db.job_context import Details, JobContext
from db.models import Campaign, CampaignCase, CaseRow, Checkpoint, Round, TrainingExample
from db.repository.cases import component_of
from db.repository.late import LATE, late_splits, round_checkpoints
from db.repository.plans import round_plan
from ml_backend.children import Line, run_children
from ml_backend.curves import Curves
from ml_backend.data import load_maps
from ml_backend.packing import agreeing, pack
from ml_backend.proposing import keep_maps, offer_candidates
from ml_backend.starting import MakePretext, encoder_starts, learn_pretext, no_pretext
from ml_backend.task import Fold, RunFolder, TrainingSpec, TrainingTask

Keep = Callable[[Session, Checkpoint, Mapping[int, str]], None]
"""Writes the rows of a fold's probability maps, case id -> digest, in the transaction that records its checkpoint."""


@dataclass(frozen=True)
class Training:
    """What a job trains: every network on every split."""

    networks: tuple[NetworkSpec, ...]
    recipe: TrainingRecipe
    splits: tuple[Split, ...]
    seed: int


def train_round(context: JobContext, make_pretext: MakePretext = no_pretext) -> None:
    """Job: train the networks of a round and offer their masks to its readers.

    With the argument `late` nothing is trained: the networks, as they are, are asked for films that joined the round
    while it is read.
    """
    if context.round_id is None:
        msg = f"Job {context.job_id} trains, but names no round."
        raise InvariantError(msg)
    if LATE in context.arguments:
        _propose_late(context, context.round_id, make_pretext)
        return
    with context.record.database.read() as session:
        round_ = session.get_one(Round, context.round_id)
        if round_.state is not RoundState.TRAINING:
            msg = f"Round {round_.number} of stage {round_.stage.address} is {round_.state}; it is not to be trained."
            raise StateError(msg, hint=f"Run `overread stage status {round_.stage.address}`.")
        definition, seed = round_.stage.definition, round_.stage.campaign.definition.seed
        training = Training(definition.networks, definition.recipe, round_plan(session, round_.id), seed)
    train_splits(context, training, keep_maps, make_pretext)
    offer_candidates(context, context.round_id)


def _propose_late(context: JobContext, round_id: int, make_pretext: MakePretext) -> None:
    with context.record.database.read() as session:
        round_ = session.get_one(Round, round_id)
        definition, seed = round_.stage.definition, round_.stage.campaign.definition.seed
        splits = late_splits(session, round_, context.arguments[LATE])
        training = Training(definition.networks, definition.recipe, splits, seed)
    train_splits(context, training, keep_maps, make_pretext)  # finished trainings are found by what they learned from
    with context.record.database.read() as session:
        round_ = session.get_one(Round, round_id)
        known = {(one.network, one.fold): one.weights_digest for one in round_checkpoints(session, round_)}
        asked = session.scalars(select(Checkpoint).where(Checkpoint.job_id == context.job_id))
        if changed := sorted({one.network for one in asked if known[one.network, one.fold] != one.weights_digest}):
            msg = f"{', '.join(changed)} would not be the networks that this round's readers see."
            hint = "Pretrained weights were imported since, or the runs are gone. Late films wait for the next round."
            raise StateError(msg, hint=hint)
    offer_candidates(context, round_id, are_late=True)


def train_splits(context: JobContext, training: Training, keep: Keep, make_pretext: MakePretext = no_pretext) -> None:
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
    starts = encoder_starts(context, training.networks, training.recipe)
    for network in training.networks:
        run = _NetworkRun(context, keep, network.name, training)
        if run.is_recorded:
            continue
        start = starts[network.encoder]
        spec = TrainingSpec.of(network, training.recipe, seed=training.seed, start=start)
        if training.recipe.pretext != "none":
            spec = learn_pretext(context, spec, make_pretext)
        for data, group in zip(packs, groups, strict=True):
            run.train(spec, data, group)


@dataclass(eq=False)
class _NetworkRun:
    """One network's way through its folds."""

    context: JobContext
    keep: Keep
    network: str
    training: Training
    splits: dict[str, Split] = field(default_factory=dict)

    @property
    def is_recorded(self) -> bool:
        """Whether every fold is."""
        return len(self._recorded()) == len(self.training.splits)

    def train(self, spec: TrainingSpec, data: Path, group: Sequence[Split]) -> None:
        """Train the network on those splits of a group that are not recorded yet."""
        start = self.context.record.store.path(spec.start) if spec.start else None

        def next_task() -> TrainingTask | None:
            recorded = self._recorded()
            self.splits = {_name(split): split for split in group if split.fold not in recorded}
            folds = tuple(self._fold(split) for split in self.splits.values())
            return TrainingTask(spec, data, self._runs, folds, self._corpus, start) if folds else None

        with Curves(self.context, self.network) as self.curves:
            run_children(self.context, self.network, next_task, self._on_line)

    @property
    def _runs(self) -> Path:
        return self.context.record.settings.runs_folder.resolve()

    @cached_property
    def _corpus(self) -> str:
        with self.context.record.database.read() as session:
            return f"films of campaign {session.get_one(Campaign, self.context.campaign_id).name}"

    def _fold(self, split: Split) -> Fold:
        """The split as a training, with whole components of its examples held out where the recipe says so."""
        keys = [example.case for example in split.examples]
        held_out: set[str] = set()
        if share := self.training.recipe.validation_share:
            with self.context.record.database.read() as session:
                component = component_of(session, self.context.campaign_id)
            of_case = {key: component[key] for key in keys}
            chosen = sample_components(of_case, max(1, round(share * len(keys))), seed=self.training.seed)
            held_out = {key for key in keys if of_case[key] in chosen}
        train, validation = ([key for key in keys if (key in held_out) is is_held] for is_held in (False, True))
        return Fold(_name(split), tuple(train), split.targets, tuple(validation))

    def _recorded(self) -> set[int | None]:
        query = select(Checkpoint.fold).where(Checkpoint.job_id == self.context.job_id)
        with self.context.record.database.read() as session:
            return set(session.scalars(query.where(Checkpoint.network == self.network)))

    def _on_line(self, line: Line) -> None:
        match line["event"]:
            case "progress":
                is_whole = line["step"] == line["n_steps"]
                self._report(
                    line["epoch"] - (not is_whole),
                    loss=line["loss"],
                    films_per_s=line["films_per_s"],
                    eta_s=line["eta_s"],
                    message=f"fold {line['fold']}, epoch {line['epoch']} of {line['n_epochs']}",
                )
                if is_whole:
                    self.curves.add(line)
            case "waiting":
                self._report(0, message=f"fold {line['fold']} is being trained by another process")
            case "fold":
                self._record(line)
                self._report(0, message=f"fold {line['fold']} is done")

    def _report(self, n_epochs: int, **details: Unpack[Details]) -> None:
        """Progress counts whole epochs over all folds: what is counted is never trained again."""
        n_folds, n_epochs_each = len(self.training.splits), self.training.recipe.epochs
        n_done = len(self._recorded()) * n_epochs_each + n_epochs
        self.context.report(self.network, n_done, n_folds * n_epochs_each, **details)

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


def _case_ids(session: Session, campaign_id: int) -> dict[str, int]:
    query = select(CaseRow.key, CaseRow.id).join(CampaignCase).where(CampaignCase.campaign_id == campaign_id)
    return dict(session.execute(query).all())
