import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from db.domain.errors import InputError
from pipelines.compile.films import MAX_PIXELS, decode

RAMP = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
DEEP = (RAMP.astype(np.uint16) << 8) + 7
WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1
PHOTOMETRIC, ORIENTATION = 262, 274
ROTATE_90_RIGHT = 6


def saved(path, pixels, mode=None, **options):
    picture = Image.fromarray(pixels) if mode is None else Image.fromarray(pixels).convert(mode)
    picture.save(path, **options)
    return path


def tiny_png(width, height):
    """A PNG whose header promises more than its 40 bytes of data hold."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(40))))
    body = [
        struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data)) for tag, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(body)


@pytest.mark.parametrize("name", ["film.png", "film.tif"])
@pytest.mark.parametrize("pixels", [RAMP, DEEP], ids=["8 bit", "16 bit"])
def test_grey_keeps_its_values_and_its_depth(tmp_path, name, pixels):
    film = decode(saved(tmp_path / name, pixels))
    assert film.dtype == pixels.dtype
    assert np.array_equal(film, pixels)


def test_a_jpeg_is_read(tmp_path):
    film = decode(saved(tmp_path / "film.jpg", RAMP, quality=95))
    assert film.dtype == np.uint8
    assert np.abs(film.astype(int) - RAMP).max() < 8


def test_a_file_is_what_its_first_bytes_say(tmp_path):
    saved(tmp_path / "film.png", RAMP).rename(tmp_path / "film.tif")
    assert np.array_equal(decode(tmp_path / "film.tif"), RAMP)


def test_colour_becomes_luminance_and_grey_stored_as_colour_keeps_its_values(tmp_path):
    assert np.array_equal(decode(saved(tmp_path / "grey.png", RAMP, "RGB")), RAMP)
    red = np.zeros((48, 64, 3), np.uint8)
    red[:, 32:, 0] = 255
    film = decode(saved(tmp_path / "red.png", red))
    assert (film[0, 0], film[0, -1]) == (0, 76)  # 0.299 of 255


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_shows_black_and_opaque_pixels_stay(tmp_path, mode):
    alpha = np.full(RAMP.shape, 255, np.uint8)
    alpha[:24] = 0
    picture = Image.fromarray(RAMP).convert(mode)
    picture.putalpha(Image.fromarray(alpha))
    picture.save(tmp_path / "film.png")
    film = decode(tmp_path / "film.png")
    assert not film[:24].any()
    assert np.array_equal(film[24:], RAMP[24:])


@pytest.mark.parametrize(("name", "pixels"), [("a.jpg", RAMP), ("a.png", RAMP), ("a.png", DEEP), ("a.tif", DEEP)])
def test_the_stored_orientation_is_applied(tmp_path, name, pixels):
    exif = Image.Exif()
    exif[ORIENTATION] = ROTATE_90_RIGHT
    film = decode(saved(tmp_path / name, pixels, exif=exif))
    assert film.shape == (64, 48)
    assert film[0, 0] < film[-1, 0]  # the left column is now the top row


@pytest.mark.parametrize("pixels", [RAMP, DEEP], ids=["8 bit", "16 bit"])
def test_a_tiff_whose_zero_is_white_is_inverted(tmp_path, pixels):
    path = saved(tmp_path / "film.tif", pixels, tiffinfo={PHOTOMETRIC: BLACK_IS_ZERO})
    header = path.read_bytes()
    entry = struct.pack("<HHIH", PHOTOMETRIC, 3, 1, BLACK_IS_ZERO)
    assert header.count(entry) == 1
    path.write_bytes(header.replace(entry, struct.pack("<HHIH", PHOTOMETRIC, 3, 1, WHITE_IS_ZERO)))
    assert np.array_equal(decode(path), np.iinfo(pixels.dtype).max - pixels)


def test_a_truncated_png_is_damaged(tmp_path):
    path = saved(tmp_path / "c1.png", np.random.default_rng(0).integers(0, 255, (64, 64)).astype(np.uint8))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match=r"^c1\.png is damaged"):
        decode(path)


def test_a_text_file_is_no_film_whatever_its_name(tmp_path):
    (tmp_path / "c1.png").write_text("not a film")
    with pytest.raises(InputError, match=r"^c1\.png is not a PNG, JPEG or TIFF file"):
        decode(tmp_path / "c1.png")


def test_a_huge_image_is_refused_before_it_is_decoded(tmp_path):
    (tmp_path / "c1.png").write_bytes(tiny_png(20_000, 20_000))
    with pytest.raises(InputError, match=r"^c1\.png is 20000x20000; at most 64 million pixels"):
        decode(tmp_path / "c1.png")
    assert MAX_PIXELS < 20_000**2


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("1", "one bit a pixel"), ("P", "palette"), ("I", "32-bit"), ("F", "floating-point"), ("CMYK", "CMYK")],
)
def test_other_pixels_than_grey_and_rgb_are_refused_by_name(tmp_path, mode, reason):
    path = saved(tmp_path / "c1.tif", RAMP, mode)
    with pytest.raises(InputError, match=rf"^c1\.tif holds .*{reason}.*grey of 8 or 16 bits and RGB are read"):
        decode(path)


def test_a_blank_a_tiny_and_a_many_paged_film_are_refused(tmp_path):
    with pytest.raises(InputError, match="every pixel is 9"):
        decode(saved(tmp_path / "blank.png", np.full((48, 48), 9, np.uint8)))
    with pytest.raises(InputError, match="64x20"):
        decode(saved(tmp_path / "tiny.png", RAMP[:20]))
    page = Image.fromarray(RAMP)
    page.save(tmp_path / "pages.tif", save_all=True, append_images=[page, page])
    with pytest.raises(InputError, match="3 pages"):
        decode(tmp_path / "pages.tif")


@pytest.mark.parametrize("name", ["film.dcm", "film.png"])
def test_dicom_is_recognised_and_comes_later(tmp_path, name):
    (tmp_path / name).write_bytes(bytes(128) + b"DICM" + bytes(100))
    with pytest.raises(InputError, match=r"DICOM file.*comes later"):
        decode(tmp_path / name)


@pytest.mark.parametrize("name", ["film.png", "film.jpg", "film.tif"])
def test_no_damage_is_worse_than_an_input_error(tmp_path, name):
    whole = saved(tmp_path / name, np.random.default_rng(0).integers(0, 255, (48, 48)).astype(np.uint8)).read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(4, min(400, len(whole)), 3):
            damaged[place] = rng.integers(256)
        (tmp_path / name).write_bytes(damaged[: rng.integers(20, len(damaged))])
        try:
            decode(tmp_path / name)
        except InputError as error:
            assert error.message.startswith(name)  # noqa: PT017 - decoding may also succeed
