"""The pages' scripts, as they were built."""

import gzip
import json
from pathlib import Path
from typing import Any

DIST = Path(__file__).parents[2] / "annotation_server" / "static" / "dist"
BUDGET_BYTES = 60_000


def _scripts(entry: dict[str, Any], manifest: dict[str, dict[str, Any]]) -> set[str]:
    """The script of an entry and all that it loads."""
    return {entry["file"]}.union(*(_scripts(manifest[name], manifest) for name in entry.get("imports", [])))


def test_scripts_of_a_page_stay_under_60_kb_compressed() -> None:
    manifest = json.loads((DIST / ".vite" / "manifest.json").read_text())
    entries = [entry for entry in manifest.values() if entry.get("isEntry")]
    assert {entry["src"] for entry in entries} >= {"src/site.ts", "src/reading.ts"}
    scripts = set().union(*(_scripts(entry, manifest) for entry in entries))
    assert sum(len(gzip.compress((DIST / script).read_bytes())) for script in scripts) < BUDGET_BYTES
