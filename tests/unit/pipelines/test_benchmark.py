"""What a benchmark measures."""

import pytest

from db.domain.errors import InputError
from db.domain.specs import find_spec
from pipelines.benchmark import planned_by


def names(arguments):
    return [network.name for network in planned_by(arguments).networks]


@pytest.mark.parametrize("arguments", [{}, {"settings": {}}, {"settings": {}, "networks": []}])
def test_without_named_networks_it_is_the_specifications_last_stage(arguments):
    assert planned_by({"spec": "laptop"} | arguments) == find_spec("laptop").stages[-1]


def test_named_networks_take_the_place_of_the_specifications_and_keep_its_recipe():
    arguments = {"spec": "smoke", "settings": {"epochs": "3"}, "networks": ["dla-small", "unet-tiny"]}
    assert names(arguments) == ["dla-small", "unet-tiny"]
    assert planned_by(arguments).recipe.epochs == 3
    assert planned_by(arguments).recipe.input_size == find_spec("smoke").stages[-1].recipe.input_size


@pytest.mark.parametrize("networks", [["unet-huge"], ["dla-tiny", "dla-tiny"]])
def test_networks_must_be_known_and_distinct(networks):
    with pytest.raises(InputError):
        planned_by({"spec": "smoke", "networks": networks})
