import keras
import pytest

from db.domain.network import NetworkSpec
from ml_backend.networks import build
from ml_backend.networks.costs import measure_costs


def test_operations_and_memory_are_those_counted_by_hand() -> None:
    film = keras.Input((8, 8, 1))
    features = keras.layers.Conv2D(4, 3, strides=2, padding="same", use_bias=False)(film)
    score = keras.layers.Dense(2)(keras.layers.Flatten()(features))
    costs = measure_costs(keras.Model(film, score))
    assert costs.n_operations == 2 * (4 * 4 * 4) * (3 * 3 * 1) + 2 * 64 * 2
    assert (costs.n_trainable, costs.n_non_trainable) == (36 + 64 * 2 + 2, 0)
    assert costs.n_feature_bytes == 4 * (64 + 64 + 64 + 2)
    assert costs.n_weight_bytes == 4 * costs.n_trainable


@pytest.mark.slow
@pytest.mark.parametrize(
    ("network", "gigas"), [("unet-densenet121", 11.5), ("unet_plus_plus-densenet121", 49.3), ("dla-inception_v3", 44.7)]
)
def test_the_papers_networks_do_the_work_known_of_them(network: str, gigas: float) -> None:
    assert measure_costs(build(NetworkSpec.parse(network))).n_operations / 1e9 == pytest.approx(gigas, abs=0.05)
