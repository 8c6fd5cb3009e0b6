"""Films that a coordinator sends from the browser: written to a folder that nobody is shown, or refused one by one.

What is kept here is neither decoded nor served: the ingest job does the first, makes PNGs of it, and erases what was
sent. Names are taken for what they may be, files for what their first bytes say, and lengths for what comes out.
"""

import secrets
import shutil
import stat
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO

from db.domain.case import MANIFEST
from db.domain.errors import InputError

MAX_UPLOAD_BYTES = 256 * 2**20
MAX_FILM_BYTES = 64 * 2**20
MAX_UNPACKED_BYTES = 2 * 2**30
MAX_FILES = 5000
MAX_NAME_CHARACTERS = 200
MAX_PART_BYTES = 255
"""What file systems take for one part of a path."""

MAX_DIRECTORY_BYTES = 2 * 2**20
"""Of a ZIP file: what says which files are in it, and is read as a whole before any of them."""

KINDS = {b"\x89PNG\r\n\x1a\n": (".png",), b"\xff\xd8\xff": (".jpg", ".jpeg")}
ZIP, ZIP_END, ZIP64, END_BYTES, LONGEST_COMMENT = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07", 22, 2**16
PIECE = 2**20


class _TooMuchError(InputError):
    """What came is too much as a whole."""


@dataclass(frozen=True)
class SentFile:
    """A file as a browser sends it; its name is not to be trusted."""

    name: str
    stream: IO[bytes]


