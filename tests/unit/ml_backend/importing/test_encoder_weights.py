"""Weights in users' layouts come back as what the networks here compute with."""

import json
from collections import OrderedDict

import keras
import numpy as np
import pytest

from db.domain.errors import InputError
from db.domain.network import Encoder, NetworkSpec
from ml_backend.importing.checksums import Checksum
from ml_backend.importing.encoder_weights import CARD, import_weights
from ml_backend.networks import build
from ml_backend.weights import load_arrays, read

SIDE_PX = 64

DENSE_BLOCKS = {1: 6, 2: 12, 3: 24, 4: 16}


def classifier(n_features, n_classes):
    return {
        "predictions/kernel": np.ones((n_features, n_classes), np.float32),
        "predictions/bias": np.ones(n_classes, np.float32),
    }


def as_older_keras(name):
    return name.replace("conv1_conv/", "conv1/conv/").replace("conv1_bn/", "conv1/bn/")


def as_torch(arrays):
    """keras.applications' DenseNet-121 as arnoweng's CheXNet, which has the names of the older torchvision."""
    layers = {"conv0": "conv1_conv", "norm0": "conv1_bn", "norm5": "bn"}
    for block, n_units in DENSE_BLOCKS.items():
        for unit in range(1, n_units + 1):
            there, here = f"denseblock{block}.denselayer{unit}", f"conv{block + 1}_block{unit}"
            layers |= {f"{there}.norm.1": f"{here}_0_bn", f"{there}.conv.1": f"{here}_1_conv"}
            layers |= {f"{there}.norm.2": f"{here}_1_bn", f"{there}.conv.2": f"{here}_2_conv"}
        layers |= {f"transition{block}.norm": f"pool{block + 1}_bn", f"transition{block}.conv": f"pool{block + 1}_conv"}
    parts = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    state = OrderedDict()
    for there, here in layers.items():
        prefix = f"module.densenet121.features.{there}"
        if f"{here}/kernel" in arrays:
            state[f"{prefix}.weight"] = np.ascontiguousarray(arrays[f"{here}/kernel"].transpose(3, 2, 0, 1))
        elif f"{here}/gamma" in arrays:
            state |= {f"{prefix}.{torch}": arrays[f"{here}/{keras}"] for keras, torch in parts.items()}
    assert len(state) == len(arrays)
    return state


@pytest.fixture(scope="module")
def densenet(random_weights):
    """keras.applications' own, without its classifier."""
    model = keras.applications.DenseNet121(include_top=False, weights=None, input_shape=(SIDE_PX, SIDE_PX, 3))
    return random_weights(model)


