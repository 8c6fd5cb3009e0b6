import pytest

from db.domain.majority import find_majority


def is_near(a, b):
    return abs(a - b) <= 1


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ([4], 4),
        ([4, 9], None),
        ([4, 5], 4),
        ([4, 9, 5], 4),
        ([4, 9, 20], None),
        ([4, 4, 9, 9], None),
        ([9, 4, 5, 6], 5),
        ([1, 5, 6, 7, 20], 6),
        ([], None),
    ],
)
def test_it_is_what_more_than_half_share(choices, expected):
    assert find_majority(choices, is_near) == expected