@dataclass(eq=False)
class Reception:
    """A folder that files are received into.

    Attributes
    ----------
    root
        It is gone again unless what came can be taken in.
    n_films
        Films that lie there.
    refused
        Names of files that do not, and why.
    """

    root: Path
    n_films: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    _n_bytes: int = 0
    _places: dict[str, PurePosixPath] = field(default_factory=dict)

    @classmethod
    def of(cls, parent: Path, films: Sequence[SentFile], manifest: SentFile | None) -> "Reception":
        """Receive films, or ZIP files of films, and their manifest if it is not in one of these.

        Raises
        ------
        InputError
            If nothing of it can be taken in: no film, no manifest or two, too many files, too much to unpack. Nothing
            is left of it then.
        """
        reception = cls(parent / f".new-{secrets.token_hex(16)}")
        reception.root.mkdir(parents=True, mode=0o700)
        try:
            for sent in films:
                reception._receive(sent)
            if manifest is not None:
                reception._keep(MANIFEST, manifest.stream)
            reception._require_whole()
        except BaseException:
            reception.discard()
            raise
        return reception

    @property
    def folder(self) -> PurePosixPath:
        """Where in `root` the manifest lies; its films are named from there."""
        found = [place for place in self._places.values() if place.name == MANIFEST]
        if len(found) != 1:
            msg = f"{len(found)} files called {MANIFEST} were sent." if found else "No manifest was sent."
            raise InputError(msg, hint=f"Send one CSV with a row a film, as a file or as {MANIFEST} in the ZIP file.")
        return found[0].parent

    def move(self, target: Path) -> None:
        """Give what came its place."""
        self.root.rename(target)
        self.root = target

    def discard(self) -> None:
        """Erase what came."""
        shutil.rmtree(self.root, ignore_errors=True)

    def _receive(self, sent: SentFile) -> None:
        is_zip = sent.stream.read(len(ZIP)) == ZIP
        sent.stream.seek(0)
        if not is_zip:
            self._keep(sent.name, sent.stream)
            return
        try:
            _check_directory(sent)
            with zipfile.ZipFile(sent.stream) as archive:
                for entry in archive.infolist():
                    if not entry.is_dir():
                        self._unpack(archive, entry)
        except zipfile.BadZipFile as error:
            msg = f"{sent.name} is a damaged ZIP file: {error}."
            raise InputError(msg, hint="Pack it again.") from None

    def _unpack(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        if stat.S_ISLNK(entry.external_attr >> 16):
            self.refused.append((_shown(entry.orig_filename), "It is a link to another file."))
            return
        try:
            with archive.open(entry) as stream:
                self._keep(entry.orig_filename, stream)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            self.refused.append((_shown(entry.orig_filename), f"It cannot be unpacked: {error}."))

    def _keep(self, name: str, stream: IO[bytes]) -> None:
        """Write one file, or note why not."""
        if _is_clutter(name):
            return
        try:
            self._write(_place(name), stream)
        except _TooMuchError:
            raise
        except InputError as error:
            self.refused.append((_shown(name), str(error)))

    def _write(self, place: PurePosixPath, stream: IO[bytes]) -> None:
        is_manifest = place.name == MANIFEST
        first = stream.read(PIECE)
        if not is_manifest:
            _check_kind(place, first)
        if str(place).lower() in self._places:
            msg = "Two files have this name."
            raise InputError(msg)
        if len(self._places) >= MAX_FILES:
            msg = f"More than {MAX_FILES} files were sent."
            raise _TooMuchError(msg, hint="Send them in several parts.")
        path = self.root / place
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("xb")
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            msg = "Another file has the name of its folder, or is in a folder of its name."
            raise InputError(msg, hint="Give files and folders different names.") from None
        try:
            with file:
                self._copy(first, stream, file)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        self._places[str(place).lower()] = place
        self.n_films += not is_manifest

    def _copy(self, piece: bytes, stream: IO[bytes], file: IO[bytes]) -> None:
        n_bytes = 0
        while piece:
            n_bytes += len(piece)
            self._n_bytes += len(piece)
            if n_bytes > MAX_FILM_BYTES:
                msg = f"It has more than {MAX_FILM_BYTES // 2**20} MB."
                raise InputError(msg, hint="Export it with compression, or have it taken in from a folder.")
            if self._n_bytes > MAX_UNPACKED_BYTES:
                msg = f"More than {MAX_UNPACKED_BYTES // 2**30} GB came out of what was sent."
                raise _TooMuchError(msg, hint="Send it in several parts, or have it taken in from a folder.")
            file.write(piece)
            piece = stream.read(PIECE)

    def _require_whole(self) -> None:
        _ = self.folder
        if not self.n_films:
            why = "; ".join(f"{name}: {reason}" for name, reason in self.refused[:5])
            msg = f"No film of the upload can be used. {why}".strip()
            raise InputError(msg, hint="Send PNG or JPEG files, or a ZIP file of them.")


def _place(name: str) -> PurePosixPath:
    """Where a file of this name goes, below the folder.

    Raises
    ------
    InputError
        If it would lie elsewhere, or could on some system.
    """
    place = PurePosixPath(name)
    is_plain = name.isprintable() and not set('\\:*?"<>|') & set(name)
    if not is_plain or place.is_absolute() or ".." in place.parts or not place.name:
        msg = "Its name could lead out of the folder."
        raise InputError(msg, hint="Use letters, digits, dashes and dots.")
    if any(len(part.encode()) > MAX_PART_BYTES for part in place.parts):
        msg = f"A part of its name has more than {MAX_PART_BYTES} bytes."
        raise InputError(msg, hint="Use shorter names.")
    if len(name) > MAX_NAME_CHARACTERS:
        msg = f"Its name has {len(name)} characters; at most {MAX_NAME_CHARACTERS} are allowed."
        raise InputError(msg)
    return place.with_name(MANIFEST) if place.name.lower() == MANIFEST else place


def _check_kind(place: PurePosixPath, first: bytes) -> None:
    """Raise InputError unless a file is a picture by its first bytes, and called like one of its kind."""
    suffixes = next((found for magic, found in KINDS.items() if first.startswith(magic)), ())
    if not suffixes:
        msg = "It is not a PNG or JPEG file, whatever its name says."
        raise InputError(msg, hint="Other kinds are taken in from a folder of the server.")
    if place.suffix.lower() not in suffixes:
        msg = f"It is a {suffixes[0]} file, but its name says otherwise."
        raise InputError(msg, hint=f"Let it end with {' or '.join(suffixes)}.")


def _check_directory(sent: SentFile) -> None:
    """Raise InputError if a ZIP file's own list of files is too long to be read at once."""
    sent.stream.seek(0, 2)
    n_bytes = sent.stream.tell()
    sent.stream.seek(max(0, n_bytes - END_BYTES - LONGEST_COMMENT))
    tail = sent.stream.read()
    end = tail.rfind(ZIP_END)
    listed = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else 0
    if ZIP64 in tail or listed > MAX_DIRECTORY_BYTES:
        msg = f"{_shown(sent.name)} holds too many files, or is too large a ZIP file."
        raise InputError(msg, hint=f"Pack {MAX_FILES} files at most into one.")
    sent.stream.seek(0)


def _is_clutter(name: str) -> bool:
    """Whether a file was added by the system that packed the others, or is none: an empty field of a form."""
    parts = PurePosixPath(name).parts
    return not name or "__MACOSX" in parts or (bool(parts) and parts[-1] in {".DS_Store", "Thumbs.db", "desktop.ini"})


def _shown(name: str) -> str:
    """A name as it can be shown: short, and without what changes the line."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:80]
