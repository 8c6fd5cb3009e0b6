"""Masks as readers saw them, and as they count."""

from functools import lru_cache

from db.artifacts import Store
from db.domain.candidate import EQUAL_DICE
from db.domain.errors import StateError
from db.domain.mask import Mask, canonical_grid_mask, canonical_mask, dice
from db.domain.provenance import MaskOrigin
from db.models import CaseRow, MaskRow


def grid_mask(store: Store, mask: MaskRow) -> Mask:
    """A mask as readers saw it: bool [grid height, grid width]."""
    pixels = store.get_map(mask.map_digest) if mask.map_digest else store.get_mask(mask.digest or "")
    return canonical_grid_mask(pixels, mask.case.height_px, mask.case.width_px)


def shown_mask(store: Store, mask: MaskRow) -> Mask:
    """The mask at the film's size, bool [height, width], as it counts when accepted.

    A network's map and a stage I drawing pass through the canonical mask; what a reader edited or drew in answer to a
    comparison stays as it is.
    """
    height, width = mask.case.height_px, mask.case.width_px
    if mask.map_digest is not None:
        return canonical_mask(store.get_map(mask.map_digest), height, width)
    if mask.digest is None:
        msg = f"Mask {mask.id} has neither a file nor a map."
        raise StateError(msg, hint="Run `overread doctor`.")
    native = store.get_mask(mask.digest)
    return canonical_mask(native, height, width) if mask.origin is MaskOrigin.DRAWING else native


class Likeness:
    """Dice between masks on the canonical grid; what was computed stays in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pixels = lru_cache(64)(self._load)
        self._dice = lru_cache(2**16)(self._compute)

    def of_file(self, digest: str, case: CaseRow) -> "MaskFile":
        """A mask of a case that has a file and no row: a phantom's truth."""
        return digest, False, case.height_px, case.width_px

    def dice(self, a: "MaskRow | MaskFile", b: "MaskRow | MaskFile") -> float:
        """The Dice of two masks of one case."""
        first, second = sorted((_key(a), _key(b)))
        return 1.0 if first == second else self._dice(first, second)

    def are_equal(self, a: MaskRow | None, b: MaskRow | None) -> bool:
        """Whether nobody could tell two masks apart; of unreadable films, None, any two are equal."""
        return a is b or (a is not None and b is not None and self.dice(a, b) >= EQUAL_DICE)

    def _compute(self, a: "MaskFile", b: "MaskFile") -> float:
        return dice(self._pixels(a), self._pixels(b))

    def _load(self, key: "MaskFile") -> Mask:
        digest, is_map, height, width = key
        pixels = self._store.get_map(digest) if is_map else self._store.get_mask(digest)
        return canonical_grid_mask(pixels, height, width)


MaskFile = tuple[str, bool, int, int]
"""Digest, whether it is a map, and the size of the film: height, width."""


def _key(mask: MaskRow | MaskFile) -> MaskFile:
    if isinstance(mask, tuple):
        return mask
    is_map = mask.map_digest is not None
    return mask.map_digest or mask.digest or "", is_map, mask.case.height_px, mask.case.width_px
