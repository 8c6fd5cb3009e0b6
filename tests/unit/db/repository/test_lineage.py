"""What masks descend from."""

import pytest
from sqlalchemy import select

from db.domain.errors import InvariantError, NotFoundError
from db.domain.provenance import MaskOrigin
from db.models import CaseRow, FinalMask, MaskRow, TrainingExample
from db.repository.finals import settle_round
from db.repository.lineage import ancestors, certify, find_final, seen_cases


@pytest.fixture
def two_stages(campaign):
    campaign.open("I").train("I").read("I")
    settle_round(campaign.record, 1)
    campaign.open("II").train("II").read("II")
    settle_round(campaign.record, 2)
    return campaign


def test_a_stage_two_mask_descends_from_the_stage_one_masks_and_their_drawings(two_stages):
    with two_stages.record.database.read() as session:
        found = ancestors(session, find_final(session, "pilot", "c20").mask_id)
        drawn = set(session.scalars(select(MaskRow.id).where(MaskRow.origin == MaskOrigin.DRAWING)))
        finals = {final.mask_id for final in session.scalars(select(FinalMask).where(FinalMask.round_id == 1))}
    assert found[0].case == "c20"
    assert found[0].network == "unet-tiny"
    assert {one.mask_id for one in found[1:]} == drawn | finals
    assert {one.reader for one in found if one.origin == MaskOrigin.DRAWING} == {"r1"}


def test_the_films_behind_a_mask_include_those_behind_its_networks_masks(two_stages):
    with two_stages.record.database.read() as session:
        mask_id = find_final(session, "pilot", "c20").mask_id
        assert seen_cases(session, [mask_id]) == {mask_id: frozenset(f"c{i:02}" for i in range(11))}


def test_a_touched_up_mask_inherits_what_its_candidate_saw(two_stages):
    with two_stages.record.database.write() as session:
        candidate = find_final(session, "pilot", "c20").mask
        edited = MaskRow(
            campaign_id=1, case_id=candidate.case_id, origin=MaskOrigin.TOUCH_UP, digest="d", parent_id=candidate.id
        )
        session.add(edited)
        session.flush()
        assert seen_cases(session, [edited.id])[edited.id] == seen_cases(session, [candidate.id])[candidate.id]
        assert [one.mask_id for one in ancestors(session, edited.id)][:2] == [edited.id, candidate.id]


def test_every_final_mask_is_certified(two_stages):
    with two_stages.record.database.read() as session:
        finals = session.scalars(select(FinalMask.mask_id)).all()
        assert len(certify(session, finals)) == len(finals) == 29


@pytest.mark.parametrize("leaked", ["c20", "c21"])
def test_a_leak_through_an_ancestor_two_stages_back_is_caught(two_stages, leaked):
    with two_stages.record.database.write() as session:
        case_id = session.scalars(select(CaseRow.id).where(CaseRow.key == leaked)).one()
        session.add(TrainingExample(checkpoint_id=1, case_id=case_id, mask_id=None))
        session.flush()
        with pytest.raises(InvariantError, match=f"saw {leaked}"):
            certify(session, [find_final(session, "pilot", "c20").mask_id])


def test_a_case_without_a_final_mask_is_not_found(two_stages):
    with two_stages.record.database.read() as session, pytest.raises(NotFoundError, match="Case c35 has no final mask"):
        find_final(session, "pilot", "c35")
