"""What a browser sends is kept whole below one folder, or refused with its reason, and nothing is left of a refusal."""

import io
import stat
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from annotation_server.services import receiving
from annotation_server.services.receiving import Reception, SentFile
from db.domain.errors import InputError

MANIFEST = b"case,patient,class\nn1,p1,infection\n"


def picture(kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8)).save(buffer, kind)
    return buffer.getvalue()


PNG, JPEG = picture(), picture("JPEG")


def sent(name, data):
    return SentFile(name, io.BytesIO(data))


def packed(files, compression=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def receive(folder, films, manifest=MANIFEST):
    given = [sent(name, data) for name, data in films.items()]
    return Reception.of(folder, given, sent("films.csv", manifest) if manifest else None)


def kept(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_films_and_their_manifest_are_kept_below_one_private_folder(tmp_path):
    reception = receive(tmp_path, {"n1.png": PNG, "n2.JPG": JPEG})
    assert kept(reception.root) == ["manifest.csv", "n1.png", "n2.JPG"]
    assert (reception.n_films, reception.refused) == (2, [])
    assert stat.S_IMODE(reception.root.stat().st_mode) == 0o700


def test_a_zip_file_may_hold_folders_and_the_manifest(tmp_path):
    files = {"march/": b"", "march/manifest.csv": MANIFEST, "march/a/n1.png": PNG, "__MACOSX/._n1.png": b"x"}
    reception = receive(tmp_path, {"films.zip": packed(files)}, manifest=None)
    assert kept(reception.root) == ["march/a/n1.png", "march/manifest.csv"]
    assert str(reception.folder) == "march"
    assert reception.refused == []


@pytest.mark.parametrize(
    "name",
    [
        "../n2.png",
        "a/../../n2.png",
        "/etc/n2.png",
        "..\\n2.png",
        "C:\\n2.png",
        "a\nb.png",
        "n2\x00.png",
        "x" * 300 + ".png",
    ],
)
@pytest.mark.parametrize("is_zipped", [True, False])
def test_a_name_that_could_lead_out_is_refused_and_the_rest_kept(tmp_path, name, is_zipped):
    files = {"n1.png": PNG, name: PNG}
    reception = receive(tmp_path / "in", {"films.zip": packed(files)} if is_zipped else files)
    assert kept(tmp_path) == sorted(
        str((reception.root / one).relative_to(tmp_path)) for one in ("manifest.csv", "n1.png")
    )
    ((shown, why),) = reception.refused
    assert shown.isprintable()
    assert "name" in why


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("n2.png", b"<svg onload=alert(1)>", "not a PNG or JPEG"),
        ("n2.png", JPEG, "name says otherwise"),
        ("n2.exe", PNG, "name says otherwise"),
        ("n2.png", b"", "not a PNG or JPEG"),
        ("n2.dcm", b"\0" * 128 + b"DICM", "not a PNG or JPEG"),
        ("N1.PNG", PNG, "Two files"),
        ("inner.zip", packed({"n3.png": PNG}), "not a PNG or JPEG"),
        ("n1.png/n2.png", PNG, "name of its folder"),
        ("\u00e9" * 130 + ".png", PNG, "255 bytes"),
    ],
)
def test_what_is_no_film_is_refused_by_its_content(tmp_path, name, data, why):
    reception = receive(tmp_path, {"films.zip": packed({"n1.png": PNG, name: data})})
    assert kept(reception.root) == ["manifest.csv", "n1.png"]
    assert [(shown, why in reason) for shown, reason in reception.refused] == [(name[:80], True)]


def test_a_film_that_unpacks_to_too_much_is_refused_by_what_comes_out(tmp_path, monkeypatch):
    monkeypatch.setattr(receiving, "MAX_FILM_BYTES", 2**20)
    monkeypatch.setattr(receiving, "PIECE", 2**16)
    bomb = packed({"n1.png": PNG, "bomb.png": PNG[:8] + bytes(2**22)})
    bomb = bomb.replace(struct.pack("<I", 8 + 2**22), struct.pack("<I", 100))  # it claims to be small
    reception = receive(tmp_path, {"films.zip": bomb})
    assert kept(reception.root) == ["manifest.csv", "n1.png"]
    assert [name for name, _ in reception.refused] == ["bomb.png"]


def test_too_much_in_sum_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(receiving, "MAX_UNPACKED_BYTES", len(PNG) + 10)
    with pytest.raises(InputError, match="came out of what was sent"):
        receive(tmp_path, {"n1.png": PNG, "n2.png": PNG})
    assert kept(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_too_many_files_leave_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(receiving, "MAX_FILES", 2)
    with pytest.raises(InputError, match="More than 2 files"):
        receive(tmp_path, {f"n{i}.png": PNG for i in range(3)})
    assert list(tmp_path.iterdir()) == []


def test_a_zip_file_whose_list_is_too_long_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(receiving, "MAX_DIRECTORY_BYTES", 1000)
    with pytest.raises(InputError, match="too many files"):
        receive(tmp_path, {"films.zip": packed({f"n{i}.png": PNG for i in range(20)})})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [200, 30, 5])
def test_a_damaged_zip_file_leaves_nothing(tmp_path, cut):
    with pytest.raises(InputError, match=r"damaged|No film"):
        receive(tmp_path, {"films.zip": packed({"n1.png": PNG})[:-cut]})
    assert list(tmp_path.iterdir()) == []


def test_a_link_and_a_spoilt_film_in_a_zip_file_are_refused_by_name(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("n1.png", PNG)
        archive.writestr("spoilt.png", PNG + b"tail")
    data = buffer.getvalue().replace(b"tail", b"TAIL")
    reception = receive(tmp_path, {"films.zip": data})
    assert kept(reception.root) == ["manifest.csv", "n1.png"]
    assert [name for name, _ in reception.refused] == ["link.png", "spoilt.png"]


@pytest.mark.parametrize(
    ("films", "manifest", "message"),
    [
        ({"n1.png": PNG}, None, "No manifest"),
        ({"films.zip": packed({"manifest.csv": MANIFEST, "b/manifest.csv": MANIFEST, "n1.png": PNG})}, None, "2 files"),
        ({}, MANIFEST, "No film"),
        ({"n1.png": b"GIF89a"}, MANIFEST, "n1.png: It is not a PNG or JPEG"),
    ],
)
def test_what_cannot_be_taken_in_at_all_leaves_nothing(tmp_path, films, manifest, message):
    with pytest.raises(InputError, match=message):
        receive(tmp_path, films, manifest)
    assert list(tmp_path.iterdir()) == []
