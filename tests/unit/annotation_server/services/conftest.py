"""A stage whose study is designed as a test wants it, and readers who judge it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.services.reading import ReadingService
from db import jobs
from db.accounts import add_account
from db.domain.mask import pack
from db.domain.network import NetworkSpec
from db.domain.provenance import Role
from db.domain.study import SeatKind, StudyDesign
from db.domain.verdict import Decision, VerdictKind
from db.models import Account, Comparison, Stage

PICK = Decision(VerdictKind.PICK, slot=0)
DRAWN = Decision(VerdictKind.DRAWN)
NETWORKS = (NetworkSpec("unet", "tiny"), NetworkSpec("dla", "tiny"))
DRAWING = pack(np.pad(np.ones((20, 20), np.bool_), ((10, 20), (10, 10))))


@pytest.fixture
def design(record, campaign_builder):
    """`design(readers_per_case=2, repeat_share=0.5)`: a campaign whose stages are read so, and readers r1 to r4."""

    def build(*, readers_per_case=1, n_drawn=11, n_readers=4, **study):
        stages = tuple(
            replace(stage, readers_per_case=readers_per_case, study=StudyDesign(**study), networks=NETWORKS)
            for stage in campaign_builder.stages[:2]
        )
        campaign = replace(campaign_builder, stages=stages, n_drawn=n_drawn).create()
        with record.database.write() as session:
            for i in range(2, n_readers + 1):
                add_account(session, f"r{i}", Role.READER)
        jobs.prepare(record.database)
        return campaign

    return build


class Room(ReadingService):
    """The reading room, and what tests do and look up in it."""

    def seats(self, *kinds: SeatKind) -> Sequence[Comparison]:
        """The seats of these kinds, or all."""
        with self._database.read() as session:
            query = select(Comparison).order_by(Comparison.id)
            return session.scalars(query.where(Comparison.kind.in_(kinds)) if kinds else query).all()

    def seat_of(self, view) -> Comparison:
        """The row behind what a reader sees."""
        with self._database.read() as session:
            return session.scalars(select(Comparison).where(Comparison.token == view.token)).one()

    def say(self, reader, view, decision=PICK, drawing=None) -> int:
        """The first verdict on a comparison."""
        return self.decide(reader, view.token, decision, idempotency_key=f"k{view.token[:20]}", drawing=drawing)

    def draw(self, reader, view) -> int:
        """A square, drawn by hand."""
        return self.say(reader, view, DRAWN, DRAWING)

    def read_all(self, reader, decision=PICK, stage_id=1):
        """Say the same of everything that there is for a reader; the views in their order."""
        views = []
        while view := self.next_comparison(reader, stage_id):
            views.append(view)
            self.say(reader, view, decision, DRAWING if decision.kind is VerdictKind.DRAWN else None)
        return views

    def staff(self, step, account_id, **options):
        """Take a step of `services.rostering` with a reader in stage I."""
        with self._database.write() as session:
            return step(session, session.get_one(Stage, 1), session.get_one(Account, account_id), **options)


@pytest.fixture
def room(record):
    """The reading room."""
    return Room(record)
