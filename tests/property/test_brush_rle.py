"""The brush codec against the format read bit by bit, as LABEL STUDIO's encoders write it."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from db.domain import brush_rle
from db.domain.brush_rle import decode, encode
from db.domain.errors import InputError

SHAPES = st.tuples(st.integers(1, 23), st.integers(1, 23))
SOFT = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 7, 128, 255])))
BINARY = SHAPES.flatmap(lambda shape: arrays(np.bool_, shape))
RGBA = SHAPES.flatmap(lambda shape: arrays(np.uint8, (*shape, 4), elements=st.sampled_from([0, 9, 200, 255])))


def read_bit_by_bit(rle):
    """All values of a stream, read the slow and obvious way."""
    bits = "".join(f"{byte:08b}" for byte in rle)
    place = 0

    def take(n):
        nonlocal place
        place += n
        return int(bits[place - n : place], 2)

    n_values, value_bits, sizes = take(32), take(5) + 1, [take(4) + 1 for _ in range(4)]
    values: list[int] = []
    while len(values) < n_values:
        repeats, size = take(1), sizes[take(2)]
        length = take(size) + 1
        values += [take(value_bits)] * length if repeats else [take(value_bits) for _ in range(length)]
    return np.array(values, np.uint8)


def write_as_a_browser(values, sizes, rng):
    """A stream of any values with chunks of several literals in it, and what fills the last byte."""
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{size - 1:04b}" for size in sizes)
    place = 0
    while place < len(values):
        index = int(rng.integers(4))
        length = min(int(rng.integers(1, 2 ** min(sizes[index], 5) + 1)), len(values) - place)
        run = values[place : place + length]
        is_run = len(set(run)) == 1
        bits += f"{int(is_run)}{index:02b}{length - 1:0{sizes[index]}b}"
        bits += "".join(f"{value:08b}" for value in (run[:1] if is_run else run))
        place += length
    bits += "0" * (-len(bits) % 8 + 8 * int(rng.integers(2)))
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


@given(SOFT | BINARY)
def test_what_was_encoded_reads_as_the_same_mask(mask):
    alpha = mask * np.uint8(255) if mask.dtype == np.bool_ else mask
    rle = encode(mask)
    np.testing.assert_array_equal(read_bit_by_bit(rle), np.repeat(alpha.ravel(), 4))
    np.testing.assert_array_equal(decode(rle, *mask.shape), alpha)


@given(RGBA, st.permutations([3, 4, 8, 16]), st.integers(0, 2**32 - 1), st.sampled_from([16, 64, 2**20]))
def test_streams_with_literals_other_sizes_and_colours_give_the_last_channel(rgba, sizes, seed, block):
    rle = write_as_a_browser(rgba.ravel(), sizes, np.random.default_rng(seed))
    np.testing.assert_array_equal(read_bit_by_bit(rle), rgba.ravel())
    before, brush_rle.BLOCK_BYTES = brush_rle.BLOCK_BYTES, block
    try:
        np.testing.assert_array_equal(decode(rle, *rgba.shape[:2]), rgba[..., 3])
    finally:
        brush_rle.BLOCK_BYTES = before


@given(st.lists(st.integers(0, 255), max_size=200), st.integers(1, 9), st.integers(1, 9))
def test_any_bytes_are_a_mask_or_an_input_error(rle, height, width):
    with suppress(InputError):
        assert decode(rle, height, width).shape == (height, width)


@given(SOFT, st.data())
def test_a_stream_cut_short_or_turned_over_somewhere_never_crashes(mask, data):
    rle = encode(mask)
    rle = rle[: data.draw(st.integers(0, len(rle)))]
    if rle:
        rle[data.draw(st.integers(0, len(rle) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with suppress(InputError):
        assert decode(rle, *mask.shape).shape == mask.shape


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        ([], "ends after 0 bytes"),
        ([0, 0, 0, 64, 57, 27], "ends after 6 bytes"),
        ([0, 0, 0, 64, 57, 27, 254, 19, 0], "ends after"),
        ([0, 0, 0, 64, 9, 27, 254, 19, 0], "values of 2 bits"),
        ([255, 255, 255, 252, 57, 27, 254, 19, 0], "4294967292 values; a film of 4x4"),
        ([0, 0, 0, 64, 57, 27, 256], "whole numbers"),
        ([0, 0, 0, 64, 57, 27, -1], "whole numbers"),
        ([0, 0.5], "whole numbers"),
        ("abc", "whole numbers"),
    ],
)
def test_what_is_no_stream_is_refused(rle, message):
    with pytest.raises(InputError, match=message):
        decode(rle, 4, 4)


def test_a_cut_stream_says_how_far_it_went():
    rle = encode(np.random.default_rng(0).random((9, 9)) > 0.5)
    with pytest.raises(InputError, match=r"of 324 values"):
        decode(rle[:-20], 9, 9)


@pytest.mark.parametrize("mask", [np.zeros((2, 2), np.float32), np.zeros(4, bool), np.zeros((0, 3), bool)])
def test_what_is_no_mask_is_not_encoded(mask):
    with pytest.raises(InputError, match="was received"):
        encode(mask)


def test_the_known_stream_of_a_square():
    mask = np.zeros((4, 4), bool)
    mask[1:3, 1:3] = True
    assert encode(mask) == [0, 0, 0, 64, 57, 27, 254, 19, 0, 159, 254, 112, 9, 255, 240, 152, 0]


@pytest.mark.parametrize("shape", [(300, 301), (1, 70_000)])
def test_runs_longer_than_a_chunk_can_say_come_back(shape):
    for mask in (np.zeros(shape, bool), np.ones(shape, bool), np.arange(np.prod(shape)).reshape(shape) > 30_000):
        np.testing.assert_array_equal(decode(encode(mask), *shape), mask * np.uint8(255))


def test_a_mask_whose_true_is_255_as_pillow_reads_it_is_a_mask_like_any():
    as_pillow = np.array([[255, 0], [0, 255]], np.uint8).view(np.bool_)
    assert encode(as_pillow) == encode(np.array([[True, False], [False, True]]))
