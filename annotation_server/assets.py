"""Scripts and styles that Vite built, under the hashed names that its manifest gives them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from flask import url_for

from db.domain.errors import ExternalError

STATIC = Path(__file__).parent / "static"
_MANIFEST = STATIC / "dist" / ".vite" / "manifest.json"


def script_url(entry: str) -> str:
    """The address of the entry `site` or `reading`."""
    return url_for("static", filename=f"dist/{_entry(entry)['file']}")


def style_urls(entry: str) -> list[str]:
    """The addresses of its styles."""
    return [url_for("static", filename=f"dist/{name}") for name in _entry(entry).get("css", [])]


def _entry(name: str) -> dict[str, Any]:
    entry: dict[str, Any] = _manifest(_mtime())[f"src/{name}.ts"]
    return entry


@cache
def _manifest(_: float) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(_MANIFEST.read_text())
    return manifest


def _mtime() -> float:
    try:
        return _MANIFEST.stat().st_mtime
    except FileNotFoundError:
        msg = "The pages' scripts have not been built."
        raise ExternalError(msg, hint="Run `python hatch_build.py`, or install the package again.") from None
