"""Where an encoder's weights come from, and how a file tells it (P19)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from db.domain.errors import InputError
from db.domain.network import Encoder
from ml_backend.importing import corpora
from ml_backend.importing.checksums import Checksum, Verified
from ml_backend.importing.matching import Shape


@dataclass(frozen=True)
class WeightsCard:
    """Where an encoder's weights come from.

    Attributes
    ----------
    encoder, corpus
        Which encoder's they are, and the films or photographs that they have seen.
    layout
        Whose names the file used.
    file, sha256, checksum
        Its name and digest, and against what the digest was held.
    n_arrays
        How many arrays the encoder took.
    unused
        Those that it did not, by name and shape: the classifier, usually.
    """

    encoder: Encoder
    corpus: str
    layout: str
    file: str
    sha256: str
    checksum: Checksum
    n_arrays: int
    unused: dict[str, list[int]]

    def to_json(self) -> str:
        """Canonical JSON."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a database keeps them."""
        plain: dict[str, Any] = json.loads(self.to_json())
        return plain


@dataclass(frozen=True)
class Clues:
    """What a file tells of its weights.

    Attributes
    ----------
    file
        Its name.
    possible
        The encoders whose layers it has: DenseNet-121 and CheXNet are one network.
    verified
        Its digest, perhaps a published one.
    n_classes
        Of its classifier; None without one, 0 if it has several.
    """

    file: str
    possible: Sequence[Encoder]
    verified: Verified
    n_classes: int | None

    def encoder(self, named: Encoder | None, corpus: str | None) -> Encoder:
        """Which encoder's weights they are; `named` and `corpus` are the user's word.

        Raises
        ------
        InputError
            If nothing tells, or the file contradicts a user who does not name the corpus either.
        """
        told = self._told()
        if named is None and told is None:
            msg = f"{self.file} does not tell {' from '.join(self.possible)}: they are the same network."
            raise InputError(msg, hint=f"Say it: {' or '.join(f'`--encoder {one}`' for one in self.possible)}.")
        if named and told and named is not told and corpus is None:
            msg = f"{self.file} is called {named}, but by its classes or its digest it is {told}."
            raise InputError(msg, hint="Leave --encoder out, or say with --corpus what the weights were trained on.")
        return named or told or self.possible[0]

    def _told(self) -> Encoder | None:
        if self.verified.published:
            return self.verified.published.encoder
        if len(self.possible) == 1:
            return self.possible[0]
        seen = corpora.BY_CLASSES.get(self.n_classes or 0)
        return next((one for one in self.possible if corpora.DEFAULT[one] == seen), None)

    def corpus(self, encoder: Encoder) -> str:
        """What they were trained on.

        Raises
        ------
        InputError
            If the file's classifier is not that of a corpus on which weights of `encoder` are known.
        """
        if self.verified.published:
            return self.verified.published.corpus
        if self.n_classes is None:
            return corpora.DEFAULT[encoder]
        seen = corpora.BY_CLASSES.get(self.n_classes)
        if seen is None or (seen == corpora.CHESTXRAY14) != (encoder is Encoder.CHEXNET):
            msg = f"{self.file} has a classifier of {self.n_classes or 'several'} classes; no corpus is known by that."
            raise InputError(msg, hint="Say with --corpus what the weights were trained on.")
        return seen


def count_classes(unused: Iterable[Shape], n_features: int) -> int | None:
    """How many classes the classifier has whose matrix takes `n_features`; None without one, 0 if there are several."""
    n_classes = set()
    for shape in unused:
        match shape:
            case (n, m) if m == n_features:  # PyTorch
                n_classes.add(n)
            case (m, n) if m == n_features:  # Keras
                n_classes.add(n)
    return n_classes.pop() if len(n_classes) == 1 else 0 if n_classes else None
