"""ResNet-50 with pre-activation, as in qubvel's classification_models; the counts of Table V rule out Keras' own."""

import keras
from keras import layers

from ml_backend.networks.blocks import as_rgb
from ml_backend.networks.pyramid import Pyramid

UNITS = (3, 4, 6, 3)
"""Units of the stages 1 to 4."""

WIDTHS = (64, 128, 256, 512)
"""Inner filters of each stage; a unit gives four times as many channels."""

EPSILON = 2e-5


def encode(films: keras.KerasTensor) -> Pyramid:
    """Features of 64, 256, 512, 1024 channels, and 2048 at the deepest.

    The weights expect grey levels 0..255 as they are: the first normalisation learns the scale.

    Source: He et al., "Identity Mappings in Deep Residual Networks". The taps of the grids' first column are taken
    from public sources; the counts do not settle them (P18, P43).
    """
    features = _norm(as_rgb(films), "bn_data", scale=False)
    features = layers.ZeroPadding2D(3)(features)
    features = _convolution(features, 64, 7, name="conv0", strides=2)
    stem = layers.ReLU(name="relu0")(_norm(features, "bn0"))
    features = layers.MaxPooling2D(3, strides=2, name="pooling0")(layers.ZeroPadding2D(1)(stem))
    first: dict[tuple[int, int], keras.KerasTensor] = {}
    for stage, (n_units, filters) in enumerate(zip(UNITS, WIDTHS, strict=True), start=1):
        for unit in range(1, n_units + 1):
            strides = 2 if unit == 1 and stage > 1 else 1
            features, first[stage, unit] = _unit(features, filters, name=f"stage{stage}_unit{unit}_", strides=strides)
    return Pyramid(
        skips=[stem, first[2, 1], first[3, 1], first[4, 1]],
        deepest=layers.ReLU(name="relu1")(_norm(features, "bn1")),
        taps=[first[1, 2], first[2, 2], first[3, 2]],
    )


def _unit(
    features: keras.KerasTensor, filters: int, *, name: str, strides: int
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """A bottleneck unit's output, and its first relu. The first unit of a stage projects its shortcut."""
    first = layers.ReLU(name=f"{name}relu1")(_norm(features, f"{name}bn1"))
    shortcut = features
    if name.endswith("unit1_"):
        shortcut = _convolution(first, 4 * filters, 1, name=f"{name}sc", strides=strides)
    inner = _convolution(first, filters, 1, name=f"{name}conv1")
    inner = layers.ReLU(name=f"{name}relu2")(_norm(inner, f"{name}bn2"))
    inner = _convolution(layers.ZeroPadding2D(1)(inner), filters, 3, name=f"{name}conv2", strides=strides)
    inner = layers.ReLU(name=f"{name}relu3")(_norm(inner, f"{name}bn3"))
    inner = _convolution(inner, 4 * filters, 1, name=f"{name}conv3")
    return layers.Add()([inner, shortcut]), first


def _convolution(
    features: keras.KerasTensor, filters: int, size: int, *, name: str, strides: int = 1
) -> keras.KerasTensor:
    return layers.Conv2D(filters, size, strides, use_bias=False, kernel_initializer="he_uniform", name=name)(features)


def _norm(features: keras.KerasTensor, name: str, *, scale: bool = True) -> keras.KerasTensor:
    return layers.BatchNormalization(epsilon=EPSILON, scale=scale, name=name)(features)
