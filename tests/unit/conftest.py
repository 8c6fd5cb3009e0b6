"""A record, and a campaign that went as far as a test needs it."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.services.enrolling import draw_sentinels, enrol, take_cases
from db.artifacts import Store
from db.domain.campaign import CampaignDefinition, RoundState, StageDefinition, StageState
from db.domain.case import CaseClass, View
from db.domain.network import NetworkSpec
from db.domain.provenance import JobKind, JobState, MaskOrigin, Role
from db.domain.recipe import TrainingRecipe
from db.domain.verdict import VerdictKind
from db.models import (
    Account,
    Base,
    Campaign,
    Candidate,
    CaseRow,
    Checkpoint,
    Comparison,
    Job,
    MaskRow,
    Round,
    Stage,
    TrainingExample,
    Verdict,
    now,
)
from db.record import Record
from db.repository.checks import make_flawed, offer_flawed
from db.repository.plans import drawings, round_plan
from db.repository.seating import seat_drawers, seat_readers
from db.session import Database
from db.settings import Settings

HEIGHT, WIDTH = 50, 40
RECIPE = TrainingRecipe(input_size=32)
STAGES = (
    StageDefinition("I", (NetworkSpec("unet", "tiny"),), with_drawing=True, recipe=RECIPE),
    StageDefinition("II", (NetworkSpec("unet", "tiny"), NetworkSpec("dla", "tiny")), with_drawing=False, recipe=RECIPE),
    StageDefinition(
        "III", (NetworkSpec("unet", "tiny"), NetworkSpec("dla", "tiny")), with_drawing=False, recipe=RECIPE
    ),
)


@pytest.fixture
def record(tmp_path):
    """An empty record on SQLite, without the job engine's tables."""
    settings = Settings(home=tmp_path)
    database = Database.of(settings)
    Base.metadata.create_all(database.engine)
    yield Record(settings, database, Store(settings.store_folder))
    database.dispose()


