"""Names of networks."""

import pytest

from db.domain.errors import InputError
from db.domain.network import Decoder, Encoder, NetworkSpec


@pytest.mark.parametrize("decoder", Decoder)
@pytest.mark.parametrize("encoder", Encoder)
@pytest.mark.parametrize("frozen", [True, False])
def test_a_network_is_found_again_by_its_name(decoder, encoder, frozen):
    spec = NetworkSpec(decoder, encoder, frozen)
    assert NetworkSpec.parse(spec.name) == spec


def test_strings_become_members():
    assert NetworkSpec("unet", "densenet121").encoder is Encoder.DENSENET121


@pytest.mark.parametrize("name", ["unet", "unet-", "unet-vgg", "gan-small", "unet-small-thawed"])
def test_unknown_names_are_refused(name):
    with pytest.raises(InputError):
        NetworkSpec.parse(name)


def test_the_error_lists_what_is_known():
    with pytest.raises(InputError) as caught:
        NetworkSpec("unet", "vgg")
    assert "densenet121" in caught.value.hint
