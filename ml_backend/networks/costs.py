"""What a network costs: parameters, operations, memory."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import keras

BYTES_PER_NUMBER = 4
"""Of a float32."""


@dataclass(frozen=True)
class NetworkCosts:
    """Of one network, for one film.

    Attributes
    ----------
    n_trainable, n_non_trainable
        Parameters, as Table V counts them.
    n_operations
        Multiplications and additions of all convolutions and dense layers in one forward pass; the rest is below 1 %.
    n_feature_bytes
        All layers' outputs in float32: what training keeps of each film until the backward pass.
    """

    n_trainable: int
    n_non_trainable: int
    n_operations: int
    n_feature_bytes: int

    @property
    def n_weight_bytes(self) -> int:
        """All parameters in float32."""
        return (self.n_trainable + self.n_non_trainable) * BYTES_PER_NUMBER


def measure_costs(model: keras.Model) -> NetworkCosts:
    """The costs of `model`, read off its graph; nothing is computed."""
    return NetworkCosts(
        n_trainable=_count(model.trainable_weights),
        n_non_trainable=_count(model.non_trainable_weights),
        n_operations=sum(map(_operations, model.layers)),
        n_feature_bytes=sum(math.prod(layer.output.shape[1:]) for layer in model.layers) * BYTES_PER_NUMBER,
    )


def _operations(layer: keras.layers.Layer) -> int:
    if not isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
        return 0
    n_outputs = math.prod(layer.output.shape[1:])
    n_added = math.prod(layer.kernel.shape[:-1])
    return 2 * n_outputs * n_added


def _count(variables: Iterable[keras.Variable]) -> int:
    return sum(math.prod(variable.shape) for variable in variables)
