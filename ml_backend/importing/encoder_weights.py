"""Users' pretrained weights, brought to what `ml_backend.networks.build` starts from."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from db.domain.errors import InputError
from db.domain.network import Encoder
from ml_backend.importing import corpora
from ml_backend.importing.cards import Clues, WeightsCard, count_classes
from ml_backend.importing.checksums import verify
from ml_backend.importing.claims import Arrays
from ml_backend.importing.conversion import printable, read_arrays
from ml_backend.importing.layouts import recognise
from ml_backend.importing.matching import Shapes, require_every_layer, require_one_each
from ml_backend.networks import build_encoder
from ml_backend.weights import CORPUS, ENCODER

CARD = "card"
"""Name of the text in the safetensors file that holds the card."""

MAX_CORPUS = 200
"""Characters of a corpus' name."""

ALIGNMENT_BYTES = 8
"""At which the numbers of a safetensors file begin."""


@dataclass(frozen=True)
class EncoderFile:
    """Arrays under the paths of the encoder's variables, and their card."""

    arrays: Arrays
    card: WeightsCard

    def to_bytes(self) -> bytes:
        """A safetensors file that says whose it is and what it was trained on; the same values give the same bytes.

        Written here, because safetensors' own writer puts texts in a random order.
        """
        text = {ENCODER: self.card.encoder.value, CORPUS: self.card.corpus, CARD: self.card.to_json()}
        header: dict[str, object] = {"__metadata__": text}
        end = 0
        for path, array in sorted(self.arrays.items()):
            start, end = end, end + array.nbytes
            header[path] = {"dtype": "F32", "shape": array.shape, "data_offsets": [start, end]}
        packed = json.dumps(header).encode()
        packed += b" " * (-len(packed) % ALIGNMENT_BYTES)
        numbers = (array.astype("<f4").tobytes() for _, array in sorted(self.arrays.items()))
        return b"".join([len(packed).to_bytes(8, "little"), packed, *numbers])


def import_weights(
    path: Path, *, encoder: Encoder | None = None, corpus: str | None = None, sha256: str | None = None
) -> EncoderFile:
    """Read a pretrained encoder out of a Keras or PyTorch file.

    Parameters
    ----------
    path
        Keras `.h5` of keras.applications, classification_models or CheXNet, or a PyTorch DenseNet-121.
    encoder
        Which encoder's weights they are; needed where the file does not tell DenseNet-121 from CheXNet.
    corpus
        What they were trained on; needed where the file has a classifier of no corpus that is known here.
    sha256
        The digest that the file must have.

    Returns
    -------
    EncoderFile
        Every variable of the encoder, float32. PyTorch normalises with an epsilon of 1e-5, ours is 1.001e-5.

    Raises
    ------
    InputError
        If the file carries code, is damaged or is not the one it should be; if layers of the encoder are missing or
        of another shape (all are listed); if encoder or corpus must be named.
    """
    file = printable(path.name)
    if corpus is not None and not (corpus.strip() and corpus.isprintable() and len(corpus) <= MAX_CORPUS):
        msg = f"Corpus {corpus!r} is no name of at most {MAX_CORPUS} characters."
        raise InputError(msg, hint=f"For example: --corpus {corpora.CHESTXRAY14!r}.")
    if not path.is_file():
        msg = f"There is no file {path}."
        raise InputError(msg, hint="Name a file of weights.")
    with path.open("rb") as opened:
        verified = verify(path, opened, sha256)
        arrays = read_arrays(path, opened)
    layout, renamed = recognise(arrays, encoder)
    if not renamed and encoder is None:
        held = ", ".join(f"{name} {list(array.shape)}" for name, array in arrays.items())
        msg = f"{file} is of no known encoder. It holds {held}."
        raise InputError(msg, hint=f"Known: {', '.join(corpora.DEFAULT)}.")
    names = require_one_each(file, renamed)
    found = layout.arrays(arrays, names)
    wanted, n_features = _needs(layout.encoders[0])
    taken = {name for variable, name in names.items() if variable in wanted}
    unused = {name: array.shape for name, array in arrays.items() if name not in taken}
    require_every_layer(file, layout.name, wanted, found, unused)
    n_classes = count_classes(unused.values(), n_features)
    clues = Clues(file, layout.encoders, verified, n_classes)
    encoder = clues.encoder(encoder, corpus)
    card = WeightsCard(
        encoder=encoder,
        corpus=corpus or clues.corpus(encoder),
        layout=layout.name,
        file=file,
        sha256=verified.sha256,
        checksum=verified.checksum,
        n_arrays=len(wanted),
        unused={name: list(shape) for name, shape in unused.items()},
    )
    return EncoderFile({variable: found[variable] for variable in wanted}, card)


@cache
def _needs(encoder: Encoder) -> tuple[Shapes, int]:
    """The shapes of an encoder's variables, and how many features a classifier on it takes."""
    built = build_encoder(encoder)
    return {variable.path: tuple(variable.shape) for variable in built.weights}, built.output.shape[-1]
