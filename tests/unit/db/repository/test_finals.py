"""What verdicts come to."""

import numpy as np
import pytest
from sqlalchemy import func, select

from db.domain.campaign import Arm
from db.domain.errors import StateError
from db.domain.mask import canonical_mask
from db.domain.provenance import MaskOrigin
from db.domain.verdict import VerdictKind
from db.models import CampaignCase, Candidate, Comparison, FinalMask, MaskRow
from db.repository import finals as repository
from db.repository.finals import settle_round


@pytest.fixture
def read(campaign):
    return campaign.open("I").train("I").read("I")


def finals(campaign):
    with campaign.record.database.read() as session:
        return session.scalars(select(FinalMask)).all()


def test_a_picked_map_becomes_its_canonical_mask_at_the_films_size(read):
    settle_round(read.record, 1)
    with read.record.database.read() as session:
        final = session.scalars(select(FinalMask).limit(1)).one()
        expected = canonical_mask(read.record.store.get_map(final.mask.map_digest), 50, 40)
        np.testing.assert_array_equal(read.record.store.get_mask(final.digest), expected)


def test_a_redraw_is_final_as_it_was_drawn(read):
    drawn = np.zeros((50, 40), np.bool_)
    drawn[10, 10] = True
    with read.record.database.write() as session:
        seat = session.scalars(select(Comparison).limit(1)).one()
        mask = MaskRow(
            campaign_id=1, case_id=seat.case_id, origin=MaskOrigin.REDRAW, digest=read.record.store.put_mask(drawn)
        )
        session.add(mask)
        session.flush()
        read.decide(session, seat, VerdictKind.DENY_ALL, mask.id)
        case_id = seat.case_id
    settle_round(read.record, 1)
    final = next(one for one in finals(read) if one.case_id == case_id)
    np.testing.assert_array_equal(read.record.store.get_mask(final.digest), drawn)


def test_settling_twice_changes_nothing(read):
    assert settle_round(read.record, 1) == 11
    assert settle_round(read.record, 1) == 0
    assert len(finals(read)) == 11


def test_settling_at_the_same_moment_makes_each_final_mask_once(read, monkeypatch):
    settle = repository._settle

    def settle_last(store, verdict):
        monkeypatch.setattr(repository, "_settle", settle)
        assert settle_round(read.record, 1) == 11
        return settle(store, verdict)

    monkeypatch.setattr(repository, "_settle", settle_last)
    assert settle_round(read.record, 1) == 0
    assert len(finals(read)) == 11


def test_a_film_that_was_taken_away_gets_no_final_mask_whatever_was_said_of_it(read):
    with read.record.database.write() as session:
        case_id = session.scalars(select(Comparison.case_id).limit(1)).one()
        session.get_one(CampaignCase, (1, case_id)).arm = Arm.SET_ASIDE
    assert settle_round(read.record, 1) == 10
    assert case_id not in {one.case_id for one in finals(read)}


def test_an_unreadable_film_leaves_the_stage_without_a_final_mask(read):
    with read.record.database.write() as session:
        seat = session.scalars(select(Comparison).limit(1)).one()
        read.decide(session, seat, VerdictKind.UNREADABLE, None)
        case_id = seat.case_id
    assert settle_round(read.record, 1) == 10
    assert case_id not in {one.case_id for one in finals(read)}


def test_readers_who_differ_need_adjudication_and_nothing_is_written(read):
    with read.record.database.write() as session:
        first = session.scalars(select(Comparison).limit(1)).one()
        second = Comparison(round_id=1, case_id=first.case_id, seat=1)
        session.add(second)
        other = session.scalars(select(Candidate).where(Candidate.case_id != first.case_id).limit(1)).one()
        read.decide(session, second, VerdictKind.PICK, other.mask_id)
    with pytest.raises(StateError, match=r"readers of 1 cases of stage pilot/I differ \(c\d\d\)"):
        settle_round(read.record, 1)
    with read.record.database.read() as session:
        assert session.scalar(select(func.count()).select_from(FinalMask)) == 0
