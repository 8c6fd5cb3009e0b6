"""Campaign, stage and round."""

from dataclasses import replace
from itertools import pairwise

import pytest

from db.domain.campaign import CampaignDefinition, StageDefinition, StageState, advance
from db.domain.errors import InputError, StateError
from db.domain.network import NetworkSpec
from db.domain.recipe import TrainingRecipe

UNET, DLA = NetworkSpec("unet", "small"), NetworkSpec("dla", "small", frozen=True)
STAGE = StageDefinition("I", (UNET, DLA), with_drawing=True, recipe=TrainingRecipe())


def test_a_stage_offers_one_candidate_a_network_and_the_drawing_where_it_has_one():
    assert STAGE.n_candidates == 3
    assert replace(STAGE, with_drawing=False).n_candidates == 2


@pytest.mark.parametrize("networks", [(), (UNET, UNET)])
def test_a_stage_needs_different_networks(networks):
    with pytest.raises(InputError):
        replace(STAGE, networks=networks)


def test_a_definition_survives_its_json_and_its_digest_changes_with_any_value():
    definition = CampaignDefinition((STAGE,))
    assert CampaignDefinition.from_json(definition.to_json()) == definition
    assert definition.digest != replace(definition, seed=2).digest


def test_a_campaign_needs_two_folds():
    with pytest.raises(InputError, match="at least 2 folds, 1 were asked for"):
        CampaignDefinition((STAGE,), n_folds=1)


def test_states_follow_one_another():
    states = list(StageState)
    for before, after in pairwise(states):
        assert advance(before, after, stage="p/I") is after


@pytest.mark.parametrize(
    ("state", "target", "hint"),
    [
        (StageState.DRAFT, StageState.LOCKED, "overread stage open p/I"),
        (StageState.OPEN, StageState.CLOSED, "overread stage lock p/I"),
        (StageState.OPEN, StageState.OPEN, "overread stage lock p/I"),
        (StageState.CLOSED, StageState.OPEN, "create a campaign"),
    ],
)
def test_a_leap_is_refused_and_the_hint_is_the_command_that_is_due(state, target, hint):
    with pytest.raises(StateError) as caught:
        advance(state, target, stage="p/I")
    assert hint in caught.value.hint
