"""What pretrained weights were trained on, and the digests under which their makers published them (P19)."""

from collections.abc import Mapping
from dataclasses import dataclass

from db.domain.network import Encoder

IMAGENET = "ImageNet-1k (ILSVRC 2012)"
IMAGENET_11K = "ImageNet-11k and Places365-Challenge"
CHESTXRAY14 = "NIH ChestX-ray14"

DEFAULT: Mapping[Encoder, str] = {
    Encoder.CHEXNET: CHESTXRAY14,
    Encoder.DENSENET121: IMAGENET,
    Encoder.INCEPTION_V3: IMAGENET,
    Encoder.RESNET50: IMAGENET,
}
"""For the encoders that are imported."""

BY_CLASSES: Mapping[int, str] = {1000: IMAGENET, 11586: IMAGENET_11K, 14: CHESTXRAY14}
"""Told by how many classes the file's classifier has."""


@dataclass(frozen=True)
class Published:
    """A file as its maker offers it; `digest` is the beginning of its hexadecimal `algorithm`."""

    name: str
    algorithm: str
    digest: str
    encoder: Encoder
    corpus: str = IMAGENET


PUBLISHED = (
    Published(
        "densenet121_weights_tf_dim_ordering_tf_kernels.h5",
        "md5",
        "9d60b8095a5708f2dcce2bca79d332c7",
        Encoder.DENSENET121,
    ),
    Published(
        "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5",
        "30ee3e1110167f948a6b9946edeeb738",
        Encoder.DENSENET121,
    ),
    Published("densenet121-a639ec97.pth", "sha256", "a639ec97", Encoder.DENSENET121),
    Published(
        "inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
        "md5",
        "9a0d58056eeedaa3f26cb7ebd46da564",
        Encoder.INCEPTION_V3,
    ),
    Published(
        "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "md5",
        "bcbd6486424b2319ff4ef7d526e38f63",
        Encoder.INCEPTION_V3,
    ),
    Published("resnet50_imagenet_1000.h5", "md5", "d0feba4fc650e68ac8c19166ee1ba87f", Encoder.RESNET50),
    Published("resnet50_imagenet_1000_no_top.h5", "md5", "db3b217156506944570ac220086f09b6", Encoder.RESNET50),
    Published(
        "resnet50_imagenet11k-places365ch_11586.h5",
        "md5",
        "bb8963db145bc9906452b3d9c9917275",
        Encoder.RESNET50,
        IMAGENET_11K,
    ),
    Published(
        "resnet50_imagenet11k-places365ch_11586_no_top.h5",
        "md5",
        "d8bf4e7ea082d9d43e37644da217324a",
        Encoder.RESNET50,
        IMAGENET_11K,
    ),
)
"""Sources: `keras.applications` and `classification_models` (their md5), torchvision (eight digits in the name)."""
