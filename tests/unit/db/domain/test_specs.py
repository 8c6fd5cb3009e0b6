"""Specifications and what overrides them."""

import pytest

from db.domain.errors import InputError
from db.domain.network import PAPER_ENCODERS, Decoder
from db.domain.specs import SPECS, find_spec, override, parse_settings


@pytest.mark.parametrize("name", SPECS)
def test_every_specification_has_the_papers_two_stages(name):
    first, second, *_ = find_spec(name).stages
    assert first.with_drawing
    assert not second.with_drawing
    assert len(first.networks) == 3
    assert first.n_candidates == 4


def test_stage_two_of_the_laptop_offers_five_masks():
    assert find_spec("laptop").stages[1].n_candidates == 5


def test_the_papers_campaign_has_the_papers_networks_and_recipe():
    first, second = find_spec("paper").stages
    assert (len(first.networks), len(second.networks)) == (3, 5)
    assert {network.decoder for network in first.networks} == set(Decoder)
    assert {network.encoder for network in second.networks} <= set(PAPER_ENCODERS)
    assert (second.recipe.input_size, second.recipe.epochs, second.recipe.batch_size) == (224, 50, 32)


def test_an_unknown_specification_lists_the_known_ones():
    with pytest.raises(InputError) as caught:
        find_spec("desktop")
    assert "laptop" in caught.value.hint


def test_settings_reach_the_campaign_and_every_stages_recipe():
    changed = override(find_spec("smoke"), {"n_folds": "3", "epochs": "7", "learning_rate": "1e-2", "augment": "none"})
    assert changed.n_folds == 3
    assert {stage.recipe.epochs for stage in changed.stages} == {7}
    assert changed.stages[0].recipe.learning_rate == 0.01
    assert changed.stages[0].recipe.augment == "none"


def test_settings_reach_the_study_of_every_stage():
    settings = {"readers_per_case": "2", "study.pair_share": "0.1", "study.own_drawing": "never"}
    stages = override(find_spec("smoke"), settings).stages
    assert {(one.readers_per_case, one.study.pair_share, one.study.own_drawing) for one in stages} == {
        (2, 0.1, "never")
    }
    with pytest.raises(InputError, match=r"study\.own_drawing was 'sometimes'") as caught:
        override(find_spec("smoke"), {"study.own_drawing": "sometimes"})
    assert caught.value.hint == "It is one of never, allowed, only."
    with pytest.raises(InputError, match="pair_share is 2"):
        override(find_spec("smoke"), {"study.pair_share": "2"})


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(InputError, match="Unknown setting 'epoch'") as caught:
        override(find_spec("smoke"), {"epoch": "2"})
    assert "'epochs'" in caught.value.hint


@pytest.mark.parametrize("setting", [("epochs", "many"), ("augment", "3"), ("balance", "3"), ("n_folds", "2.5")])
def test_a_value_of_another_kind_is_refused(setting):
    with pytest.raises(InputError, match=setting[0]):
        override(find_spec("smoke"), dict([setting]))


@pytest.mark.parametrize("text", ["epochs", "epochs="])
def test_a_setting_needs_a_value(text):
    with pytest.raises(InputError, match="KEY=VALUE"):
        parse_settings([text])
