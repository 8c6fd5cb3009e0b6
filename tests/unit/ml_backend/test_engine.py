"""Compiled networks: here a graph of two operations, made by hand and run by the real engine."""

import json
from pathlib import Path

import numpy as np
import pytest

from db.domain.errors import InputError
from ml_backend import engine
from ml_backend.engine import CompiledNetwork, CompiledNetworks, Forward, Member, load_openvino
from ml_backend.views import viewed

SIDE_PX = 8


@pytest.fixture
def make(tmp_path):
    """`make("name", scale=0.01)`: a member whose network is the sigmoid of `scale` times the grey level."""

    def make(name: str, scale: float) -> Member:
        weights = tmp_path / f"{name}.safetensors"
        weights.write_bytes(name.encode())
        member = Member(f"unet-{name}", SIDE_PX, weights)
        compiled = CompiledNetwork.of(member, tmp_path / "compiled")
        compiled.path.mkdir(parents=True)
        openvino = load_openvino()
        opset = openvino.opset13
        films = opset.parameter([1, SIDE_PX, SIDE_PX, 1], np.float32)
        factor = opset.constant(np.full((1, SIDE_PX, SIDE_PX, 1), scale, np.float32))
        graph = openvino.Model([opset.sigmoid(opset.multiply(films, factor))], [films])
        openvino.save_model(graph, compiled.graph, compress_to_fp16=False)
        compiled.card.write_text(json.dumps({"files": compiled.digests()}))
        return member

    return make


@pytest.fixture
def films():
    return np.random.default_rng(0).integers(0, 256, (3, SIDE_PX, SIDE_PX), np.uint8)


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def test_each_film_gets_its_own_map(make, films, tmp_path):
    member = make("one", 0.01)
    maps = CompiledNetworks([member], tmp_path / "compiled").load(member)(films)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, sigmoid(films * 0.01), atol=1e-6)


def test_the_engine_computes_in_float32_whatever_the_processor_offers(make, tmp_path):
    core = load_openvino().Core()
    graph = engine.CompiledNetwork.of(make("one", 0.01), tmp_path / "compiled").graph
    compiled = core.compile_model(graph, "CPU", engine.PROPERTIES)
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"


def test_networks_beyond_those_that_stay_in_memory_still_answer(make, films, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "N_RESIDENT", 1)
    members = [make("one", 0.01), make("two", -0.01)]
    networks = CompiledNetworks(members, tmp_path / "compiled")
    for _ in range(2):
        first, second = (networks.load(member)(films) for member in members)
        np.testing.assert_allclose(first, sigmoid(films * 0.01), atol=1e-6)
        np.testing.assert_allclose(second, sigmoid(films * -0.01), atol=1e-6)
    assert list(networks._resident) == members[:1]


def test_a_network_is_loaded_once_for_all_views_of_a_chunk(make, films, tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "N_RESIDENT", 1)
    members = [make("one", 0.01), make("two", -0.01)]
    networks, load = CompiledNetworks(members, tmp_path / "compiled"), CompiledNetwork.load
    loaded: list[CompiledNetwork] = []

    def count(network: CompiledNetwork) -> Forward:
        loaded.append(network)
        return load(network)

    monkeypatch.setattr(CompiledNetwork, "load", count)
    for _ in range(2):
        for member in members:
            viewed(networks.load(member), 5, "wide")(films)
    assert len(loaded) == 2


def test_films_of_another_size_are_refused(make, tmp_path):
    member = make("one", 0.01)
    forward = CompiledNetworks([member], tmp_path / "compiled").load(member)
    with pytest.raises(InputError, match=r"\[n, 8, 8\].*\[3, 16, 16\]"):
        forward(np.zeros((3, 16, 16), np.uint8))


def truncate(compiled):
    compiled.weights.write_bytes(compiled.weights.read_bytes()[:-1])


def tamper(compiled):
    compiled.graph.write_text(compiled.graph.read_text().replace("Sigmoid", "Tanh"))


def damage_the_card(compiled):
    compiled.card.write_text('{"files":')


def lose_the_weights(compiled):
    compiled.weights.unlink()


@pytest.mark.parametrize("harm", [truncate, tamper, damage_the_card, lose_the_weights])
def test_a_harmed_network_counts_as_missing(harm, make, tmp_path):
    members = [make("one", 0.01), make("two", 0.02)]
    networks = CompiledNetworks(members, tmp_path / "compiled")
    assert networks.missing() == ()
    harm(CompiledNetwork.of(members[1], tmp_path / "compiled"))
    assert networks.missing() == (members[1],)


@pytest.mark.parametrize(("name", "value"), [("EXPORT_VERSION", 999), ("version", lambda _: "1999.1")])
def test_a_network_of_another_version_counts_as_missing(name, value, make, tmp_path, monkeypatch):
    member = make("one", 0.01)
    monkeypatch.setattr(engine, name, value)
    assert CompiledNetworks([member], tmp_path / "compiled").missing() == (member,)


def test_other_weights_or_another_size_are_another_network(make, tmp_path):
    member = make("one", 0.01)
    member.weights.write_bytes(b"trained on")
    others = [Member(member.network, 16, member.weights), Member(member.network, SIDE_PX, member.weights)]
    assert CompiledNetworks(others, tmp_path / "compiled").missing() == tuple(others)


def test_keras_takes_over_where_the_engine_is_not_installed(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert not engine.is_keras_better()
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    assert engine.is_keras_better()


def test_the_engine_reports_to_nobody(tmp_path):
    import subprocess
    import sys

    program = (
        "from ml_backend.engine import load_openvino; openvino = load_openvino()\n"
        "from openvino.tools.ovc import telemetry_utils\n"
        "print(telemetry_utils.tm.__name__)"
    )
    root = Path(__file__).parents[3]
    environment = {"HOME": str(tmp_path), "PATH": ""}
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=root, env=environment, capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "openvino.tools.ovc.telemetry_stub"
