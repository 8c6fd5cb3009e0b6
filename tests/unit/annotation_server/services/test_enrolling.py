"""Which films a stage reads, and on which fold each stands."""

import pytest
from sqlalchemy import select

from annotation_server.services.enrolling import enrol, take_cases
from db.domain.campaign import Arm
from db.domain.case import CaseClass, View
from db.domain.errors import InputError, StateError
from db.models import CampaignCase, CaseRow, MaskRow
from db.repository.cases import component_of
from db.repository.finals import settle_round


def members(campaign):
    with campaign.record.database.read() as session:
        rows = session.scalars(select(CampaignCase)).all()
        return {row.case.key: (row.arm, row.stage_id, row.fold, row.reason) for row in rows}


def change(campaign, key, **values):
    with campaign.record.database.write() as session:
        row = session.scalars(select(CaseRow).where(CaseRow.key == key)).one()
        for name, value in values.items():
            setattr(row, name, value)


def test_stage_one_takes_the_films_with_drawings_and_sets_their_patients_other_films_aside(campaign):
    found = members(campaign.open("I"))
    assert [key for key, (_, stage_id, _, _) in found.items() if stage_id == 1] == [f"c{i:02}" for i in range(11)]
    assert found["c11"][0] is Arm.SET_ASIDE
    assert found["c11"][3] == "shares a patient with stage I, but has no drawing"


def test_normal_films_are_the_control_group_and_lateral_ones_are_set_aside(campaign):
    change(campaign, "c20", view=View.LATERAL)
    change(campaign, "c22", case_class=CaseClass.OTHER)
    found = members(campaign.open("I"))
    assert {key for key, member in found.items() if member[0] is Arm.CONTROL} == {f"c{i}" for i in range(30, 40)}
    assert found["c20"][0] is Arm.SET_ASIDE
    assert "c22" not in found


def test_all_films_of_a_patient_stand_on_one_fold(campaign):
    found = members(campaign.open("I"))
    for i in range(0, 40, 2):
        assert found[f"c{i:02}"][2] == found[f"c{i + 1:02}"][2]


def test_a_later_stage_takes_a_sample_of_what_is_left_and_the_next_one_the_rest(campaign):
    campaign.open("I").open("II", n_cases=6).open("III")
    found = members(campaign)
    second = {key for key, member in found.items() if member[1] == 2}
    third = {key for key, member in found.items() if member[1] == 3}
    assert len(second) == 6
    assert second | third == {f"c{i:02}" for i in range(12, 30)}


def test_a_late_film_inherits_its_patients_fold_and_cannot_change_sides(campaign):
    campaign.open("I")
    with campaign.record.database.write() as session:
        late = campaign.case(2)
        late.key = "late"
        session.add(late)
    campaign.open("II")
    found = members(campaign)
    assert found["late"][0] is Arm.SET_ASIDE
    assert found["late"][2] == found["c02"][2]


def test_a_late_film_bears_the_name_that_its_component_had_when_the_folds_were_made(campaign):
    campaign.open("I")
    with campaign.record.database.write() as session:
        late = campaign.case(12)
        late.key = "a-late"
        session.add(late)
        session.flush()
        for row in session.scalars(select(CaseRow).where(CaseRow.component == "c12")):
            row.component = "a-late"
        session.flush()
        enrol(session, campaign.stage(session, "I").campaign)
        assert component_of(session, 1)["a-late"] == component_of(session, 1)["c12"] == "c12"


def test_a_late_film_that_joins_two_folds_is_set_aside_with_the_reason(campaign):
    campaign.open("I")
    folds = members(campaign)
    other = next(f"c{i:02}" for i in range(14, 30, 2) if folds[f"c{i:02}"][2] != folds["c12"][2])
    with campaign.record.database.write() as session:
        late = campaign.case(12)
        late.key = "late"
        session.add(late)
        for row in session.scalars(select(CaseRow).where(CaseRow.component == other)):
            row.component = "c12"
        session.flush()
        enrol(session, campaign.stage(session, "I").campaign)
    arm, _, fold, reason = members(campaign)["late"]
    assert arm is Arm.SET_ASIDE
    assert fold is None
    assert reason.startswith("joins films of folds")


def test_too_few_patients_with_drawings_for_the_folds_is_an_input_error(campaign):
    with campaign.record.database.write() as session:
        for mask in session.scalars(select(MaskRow).where(MaskRow.case_id > 4)):
            session.delete(mask)
    with pytest.raises(InputError, match="3 folds need at least 3 patients in 'drawn'; 2 are there"):
        campaign.open("I")


def test_a_stage_without_cases_says_what_is_there(campaign):
    campaign.open("I").open("II")
    with campaign.record.database.write() as session:
        stage = campaign.stage(session, "III")
        with pytest.raises(StateError, match="0 films are left"):
            take_cases(session, stage, None)


def test_more_cases_than_are_left_is_a_state_error(campaign):
    with pytest.raises(StateError, match="100 cases were asked for, 30 are there"):
        campaign.open("I", n_cases=100)


def test_a_film_that_merges_components_later_does_not_break_masks_made_before(campaign):
    campaign.open("I").train("I").read("I")
    with campaign.record.database.write() as session:
        for row in session.scalars(select(CaseRow).where(CaseRow.key <= "c10")):
            row.component = "c00"
    assert settle_round(campaign.record, 1) == 11
