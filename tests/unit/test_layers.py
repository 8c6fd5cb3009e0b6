"""The layers of the packages, and what may not be loaded."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LOAD_ALL_OF_THE_WEB_APPLICATION = """
import pkgutil, importlib, annotation_server
for module in pkgutil.walk_packages(annotation_server.__path__, "annotation_server."):
    importlib.import_module(module.name)
"""

SHOW_HELP = """
from click.testing import CliRunner
from pipelines.cli import command
shown = CliRunner().invoke(command, ["--help"], catch_exceptions=False)
assert shown.exit_code == 0 and "ingest" in shown.output, shown.output
"""

SHOW_HELP_OF_EVERY_VERB = """
from click.testing import CliRunner
from pipelines.cli import VERBS, command
for verb in VERBS:
    shown = CliRunner().invoke(command, [verb, "--help"], catch_exceptions=False)
    assert shown.exit_code == 0, f"{verb}: {shown.output}"
"""

NETWORKS = {"jax", "keras", "tensorflow", "torch"}
HEAVY = NETWORKS | {"matplotlib", "scipy", "skimage", "sklearn"}


def _loaded_by(program: str, modules: set[str]) -> set[str]:
    """Which of `modules` a fresh interpreter has loaded after `program`."""
    program = f"{program}\nimport sys\nprint(*(set(sys.modules) & {modules!r}))"
    finished = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return set(finished.stdout.split())


def test_imports_follow_the_layers() -> None:
    command = Path(sys.executable).with_name("lint-imports")
    finished = subprocess.run([command, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


@pytest.mark.parametrize(
    ("program", "modules"),
    [
        pytest.param(
            LOAD_ALL_OF_THE_WEB_APPLICATION, NETWORKS | {"ml_backend"}, id="the web application loads no network"
        ),
        pytest.param("import pipelines.cli", HEAVY, id="the command's module loads nothing heavy"),
        pytest.param(SHOW_HELP, HEAVY | {"flask", "sqlalchemy"}, id="help loads nothing heavy"),
        pytest.param(SHOW_HELP_OF_EVERY_VERB, HEAVY, id="help of a verb loads nothing heavy"),
    ],
)
def test_heavy_modules_stay_unloaded(program: str, modules: set[str]) -> None:
    assert _loaded_by(program, modules) == set()


def test_a_loaded_heavy_module_is_seen() -> None:
    assert _loaded_by("import scipy", {"scipy", "skimage"}) == {"scipy"}
