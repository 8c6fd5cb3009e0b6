"""What a network is: a decoder on an encoder, and whether the encoder learns."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self, TypeVar

from db.domain.errors import InputError

E = TypeVar("E", bound=StrEnum)


class Decoder(StrEnum):
    """How the encoder's features become a mask (P18)."""

    UNET = "unet"
    UNET_PLUS_PLUS = "unet_plus_plus"
    DLA = "dla"


class Encoder(StrEnum):
    """Where the features come from: the paper's four (P18), and small ones for CPUs."""

    CHEXNET = "chexnet"
    DENSENET121 = "densenet121"
    INCEPTION_V3 = "inception_v3"
    RESNET50 = "resnet50"
    MEDIUM = "medium"
    SMALL = "small"
    TINY = "tiny"


@dataclass(frozen=True, order=True)
class NetworkSpec:
    """One network: `decoder` on `encoder`; `frozen` keeps the encoder's convolutions as they were loaded.

    Plain strings are accepted for both names, so that a specification can be typed by hand; they become members of
    `Decoder` and `Encoder`.

    Raises
    ------
    InputError
        If a name is unknown; the message lists the allowed ones.
    """

    decoder: str
    encoder: str
    frozen: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "decoder", _member(Decoder, self.decoder))
        object.__setattr__(self, "encoder", _member(Encoder, self.encoder))

    @property
    def name(self) -> str:
        """`unet-densenet121` or `unet-densenet121-frozen`."""
        return f"{self.decoder}-{self.encoder}{'-frozen' if self.frozen else ''}"

    @classmethod
    def parse(cls, name: str) -> Self:
        """The specification that `name` names; the inverse of the property `name`."""
        decoder, _, rest = name.partition("-")
        encoder, _, suffix = rest.partition("-")
        if suffix not in {"", "frozen"} or not encoder:
            msg = f"Network {name!r} is not of the form DECODER-ENCODER or DECODER-ENCODER-frozen."
            raise InputError(msg, hint="For example: unet-small.")
        return cls(
            Decoder(_member(Decoder, decoder)),
            Encoder(_member(Encoder, encoder)),
            suffix == "frozen",
        )


PAPER_ENCODERS = (Encoder.CHEXNET, Encoder.DENSENET121, Encoder.INCEPTION_V3, Encoder.RESNET50)
"""The encoders for which people have pretrained weights (P19)."""


def paper_networks() -> tuple[NetworkSpec, ...]:
    """The paper's 24: three decoders on four encoders, each encoder learning or frozen (P18)."""
    return _networks(PAPER_ENCODERS)


def every_network() -> tuple[NetworkSpec, ...]:
    """The paper's, and those on the small encoders."""
    return _networks(tuple(Encoder))


def _networks(encoders: tuple[Encoder, ...]) -> tuple[NetworkSpec, ...]:
    return tuple(
        NetworkSpec(decoder, encoder, frozen) for decoder in Decoder for encoder in encoders for frozen in (False, True)
    )


def _member(kind: type[E], value: str) -> E:
    try:
        return kind(value)
    except ValueError:
        msg = f"Unknown {kind.__name__.lower()} {str(value)!r}."
        raise InputError(msg, hint=f"Known: {', '.join(kind)}.") from None
