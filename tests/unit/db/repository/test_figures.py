"""What the study's design tells of an unblinded stage."""

from math import isnan

import numpy as np
import pytest
from sqlalchemy import select

from annotation_server.services.reading import ReadingService
from db.accounts import add_account
from db.domain.campaign import Arm, StageState
from db.domain.errors import StateError
from db.domain.provenance import MaskOrigin, Role
from db.domain.study import SeatKind, seat_number
from db.domain.verdict import Decision, VerdictKind
from db.models import (
    CampaignCase,
    Candidate,
    CaseRow,
    Comparison,
    FinalMask,
    MaskRow,
    PhantomTruth,
    Stage,
    StageReader,
    Verdict,
    now,
)
from db.repository.figures import locked_figures, study_figures


@pytest.fixture
def record(build_room):
    return build_room(n_cases=6, readers=("r1", "r2"), n_seats=2)


@pytest.fixture
def read(record):
    """`read(reader, choose)`: the reader picks `choose(case_id)`, a position, before every case."""
    room = ReadingService(record)

    def read(reader, choose):
        while view := room.next_comparison(reader, 1):
            with record.database.read() as session:
                seat = session.scalars(select(Comparison).where(Comparison.token == view.token)).one()
            decision = Decision(VerdictKind.PICK, slot=seat.order.index(choose(seat.case_id)), visible_ms=30_000)
            room.decide(reader, view.token, decision, idempotency_key="k", drawing=None)

    return read


@pytest.fixture
def figures(record):
    def figures(state=StageState.UNBLINDED):
        with record.database.write() as session:
            session.get_one(Stage, 1).state = state
            return study_figures(session, record.store, 1)

    return figures


def position_of(record, case_id, *, drawn):
    with record.database.read() as session:
        query = select(Candidate).where(Candidate.case_id == case_id).order_by(Candidate.mask_id)
        return next(one.position for one in session.scalars(query) if (one.mask.origin is MaskOrigin.DRAWING) == drawn)


def test_readers_who_choose_alike_agree_fully(record, read, figures):
    for reader in (1, 2):
        read(reader, lambda case: position_of(record, case, drawn=case % 2 == 0))
    found = figures()
    assert found.kappa.value == found.alpha.value == 1
    assert (found.alpha.low, found.alpha.high, found.alpha.n) == (1, 1, 6)
    assert (found.chosen_dice.value, found.chosen_dice.n) == (1, 6)
    assert found.own.machine.n == found.others.machine.n == 6, "r1 drew all films, r2 none"
    assert sum(found.strengths.values()) == pytest.approx(1)
    assert found.with_left_out is found.sentinel is None
    assert found.repeats.n == found.checks.n == found.pairs.n == 0


def test_readers_who_choose_apart_do_not(record, read, figures):
    for reader in (1, 2):
        read(reader, lambda case, reader=reader: position_of(record, case, drawn=(case + reader) % 2 == 0))
    found = figures()
    assert found.kappa.value < 0
    assert found.kappa.low <= found.kappa.value <= found.kappa.high
    assert 0 < found.chosen_dice.value < 1


def test_one_who_left_and_does_not_count_is_only_in_the_sensitivity_analysis(record, read, figures):
    read(1, lambda case: position_of(record, case, drawn=True))
    read(2, lambda case: position_of(record, case, drawn=False))
    with record.database.write() as session:
        session.add(StageReader(stage_id=1, account_id=2, left_at=now(), counts=False))
    found = figures()
    assert found.others.machine.n == 0
    assert found.own.machine.value == 0
    assert found.with_left_out.machine.value == 0.5
    assert isnan(found.kappa.value)


def add_seat(session, kind, positions, slot, *, case_id=1, reader=1):
    """A decided seat of a kind, seen in this order, of which this slot was picked."""
    seat = Comparison(
        round_id=1,
        case_id=case_id,
        seat=seat_number(kind, reader),
        kind=kind,
        account_id=reader,
        token=f"{kind}-{reader}",
        order=positions,
        decided_at=now(),
    )
    masks = {
        one.position: one.mask_id for one in session.scalars(select(Candidate).where(Candidate.case_id == case_id))
    }
    seat.verdicts.append(
        Verdict(
            revision=1,
            account_id=reader,
            kind=VerdictKind.PICK,
            slot=slot,
            mask_id=masks[positions[slot]],
            idempotency_key="k",
            protocol_digest="p",
            visible_ms=60_000,
        )
    )
    session.add(seat)