def assert_same_features(ours, theirs):
    film = np.random.default_rng(0).integers(0, 256, (1, SIDE_PX, SIDE_PX, 1)).astype(np.float32)
    scaled = keras.applications.densenet.preprocess_input(np.repeat(film, 3, axis=-1))
    expected = np.asarray(theirs(scaled))
    assert np.abs(expected).max() > 0.1
    np.testing.assert_allclose(np.asarray(ours(film)), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.slow
def test_densenet_of_keras_computes_the_same_here(densenet, write, tmp_path):
    named = {as_older_keras(path): array for path, array in read(densenet.weights).items()}
    made = import_weights(write["keras"](tmp_path / "a.h5", named | classifier(1024, 1000)))
    stored = tmp_path / "store"
    stored.write_bytes(made.to_bytes())
    arrays, text = load_arrays(stored)
    assert text == {"encoder": "densenet121", "corpus": made.card.corpus, CARD: made.card.to_json()}
    assert json.loads(text[CARD])["corpus"] == "ImageNet-1k (ILSVRC 2012)"
    network = build(NetworkSpec("unet", "densenet121"), input_size=SIDE_PX, weights=stored)
    ours = keras.Model(network.input, network.get_layer("relu").output)
    assert_same_features(ours, densenet)
    assert made.card.n_arrays == len(arrays) == len(densenet.weights)
    assert made.card.checksum is Checksum.UNKNOWN
    assert made.card.unused == {
        "predictions/predictions/bias:0": [1000],
        "predictions/predictions/kernel:0": [1024, 1000],
    }


@pytest.mark.slow
def test_chexnet_of_pytorch_gives_the_arrays_of_keras(densenet, write, tmp_path):
    arrays = read(densenet.weights)
    head = {"module.densenet121.classifier.0.weight": np.ones((14, 1024), np.float32)}
    state = {"epoch": 1, "state_dict": as_torch(arrays) | head}
    made = import_weights(write["legacy"](tmp_path / "model.pth.tar", state))
    assert made.card.encoder is Encoder.CHEXNET
    assert made.card.corpus == "NIH ChestX-ray14"
    assert made.card.unused == {"module.densenet121.classifier.0.weight": [14, 1024]}
    assert made.arrays.keys() == arrays.keys()
    for path, array in arrays.items():
        np.testing.assert_array_equal(made.arrays[path], array)
    assert made.to_bytes() == made.to_bytes()


@pytest.mark.slow
def test_chexnet_inside_a_model_of_keras_is_found(densenet, tmp_path):
    films = keras.Input((SIDE_PX, SIDE_PX, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(densenet(films))
    model = keras.Model(films, keras.layers.Dense(14, "sigmoid", name="predictions")(pooled))
    model.compile("adam", "binary_crossentropy")
    model.save(tmp_path / "a.h5")
    made = import_weights(tmp_path / "a.h5")
    assert made.card.encoder is Encoder.CHEXNET
    for path, array in read(densenet.weights).items():
        np.testing.assert_array_equal(made.arrays[path], array)


@pytest.mark.slow
def test_inception_of_keras_gives_its_arrays_in_the_order_of_its_layers(random_weights, write, tmp_path):
    keras.layers.Conv2D(1, 1)  # takes a number, so that the numbering starts anywhere
    model = random_weights(keras.applications.InceptionV3(include_top=False, weights=None, input_shape=(96, 96, 3)))
    made = import_weights(write["keras"](tmp_path / "a.h5", read(model.weights)))
    assert made.card.encoder is Encoder.INCEPTION_V3
    # Both graphs list their layers from the input to the output, so equal graphs list them in the same order.
    for array, variable in zip(made.arrays.values(), model.weights, strict=True):
        np.testing.assert_array_equal(array, np.asarray(variable))


@pytest.mark.slow
def test_every_layer_that_does_not_match_is_reported(densenet, write, tmp_path):
    arrays = read(densenet.weights)
    del arrays["pool3_conv/kernel"]
    for path in ("conv2_block1_0_bn/gamma", "conv2_block1_0_bn/beta"):
        arrays[path] = arrays[path][:5]
    arrays["bn/gamma"] = np.full_like(arrays["bn/gamma"], np.nan)
    with pytest.raises(InputError, match="3 of 241 layers do not match") as caught:
        import_weights(write["keras"](tmp_path / "a.h5", arrays | {"strange/kernel": np.ones((2, 3))}))
    assert caught.value.message.splitlines()[1:] == [
        "  conv2_block1_0_bn: gamma is [5] instead of [64], beta is [5] instead of [64]",
        "  pool3_conv: kernel [1, 1, 512, 256] is missing",
        "  bn: gamma has values that are not finite",
        "Of no layer of it are",
        "  strange/strange/kernel:0 [2, 3]",
    ]


def test_a_network_of_another_architecture_is_refused_with_all_that_it_holds(write, tmp_path):
    arrays = {f"block{i}_conv1/kernel": np.ones((3, 3, i, 1), np.float32) for i in (1, 2)}
    with pytest.raises(InputError, match="of no known encoder") as caught:
        import_weights(write["keras"](tmp_path / "vgg.h5", arrays))
    assert "block1_conv1/block1_conv1/kernel:0 [3, 3, 1, 1]" in caught.value.message
    assert "block2_conv1/block2_conv1/kernel:0 [3, 3, 2, 1]" in caught.value.message


@pytest.mark.parametrize("corpus", ["", " ", "a\nb", "x" * 201])
def test_a_corpus_must_have_a_name(corpus, tmp_path):
    with pytest.raises(InputError, match="is no name"):
        import_weights(tmp_path / "a.h5", corpus=corpus)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*a\.h5"):
        import_weights(tmp_path / "a.h5")
