"""The browser shows a drawer what the drawing will count as: both sides hold the same vectors.

`annotation_server/frontend/tests/canonical.json` has drawings as discs, and what the canonical grid mask of each is;
`canonical.test.ts` beside it computes the same in TypeScript.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from db.domain.mask import canonical_grid_mask, pack

VECTORS = Path(__file__).parents[2] / "annotation_server" / "frontend" / "tests" / "canonical.json"


@pytest.mark.parametrize("vector", json.loads(VECTORS.read_text()), ids=lambda vector: vector["name"])
def test_the_vectors_are_what_the_record_makes_of_the_drawings(vector):
    y, x = np.indices((vector["height"], vector["width"]))
    drawing = np.zeros(y.shape, np.bool_)
    for centre_x, centre_y, radius in vector["discs"]:
        drawing |= (x - centre_x) ** 2 + (y - centre_y) ** 2 <= radius**2
    mask = canonical_grid_mask(drawing, *drawing.shape)
    assert hashlib.sha256(pack(mask)).hexdigest() == vector["sha256"]
    assert list(mask.shape) == vector["grid"]
    assert int(mask.sum()) == vector["area"]
