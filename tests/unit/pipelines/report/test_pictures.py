"""Small pictures of a case."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from db.models import CaseRow
from pipelines.report.pictures import OUTLINE, SIDE_PX, outlined, picture_case


def opened(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/png;base64,")))))


def test_only_the_inner_edge_of_a_mask_is_drawn():
    mask = np.zeros((9, 9), bool)
    mask[2:7, 2:7] = True
    drawn = outlined(np.zeros((9, 9, 3), np.uint8), mask)
    edge = (drawn == OUTLINE).all(axis=-1)
    assert edge.sum() == 16
    assert not (edge & ~mask).any()
    assert not edge[3:6, 3:6].any()


@pytest.mark.parametrize(("height", "width", "shape"), [(600, 300, (300, 150)), (150, 300, (150, 300))])
def test_the_three_pictures_of_a_case_are_of_one_size_and_keep_its_aspect(height, width, shape):
    film = np.full((height, width), 40000, np.uint16)
    probability = np.zeros((32, 32), np.float32)
    probability[:16] = 1
    shown = picture_case(CaseRow(), film=film, final=film > 0, probability=probability)
    pictures = [opened(uri) for uri in (shown.film, shown.outline, shown.infection_map)]
    assert {picture.shape for picture in pictures} == {(*shape, 3)}
    assert max(shape) == SIDE_PX
    assert shown.severity.share == pytest.approx(0.5, abs=0.02)
    assert (pictures[2][-1, 0] == pictures[0][-1, 0]).all()
    assert (pictures[2][0, 0] != pictures[0][0, 0]).any()
