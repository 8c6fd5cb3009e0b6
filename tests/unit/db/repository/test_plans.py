"""What a training pass may learn from."""

import pytest
from sqlalchemy import select

from db.domain.campaign import Arm
from db.domain.errors import StateError
from db.models import CampaignCase, FinalMask, Round, Stage
from db.repository.cases import component_of
from db.repository.finals import settle_round
from db.repository.plans import benchmark_plan, final_masks, round_plan


def plan(campaign, name):
    with campaign.record.database.read() as session:
        return round_plan(session, campaign.stage(session, name).rounds[-1].id), component_of(session, 1)


def settle(campaign, name):
    with campaign.record.database.read() as session:
        round_id = campaign.stage(session, name).rounds[-1].id
    settle_round(campaign.record, round_id)


def test_stage_one_leaves_each_fold_out_in_turn_and_proposes_for_every_drawn_case_once(campaign):
    splits, of_case = plan(campaign.open("I"), "I")
    assert [split.fold for split in splits] == [0, 1, 2]
    assert sorted(key for split in splits for key in split.targets) == [f"c{i:02}" for i in range(11)]
    for split in splits:
        assert not {of_case[one.case] for one in split.examples} & {of_case[key] for key in split.targets}
        assert len(split.examples) + len(split.targets) == 11


def test_stage_two_learns_from_all_final_masks_in_one_pass(campaign):
    campaign.open("I").train("I").read("I")
    settle(campaign, "I")
    splits, _ = plan(campaign.open("II"), "II")
    with campaign.record.database.read() as session:
        finals = {final.mask_id for final in session.scalars(select(FinalMask))}
    assert [split.fold for split in splits] == [None]
    assert {one.mask_id for one in splits[0].examples} == finals
    assert splits[0].targets == tuple(f"c{i:02}" for i in range(12, 30))


def test_a_second_round_of_stage_one_falls_back_to_drawings_that_no_aware_network_made(campaign):
    campaign.open("I").train("I").read("I")
    settle(campaign, "I")
    with campaign.record.database.write() as session:
        stage = campaign.stage(session, "I")
        stage.rounds.append(Round(number=2))
    splits, _ = plan(campaign, "I")
    with campaign.record.database.read() as session:
        finals = {final.mask_id for final in session.scalars(select(FinalMask))}
    assert all(len(split.examples) + len(split.targets) == 11 for split in splits)
    assert not {one.mask_id for split in splits for one in split.examples} & finals


def test_a_second_round_of_stage_two_is_cross_validated_and_uses_its_own_final_masks(campaign):
    campaign.open("I").train("I").read("I")
    settle(campaign, "I")
    campaign.open("II").train("II").read("II")
    settle(campaign, "II")
    with campaign.record.database.write() as session:
        stage = campaign.stage(session, "II")
        stage.rounds.append(Round(number=2))
    splits, of_case = plan(campaign, "II")
    assert [split.fold for split in splits] == [0, 1, 2]
    for split in splits:
        assert not {of_case[one.case] for one in split.examples} & {of_case[key] for key in split.targets}
        assert any(one.case >= "c12" for one in split.examples)


def test_a_stage_without_anything_to_learn_from_says_so(campaign):
    with campaign.record.database.write() as session:
        stage = session.scalars(select(Stage).where(Stage.name == "I")).one()
        stage.rounds.append(Round(number=1))
    with pytest.raises(StateError, match="0 films to propose for"):
        plan(campaign, "I")


def test_the_benchmark_tests_each_final_mask_and_each_normal_film_once(campaign):
    campaign.open("I").train("I").read("I")
    settle(campaign, "I")
    with campaign.record.database.read() as session:
        splits = benchmark_plan(session, 1)
    targets = sorted(key for split in splits for key in split.targets)
    assert targets == [f"c{i:02}" for i in [*range(11), *range(30, 40)]]
    normal = [one for split in splits for one in split.examples if one.case >= "c30"]
    assert normal
    assert all(one.mask_id is None for one in normal)


def test_a_benchmark_without_final_masks_names_the_command_that_makes_them(campaign):
    campaign.open("I")
    with campaign.record.database.read() as session, pytest.raises(StateError) as caught:
        benchmark_plan(session, 1)
    assert "overread stage lock pilot/I" in caught.value.hint


def test_a_film_that_was_taken_away_later_is_neither_learned_from_nor_passed_on(campaign):
    campaign.open("I").train("I").read("I")
    settle(campaign, "I")
    with campaign.record.database.write() as session:
        member = session.scalars(select(CampaignCase).where(CampaignCase.case.has(key="c04"))).one()
        member.arm, member.stage_id = Arm.SET_ASIDE, None
    with campaign.record.database.read() as session:
        assert sorted(final_masks(session, 1)) == [f"c{i:02}" for i in range(11) if i != 4]
        splits = benchmark_plan(session, 1)
        assert not any("c04" in split.targets for split in splits)
        assert not any(one.case == "c04" for split in splits for one in split.examples)
