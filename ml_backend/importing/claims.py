"""How much a file claims to hold, checked before anything of it is allocated."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from db.domain.errors import InputError

Arrays = dict[str, npt.NDArray[np.float32]]

MAX_NUMBERS = 1 << 28
"""In all arrays of a file together: 1 GiB as float32, five times what the largest of the encoders has."""

MAX_ARRAYS = 20_000


class Claims:
    """The sum of what a file's arrays claim."""

    def __init__(self) -> None:
        self._n_arrays = 0
        self._n_numbers = 0

    def add(self, name: str, shape: Sequence[int]) -> None:
        """Count one array.

        Raises
        ------
        InputError
            If the file now claims more than any encoder's weights have.
        """
        self._n_arrays += 1
        self._n_numbers += math.prod(shape)
        if self._n_numbers > MAX_NUMBERS or self._n_arrays > MAX_ARRAYS:
            msg = (
                f"Its array {name} {list(shape)} brings it to {self._n_arrays} arrays of {self._n_numbers} numbers; "
                f"allowed are {MAX_ARRAYS} of {MAX_NUMBERS}."
            )
            raise InputError(msg, hint="No weights of these encoders are so large.")