@dataclass
class CampaignBuilder:
    """Takes a campaign of 40 films (two a patient, the last ten normal) through its steps, one method a step."""

    record: Record
    n_drawn: int = 11
    stages: tuple[StageDefinition, ...] = STAGES
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def create(self) -> "CampaignBuilder":
        """Films, a reader, and the first `n_drawn` films with drawings."""
        definition = CampaignDefinition(self.stages, n_folds=3)
        with self.record.database.write() as session:
            reader = Account(code="r1", role=Role.READER, fs_uniquifier="r1")
            campaign = Campaign(name="pilot", definition_json=definition.to_json())
            campaign.stages = [Stage(name=stage.name, position=i) for i, stage in enumerate(self.stages)]
            session.add_all([reader, campaign])
            for i in range(40):
                session.add(self.case(i))
            session.flush()
            for row in session.scalars(select(CaseRow).order_by(CaseRow.key).limit(self.n_drawn)):
                session.add(self.drawing(row, campaign.id, reader.id))
        return self

    def case(self, i: int) -> CaseRow:
        """Film `cII` of patient `p(II // 2)`."""
        return CaseRow(
            key=f"c{i:02}",
            patient=f"p{i // 2:02}",
            component=f"c{i // 2 * 2:02}",
            case_class=CaseClass.NORMAL if i >= 30 else CaseClass.INFECTION,
            view=View.PA,
            source="test",
            licence="CC0",
            width_px=WIDTH,
            height_px=HEIGHT,
            film_digest=self.record.store.put_film(self.rng.integers(0, 255, (HEIGHT, WIDTH)).astype(np.uint8)),
            fingerprint=b"",
        )

    def drawing(self, row: CaseRow, campaign_id: int, account_id: int) -> MaskRow:
        """A random drawing."""
        digest = self.record.store.put_mask(self.rng.random((HEIGHT, WIDTH)) > 0.5)
        return MaskRow(
            campaign_id=campaign_id, case_id=row.id, origin=MaskOrigin.DRAWING, digest=digest, account_id=account_id
        )

    def open(self, name: str, n_cases: int | None = None) -> "CampaignBuilder":
        """Open a stage with its first round."""
        with self.record.database.write() as session:
            stage = self.stage(session, name)
            enrol(session, stage.campaign)
            take_cases(session, stage, n_cases)
            draw_sentinels(session, stage)
            stage.state = StageState.OPEN
            stage.rounds.append(Round(number=1))
            session.flush()
            seat_drawers(session, stage.rounds[0])
        return self

    def train(self, name: str) -> "CampaignBuilder":
        """Pretend that the last round's networks were trained and asked: random maps, then candidates and seats."""
        with self.record.database.read() as session:
            round_id = self.stage(session, name).rounds[-1].id
        flawed = make_flawed(self.record, round_id, self.rng)
        with self.record.database.write() as session:
            stage = self.stage(session, name)
            round_ = stage.rounds[-1]
            job = Job(
                kind=JobKind.TRAIN,
                workflow_id=f"{name}-{round_.number}",
                campaign_id=stage.campaign_id,
                round_id=round_.id,
                state=JobState.DONE,
            )
            session.add(job)
            session.flush()
            ids = dict(session.execute(select(CaseRow.key, CaseRow.id)).all())
            masks: dict[str, list[int]] = {}
            for network in stage.definition.networks:
                for split in round_plan(session, round_.id):
                    checkpoint = self.checkpoint(network.name, split.fold, job.id)
                    session.add(checkpoint)
                    session.flush()
                    session.add_all(
                        TrainingExample(checkpoint_id=checkpoint.id, case_id=ids[one.case], mask_id=one.mask_id)
                        for one in split.examples
                    )
                    for key in split.targets:
                        mask = self.proposal(stage.campaign_id, ids[key], checkpoint.id)
                        session.add(mask)
                        session.flush()
                        masks.setdefault(key, []).append(mask.id)
            if stage.definition.with_drawing:
                for key, mask_id in drawings(session, stage.campaign_id).items():
                    if key in masks:
                        masks[key].append(mask_id)
            drawing_of = {}
            for key, proposed in masks.items():
                session.add_all(
                    Candidate(round_id=round_.id, case_id=ids[key], position=i, mask_id=id_)
                    for i, id_ in enumerate(proposed)
                )
                if stage.definition.with_drawing:
                    drawing_of[ids[key]] = len(proposed) - 1, range(len(proposed) - 1)
            seat_readers(session, round_, drawing_of, [ids[key] for key in masks])
            offer_flawed(session, round_, flawed, self.rng)
            round_.state = RoundState.READING
        return self

    def checkpoint(self, network: str, fold: int | None, job_id: int) -> Checkpoint:
        """A checkpoint without weights."""
        return Checkpoint(job_id=job_id, network=network, fold=fold, key="k" * 64, weights_digest="w" * 64, card={})

    def proposal(self, campaign_id: int, case_id: int, checkpoint_id: int) -> MaskRow:
        """A random probability map."""
        digest = self.record.store.put_map(self.rng.random((32, 32)).astype(np.float32))
        return MaskRow(
            campaign_id=campaign_id,
            case_id=case_id,
            origin=MaskOrigin.NETWORK,
            map_digest=digest,
            checkpoint_id=checkpoint_id,
        )

    def read(self, name: str, *, all_but: int = 0) -> "CampaignBuilder":
        """Reader r1 picks the first candidate of every case but the last `all_but`."""
        with self.record.database.write() as session:
            round_ = self.stage(session, name).rounds[-1]
            seats = session.scalars(select(Comparison).where(Comparison.round_id == round_.id)).all()
            for seat in seats[: len(seats) - all_but]:
                query = select(Candidate).where(
                    Candidate.round_id == round_.id, Candidate.case_id == seat.case_id, Candidate.position == 0
                )
                self.decide(session, seat, VerdictKind.PICK, session.scalars(query).one().mask_id)
        return self

    def decide(self, session, seat: Comparison, kind: VerdictKind, mask_id: int | None) -> None:
        """One verdict by reader r1."""
        reader = session.scalars(select(Account).where(Account.code == "r1")).one()
        seat.account_id, seat.token, seat.order, seat.decided_at = reader.id, f"token-{seat.id}", [0, 1], now()
        revision = len(seat.verdicts) + 1
        seat.verdicts.append(
            Verdict(
                revision=revision,
                account_id=reader.id,
                kind=kind,
                slot=0 if kind is VerdictKind.PICK else None,
                mask_id=mask_id,
                idempotency_key=f"key-{revision}",
                protocol_digest="protocol",
            )
        )

    def stage(self, session, name: str) -> Stage:
        """The stage of that name."""
        return session.scalars(select(Stage).where(Stage.name == name)).one()


@pytest.fixture
def campaign_builder(record):
    """A campaign builder that has created nothing yet."""
    return CampaignBuilder(record)


@pytest.fixture
def campaign(campaign_builder):
    """A campaign builder that has created its films and drawings."""
    return campaign_builder.create()
