"""Networks that `ml_backend.compiling` made, run by OpenVINO. Importing this loads neither OpenVINO nor Keras.

Layout below a root folder::

    <sha256 of the weights>/<network>-<input size>-openvino-<its version>-<EXPORT_VERSION>/
        network.bin, network.xml    float32 weights and the graph, for one film at a time
        card.json                   what was compiled, and how far it differs from Keras; written last

The reasons are in `docs/adr/0007-inference-engine.md`.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np

from db.domain.errors import InputError
from db.domain.mask import ProbabilityMap
from db.domain.recipe import Variation
from ml_backend.data import Film
from ml_backend.task import file_digest

Forward = Callable[[Film], ProbabilityMap]
"""From films uint8 [n, side, side] to probability maps float32 [n, side, side]; `side` is one network's input size.

Whatever takes a `Forward` and gives one (test-time augmentation, say) can stand between a network and its ensemble.
"""

EXPORT_VERSION = 1
"""Raise it by hand when the same weights would be compiled to something else: every network is then compiled anew."""

N_RESIDENT = 4
"""How many compiled networks stay in memory beside the latest; one of the paper's size takes 160 to 270 MB. Further
ones are loaded for each chunk of films, which takes about a second."""

N_STREAMS = 2
"""Films that a network works on at once, each on its share of the cores: faster than all cores on one film, because
cores wait less for each other. More would take more memory."""

PROPERTIES = {
    "INFERENCE_PRECISION_HINT": "f32",  # or it takes bfloat16 where the processor has it, and flips pixels
    "NUM_STREAMS": str(N_STREAMS),
}


@dataclass(frozen=True)
class Member:
    """One checkpoint of an ensemble: its network and input size, where its weights lie, which views it takes."""

    network: str
    input_size: int
    weights: Path
    n_views: int = 1
    variation: Variation = "paper"

    @cached_property
    def digest(self) -> str:
        """sha256 of the weights."""
        return file_digest(self.weights)


@dataclass(frozen=True)
class CompiledNetwork:
    """The folder of one compiled network, there or not."""

    path: Path
    input_size: int

    @classmethod
    def of(cls, member: Member, root: Path) -> Self:
        """Where `member` is compiled to by this version of the engine and of the export."""
        name = f"{member.network}-{member.input_size}-openvino-{version('openvino')}-{EXPORT_VERSION}"
        return cls(root / member.digest / name, member.input_size)

    @property
    def graph(self) -> Path:
        """OpenVINO's XML."""
        return self.path / "network.xml"

    @property
    def weights(self) -> Path:
        """The arrays that the graph refers to."""
        return self.path / "network.bin"

    @property
    def card(self) -> Path:
        """Written last: what was compiled, and how far it differs from Keras."""
        return self.path / "card.json"

    def digests(self) -> dict[str, str]:
        """sha256 of graph and weights, by the names of their files."""
        return {file.name: file_digest(file) for file in (self.graph, self.weights)}

    def is_whole(self) -> bool:
        """Whether graph and weights are those that the card describes; both are read through."""
        try:
            return bool(json.loads(self.card.read_text())["files"] == self.digests())
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def load(self) -> Forward:
        """The network, ready to run.

        Raises
        ------
        InputError
            By the function that is returned: if films have another size than the network's input.
        """
        openvino = load_openvino()
        core = openvino.Core()
        model = core.compile_model(core.read_model(self.graph, self.weights), "CPU", PROPERTIES)
        queue = openvino.AsyncInferQueue(model, N_STREAMS)
        shape = (self.input_size, self.input_size)

        def forward(films: Film) -> ProbabilityMap:
            if films.shape[1:] != shape:
                msg = f"{self.path.name} takes films [n, {shape[0]}, {shape[1]}]; {list(films.shape)} was received."
                raise InputError(msg, hint="Bring them to the input size with ml_backend.data.fit_film.")
            maps = np.empty(films.shape, np.float32)

            def keep(request: Any, row: int) -> None:  # noqa: ANN401 - the module is untyped
                maps[row] = request.get_output_tensor().data[0, ..., 0]

            queue.set_callback(keep)
            for row, film in enumerate(films):
                queue.start_async([film[None, ..., None].astype(np.float32)], row)
            queue.wait_all()
            return maps

        return forward


class CompiledNetworks:
    """The compiled networks of an ensemble; the first `N_RESIDENT` that are used stay in memory."""

    def __init__(self, members: Iterable[Member], root: Path) -> None:
        self._networks = {member: CompiledNetwork.of(member, root) for member in members}
        self._resident: dict[Member, Forward] = {}
        self._latest: tuple[Member, Forward] | None = None

    def missing(self) -> tuple[Member, ...]:
        """The members that are not compiled, or not whole."""
        return tuple(member for member, network in self._networks.items() if not network.is_whole())

    def load(self, member: Member) -> Forward:
        """One member, ready to run; it is read when it is first used."""

        def forward(films: Film) -> ProbabilityMap:
            return self._forward(member)(films)

        return forward

    def _forward(self, member: Member) -> Forward:
        if member in self._resident:
            return self._resident[member]
        if self._latest is not None and self._latest[0] == member:  # asked about another view, say
            return self._latest[1]
        self._latest = None  # one makes room before the next is loaded
        forward = self._networks[member].load()
        if len(self._resident) < N_RESIDENT:
            self._resident[member] = forward
        else:
            self._latest = member, forward
        return forward


def is_keras_better() -> bool:
    """Whether Keras has a GPU here, or OpenVINO is not installed (it has no package for this machine, say)."""
    if find_spec("openvino") is None:
        return True
    if os.environ.get("CUDA_VISIBLE_DEVICES") in {"", "-1"} or not any(Path("/dev").glob("nvidia[0-9]*")):
        return False  # asking Keras would load its back end, which takes 10 seconds and 500 MB
    return bool(importlib.import_module("keras").distribution.list_devices("gpu"))


def load_openvino() -> Any:  # noqa: ANN401 - the module is untyped
    """The module `openvino`, without the package by which its converter reports each use to its maker."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type] # as Python spells "cannot be imported"
    return importlib.import_module("openvino")
