"""A tiny network compiled by the real engine and compared with Keras."""

import json

import numpy as np
import pytest

from db.domain.errors import ExternalError, InputError
from db.domain.network import NetworkSpec
from ml_backend import compiling, inference, weights
from ml_backend.compiling import Agreement, compile_members, compile_network
from ml_backend.data import PackedSet
from ml_backend.engine import CompiledNetwork, CompiledNetworks, Member
from ml_backend.networks import build

NETWORK = "unet-tiny"


@pytest.fixture
def member(tmp_path):
    model = build(NetworkSpec.parse(NETWORK), input_size=32)
    weights.save_model(model, tmp_path / "checkpoint.safetensors")
    return Member(NETWORK, 32, tmp_path / "checkpoint.safetensors")


def test_agreement_counts_pixels_that_change_sides():
    reference = np.array([[[0.125, 0.49, 0.5, 0.875]]], np.float32)
    maps = np.array([[[0.25, 0.5, 0.51, 0.375]]], np.float32)
    assert Agreement.of(maps, reference) == Agreement(0.5, n_flipped=2, n_pixels=4)


def test_the_card_says_how_far_the_compiled_network_differs_from_keras(member, packed: PackedSet, tmp_path):
    compiled = CompiledNetwork.of(member, tmp_path / "compiled")
    compile_network(member, compiled, packed.films)
    assert compiled.is_whole()
    card = json.loads(compiled.card.read_text())
    model = build(NetworkSpec.parse(NETWORK), input_size=32, weights=member.weights)
    reference, maps = inference.predict(model, packed.films), compiled.load()(packed.films)
    assert np.ptp(reference) > 1e-3
    agreement = Agreement.of(maps, reference)
    assert card["max_difference"] == pytest.approx(agreement.max_difference, abs=1e-6)
    assert card["max_difference"] < 1e-5
    assert (card["n_flipped"], card["n_pixels"]) == (agreement.n_flipped, packed.films.size)
    assert card["samples"]["n_films"] == len(packed.films)
    assert (card["weights"], card["input_size"]) == (member.digest, 32)


def test_a_network_that_differs_too_much_is_not_kept(member, packed: PackedSet, tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "MAX_DIFFERENCE", -1.0)
    compiled = CompiledNetwork.of(member, tmp_path / "compiled")
    with pytest.raises(ExternalError, match="differ from Keras by") as raised:
        compile_network(member, compiled, packed.films)
    assert "--with-keras" in raised.value.hint
    assert not compiled.path.exists()


@pytest.mark.slow
def test_the_child_compiles_a_truncated_network_anew_and_names_weights_that_do_not_fit(member, tmp_path):
    root = tmp_path / "compiled"
    compiled = CompiledNetwork.of(member, root)
    compile_network(member, compiled, np.zeros((1, 32, 32), np.uint8))
    compiled.weights.write_bytes(compiled.weights.read_bytes()[:-4])
    wrong = Member("dla-tiny", 32, member.weights)
    lines: list[dict[str, object]] = []
    films = np.random.default_rng(0).integers(0, 256, (2, 32, 32), np.uint8)
    with pytest.raises(InputError, match="does not hold the weights of dla-tiny"):
        compile_members([member, wrong], root, {32: films}, lines.append)
    assert [(line["network"], line["n_pixels"]) for line in lines] == [(NETWORK, films.size)]
    assert CompiledNetworks([member, wrong], root).missing() == (wrong,)


@pytest.mark.slow
def test_a_child_that_dies_is_named_with_its_last_words(member, tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "CHILD", (*compiling.CHILD[:1], "-c", "raise SystemExit('out of memory')"))
    with pytest.raises(ExternalError, match=r"status 1:\nout of memory"):
        compile_members([member], tmp_path / "compiled", {}, print)