def test_repeats_checks_and_pairs_are_counted_by_themselves(record, read, figures):
    read(1, lambda case: position_of(record, case, drawn=False))
    first, drawn = (position_of(record, 1, drawn=is_drawn) for is_drawn in (False, True))
    with record.database.write() as session:
        right = MaskRow(
            campaign_id=1, case_id=1, origin=MaskOrigin.FLAWED, digest=record.store.put_mask(np.eye(60, 50) > 0)
        )
        session.add(right)
        session.flush()
        flawed = MaskRow(
            campaign_id=1,
            case_id=1,
            origin=MaskOrigin.FLAWED,
            parent_id=right.id,
            digest=record.store.put_mask(np.ones((60, 50), bool)),
        )
        session.add_all(
            Candidate(round_id=1, case_id=1, position=8 + i, mask=mask) for i, mask in enumerate((right, flawed))
        )
        session.flush()
        others = [position for position in range(4) if position != first]
        add_seat(session, SeatKind.REPEAT, [first, *others], 0)
        add_seat(session, SeatKind.CHECK, [9, 8], 1)
        add_seat(session, SeatKind.CHECK, [9, 8], 0, reader=2)
        add_seat(session, SeatKind.PAIR, [drawn, first], 1, reader=2)
    found = figures()
    assert (found.repeats.value, found.repeats.n) == (1, 1)
    assert (found.checks.value, found.checks.n) == (0.5, 2)
    assert {reader: share.value for reader, share in found.checks_of_reader.items()} == {"r1": 1, "r2": 0}
    assert (found.pairs.value, found.pairs.n) == (1, 1)


def test_sentinels_measure_flattery_gain_and_minutes(record, read, figures):
    """Networks' masks became final; the independent drawing is the truth itself."""
    read(1, lambda case: position_of(record, case, drawn=False))
    truth = record.store.put_mask(np.eye(60, 50) > 0)
    with record.database.write() as session:
        add_account(session, "r3", Role.READER)
        for case_id in (1, 2):
            session.get_one(CampaignCase, (1, case_id)).arm = Arm.SENTINEL
            mask = MaskRow(campaign_id=1, case_id=case_id, origin=MaskOrigin.SENTINEL, digest=truth)
            seat = Comparison(
                round_id=1,
                case_id=case_id,
                seat=50,
                kind=SeatKind.SENTINEL,
                account_id=3,
                token=f"s{case_id}",
                decided_at=now(),
            )
            seat.verdicts.append(
                Verdict(
                    revision=1,
                    account_id=3,
                    kind=VerdictKind.DRAWN,
                    mask=mask,
                    idempotency_key="k",
                    protocol_digest="p",
                    visible_ms=240_000,
                )
            )
            session.add_all([seat, PhantomTruth(case_id=case_id, infection_digest=truth, lung_digest=truth)])
            chosen = session.scalars(
                select(Verdict)
                .join(Comparison)
                .where(Comparison.case_id == case_id, Comparison.kind == SeatKind.READING)
            ).one()
            session.add(
                FinalMask(
                    campaign_id=1, round_id=1, case_id=case_id, verdict_id=chosen.id, mask_id=chosen.mask_id, digest="d"
                )
            )
    found = figures().sentinel
    assert found.n == 2
    assert (found.drawing_minutes, found.reading_minutes) == (4, 0.5)
    assert found.gain.value < -0.5, "the drawing was right, the accepted masks were noise"
    accepted = [share for share in found.flattery.values() if share.value > 0.3]
    assert accepted, "the network whose masks were accepted looks better than it is"


@pytest.mark.parametrize("state", [StageState.OPEN, StageState.LOCKED])
def test_nothing_is_told_before_unblinding(figures, state):
    with pytest.raises(StateError, match="hidden"):
        figures(state)


def test_preference_is_told_by_origin_and_by_the_kinds_of_cases_that_there_are(record, read, figures):
    with record.database.write() as session:
        for case_id in (1, 2):
            session.get_one(CaseRow, case_id).source = "elsewhere"
    read(1, lambda case: position_of(record, case, drawn=case <= 2))
    read(2, lambda case: position_of(record, case, drawn=case <= 2))
    found = figures()
    assert sum(share.value for share in found.origins.values()) == pytest.approx(1)
    assert found.origins["drawing"].value == pytest.approx(1 / 3)
    machine = {kind: preference.machine.value for kind, preference in found.kinds.items()}
    assert machine.pop("source elsewhere") == 0
    assert list(machine.values()) == [1], "all views and arms are the same, so they are not told apart"


def test_denials_and_agreement_are_told_once_the_stage_is_locked_and_not_before(record, read):
    read(1, lambda case: position_of(record, case, drawn=False))
    room = ReadingService(record)
    while view := room.next_comparison(2, 1):
        drawing = np.packbits(np.ones((60, 50), bool)).tobytes()
        room.decide(2, view.token, Decision(VerdictKind.DENY_ALL), idempotency_key="k", drawing=drawing)
    with record.database.write() as session:
        with pytest.raises(StateError, match="once it is locked"):
            locked_figures(session, record.store, 1)
        session.get_one(Stage, 1).state = StageState.LOCKED
        found = locked_figures(session, record.store, 1)
    assert found.denied.value == 0.5
    assert {code: share.value for code, share in found.denied_of_reader.items()} == {"r1": 0, "r2": 1}
    assert found.chosen_dice.n == 6
