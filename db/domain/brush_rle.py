"""Masks as Label Studio's brush keeps them: run lengths of RGBA values, as a list of bytes.

A stream of bits, most significant first: 32 bits how many values follow (4 a pixel, row by row), 5 bits the size of a
value less one (8), four times 4 bits the sizes of lengths less one (3, 4, 8, 16 as everybody writes them). Then chunks:
one bit whether a value is repeated, two bits which of the four sizes its length has, the length less one, and one
value, or as many values as the length says. Zeros fill the last byte.

Source: measured on Label Studio 1.23 and its SDK. The browser writes chunks of several values, Python's encoder not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import numpy.typing as npt

from db.domain.errors import InputError
from db.domain.mask import Mask

Alpha = npt.NDArray[np.uint8]
"""Opacity [height, width], 0 to 255: what a brush laid down."""

N_CHANNELS = 4
VALUE_BITS = 8
SIZES = (3, 4, 8, 16)
"""Bits of the length of a chunk that we write."""

HEADER_BITS = 32 + 5 + 4 * 4
FLAG_BITS = 3
MAX_SIZE = 16
WINDOW_BITS = FLAG_BITS + MAX_SIZE
"""As many bits of a chunk say where the next one begins."""

BLOCK_BYTES = 2**20
"""Bytes of a stream that are looked at together; it bounds the memory."""

_Bytes = npt.NDArray[np.uint8]
_Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Header:
    n_values: int
    sizes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Stream:
    """Bits, 24 or fewer of which are read at once from any place; zeros lie beyond the end.

    Attributes
    ----------
    windows
        The 32 bits from each byte on: uint32 [n bytes].
    """

    windows: npt.NDArray[np.uint32]

    @classmethod
    def of(cls, rle: Sequence[int]) -> Self:
        """The stream of a list of bytes."""
        try:
            padded = np.frombuffer(bytes(rle) + bytes(3), np.uint8).astype(np.uint32)
        except (TypeError, ValueError):
            msg = "The brush mask is no list of whole numbers from 0 to 255."
            raise InputError(msg, hint="Send the `rle` of a brush region as Label Studio exports it.") from None
        windows = np.zeros(padded.size - 3, np.uint32)
        for byte in range(4):
            windows |= padded[byte : byte + windows.size] << np.uint32(24 - 8 * byte)
        return cls(windows)

    @property
    def n_bits(self) -> int:
        """Its length."""
        return self.windows.size * 8

    def bits(self, places: _Places, n_bits: int) -> npt.NDArray[np.int64]:
        """`n_bits` from each place on, as a number."""
        window = self.windows[places >> 3] << (places & 7).astype(np.uint32)
        found: _Places = (window >> np.uint32(32 - n_bits)).astype(np.int64)
        return found

    def require(self, n_bits: int) -> None:
        """Raise InputError if the stream is shorter."""
        if n_bits > self.n_bits:
            msg = f"The brush mask ends after {self.windows.size} bytes, and {-(-n_bits // 8)} are needed."
            raise InputError(msg, hint="It was cut short: export it again.")


def encode(mask: Mask | Alpha) -> list[int]:
    """The stream of a mask.

    Parameters
    ----------
    mask
        bool [height, width], written as 0 and 255, or opacity uint8 [height, width]; the same in all four channels.

    Raises
    ------
    InputError
        If it is neither.
    """
    if mask.ndim != 2 or mask.dtype not in (np.bool_, np.uint8) or not mask.size:  # noqa: PLR2004 - rows and columns
        msg = f"A mask of type {mask.dtype} and shape {list(mask.shape)} was received."
        raise InputError(msg, hint="Give booleans or opacities from 0 to 255 as [height, width].")
    values = np.ascontiguousarray(mask).ravel().view(np.uint8)
    if mask.dtype == np.bool_:
        values = (values != 0) * np.uint8(255)  # Pillow's booleans hold 255 for true
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    lengths = np.diff(starts, append=values.size) * N_CHANNELS
    header = [(values.size * N_CHANNELS, 32), (VALUE_BITS - 1, 5), *((size - 1, 4) for size in SIZES)]
    codes, n_bits = _runs(values[starts].astype(np.int64), lengths)
    first_codes, first_bits = np.array(header, np.int64).T
    stream = _joined(np.concatenate([first_codes, codes]), np.concatenate([first_bits, n_bits]))
    return list(stream.tobytes())


def decode(rle: Sequence[int], height: int, width: int) -> Alpha:
    """The opacity uint8 [height, width] that a stream lays down, never thresholded.

    Raises
    ------
    InputError
        If it is not a stream of a mask of this size: another size, cut short, or no bytes at all. Whatever a stream
        claims, no more memory is taken than its own length and the mask of this size need.
    """
    stream = _Stream.of(rle)
    header = _read_header(stream)
    if header.n_values != height * width * N_CHANNELS:
        msg = f"The brush mask has {header.n_values} values; a film of {width}x{height} takes {height * width} times 4."
        raise InputError(msg, hint="Export it from an image of the film's size.")
    alpha = np.empty(height * width, np.uint8)
    n_read = 0
    for starts in _chunks(stream, header):
        n_read = _fill(alpha, n_read, stream, starts, header)
        if n_read >= header.n_values:
            break
    if n_read < header.n_values:
        msg = f"The brush mask ends after {n_read} of {header.n_values} values."
        raise InputError(msg, hint="It was cut short: export it again.")
    return alpha.reshape(height, width)


def _runs(values: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> tuple[_Places, _Places]:
    """The code and the number of bits of each chunk; runs that are too long for one become several."""
    longest = 1 << SIZES[-1]
    n_chunks = -(-lengths // longest)
    ends = np.cumsum(n_chunks)
    rest = np.repeat(lengths, n_chunks) - longest * (
        np.arange(ends[-1]) - np.repeat(ends - n_chunks, n_chunks)
    )  # what is left of a run before each of its chunks
    lengths, values = np.minimum(rest, longest), np.repeat(values, n_chunks)
    index = np.searchsorted(1 << np.array(SIZES), lengths)
    size = np.array(SIZES)[index]
    codes = ((4 | index) << size | (lengths - 1)) << VALUE_BITS | values
    return codes, FLAG_BITS + size + VALUE_BITS


def _joined(codes: _Places, n_bits: _Places) -> _Bytes:
    """Codes of at most 32 bits, one after the other. Each lies in one or two words of 32 bits."""
    ends = np.cumsum(n_bits)
    begins = ends - n_bits
    word = begins >> 5
    placed = codes.astype(np.uint64) << (64 - n_bits - (begins & 31)).astype(np.uint64)
    words = np.zeros((int(ends[-1]) + 31) // 32 + 1, np.uint64)
    first = np.flatnonzero(np.concatenate([[True], word[1:] != word[:-1]]))
    words[word[first]] |= np.bitwise_or.reduceat(placed >> np.uint64(32), first)
    words[word[first] + 1] |= np.bitwise_or.reduceat(placed & np.uint64(2**32 - 1), first)
    return words.astype(">u4").view(np.uint8)[: (int(ends[-1]) + 7) // 8]


def _read_header(stream: _Stream) -> _Header:
    stream.require(HEADER_BITS)
    n_values, fields = (int(stream.bits(np.array([place]), 24)[0]) for place in (0, 29))
    n_values = n_values << 8 | int(stream.bits(np.array([24]), 8)[0])
    value_bits = (fields >> 16 & 31) + 1
    if value_bits != VALUE_BITS:
        msg = f"The brush mask has values of {value_bits} bits."
        raise InputError(msg, hint="Label Studio writes values of 8 bits.")
    return _Header(n_values, tuple((fields >> shift & 15) + 1 for shift in (12, 8, 4, 0)))


def _chunks(stream: _Stream, header: _Header) -> Iterator[_Places]:
    """The places, in bits, where chunks begin, block by block of the stream; the last ones may be what fills it up."""
    steps = _steps(header.sizes)
    place, last = HEADER_BITS, stream.n_bits - FLAG_BITS - min(header.sizes) - VALUE_BITS
    while place <= last:
        first = place >> 3
        window = stream.windows[first : first + BLOCK_BYTES]
        step = np.empty((window.size, 8), np.int32)
        for bit in range(8):
            step[:, bit] = steps[window << np.uint32(bit) >> np.uint32(32 - WINDOW_BITS)]
        found, place = _walk(step.ravel(), place, first * 8, last)
        yield found


def _walk(steps: npt.NDArray[np.int32], place: int, first: int, last: int) -> tuple[_Places, int]:
    """The places up to `last` that `steps`, from `first` on, know of, each a step after the other; and the next."""
    step, found = memoryview(steps), []  # type: ignore[arg-type] # an array is a buffer
    place, last = place - first, min(last - first, steps.size - 1)
    while place <= last:
        found.append(place)
        place += step[place]
    return np.array(found, np.int64) + first, place + first


@lru_cache(8)
def _steps(sizes: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """How many bits a chunk takes: int32 [2 ** WINDOW_BITS], by its first bits."""
    window = np.arange(1 << WINDOW_BITS)
    size = np.array(sizes)[window >> MAX_SIZE & 3]
    n_values = np.where(window >> (WINDOW_BITS - 1), 1, (window >> (MAX_SIZE - size) & ((1 << size) - 1)) + 1)
    steps: npt.NDArray[np.int32] = (FLAG_BITS + size + n_values * VALUE_BITS).astype(np.int32)
    return steps


def _fill(alpha: Alpha, n_read: int, stream: _Stream, starts: _Places, header: _Header) -> int:
    """Write what chunks say of the fourth channel into `alpha`; how many values have been read then."""
    head = stream.bits(starts, WINDOW_BITS)
    size = np.array(header.sizes)[head >> MAX_SIZE & 3]
    lengths = (head >> (MAX_SIZE - size) & ((1 << size) - 1)) + 1
    ends = n_read + np.cumsum(lengths)
    n_whole = int(np.searchsorted(ends, header.n_values)) + 1  # chunks until all is read; the rest fills the last byte
    starts, head, size, lengths, ends = (array[:n_whole] for array in (starts, head, size, lengths, ends))
    if ends[-1] > header.n_values:
        msg = f"The brush mask goes on after its {header.n_values} values."
        raise InputError(msg, hint="It is damaged: export it again.")
    values, is_run = starts + FLAG_BITS + size, head >> (WINDOW_BITS - 1) == 1
    stream.require(int(values[-1]) + VALUE_BITS * (1 if is_run[-1] else int(lengths[-1])))
    begins = ends - lengths
    n_pixels = ends // N_CHANNELS - begins // N_CHANNELS  # of which a chunk says the last channel
    first = n_read // N_CHANNELS
    written = np.repeat(stream.bits(values, VALUE_BITS).astype(np.uint8), n_pixels)
    if not is_run.all():
        chunk = np.repeat(np.arange(starts.size), n_pixels)
        pixel = np.flatnonzero(~is_run[chunk])
        chunk, channel = chunk[pixel], (first + pixel) * N_CHANNELS + N_CHANNELS - 1
        written[pixel] = stream.bits(values[chunk] + (channel - begins[chunk]) * VALUE_BITS, VALUE_BITS)
    alpha[first : first + written.size] = written
    return int(ends[-1])
