"""Everything that a user can name is documented, and the documents name nothing that is not there."""

import re
from pathlib import Path

import click
import pytest

from db.settings import Settings
from pipelines.cli import VERBS, command

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])


def commands():
    context = click.Context(command)
    for verb in VERBS:
        found = command.get_command(context, verb)
        yield verb, found
        if isinstance(found, click.Group):
            yield from ((f"{verb} {name}", sub) for name, sub in found.commands.items())


@pytest.mark.parametrize("verb", [name for name, _ in commands()])
def test_every_verb_is_in_the_reference(verb):
    assert f"`overread {verb}`" in REFERENCE


@pytest.mark.parametrize(("verb", "found"), list(commands()))
def test_every_help_has_an_example(verb, found):
    assert f"overread {verb.split()[0]}" in (found.epilog or "")


@pytest.mark.parametrize(("verb", "found"), list(commands()))
def test_every_option_says_what_it_does(verb, found):
    undocumented = [p.name for p in found.params if isinstance(p, click.Option) and not p.help and not p.show_default]
    assert not undocumented, verb


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_reference(name):
    assert f"`OVERREAD_{name.upper()}`" in REFERENCE
    assert Settings.model_fields[name].description


def test_every_route_is_in_the_reference(record):
    from annotation_server.app import create_app
    from db.settings import key_file

    key_file(record.settings.key_folder / "session.key")
    rules = {str(rule) for rule in create_app(record).url_map.iter_rules()}
    documented = set(re.findall(r"`(/[^`]*)`", REFERENCE))
    assert {rule for rule in rules if rule not in documented} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_docs_exist(page):
    known = {name for name, _ in commands()}
    for line in re.findall(r"^\$ overread ([a-z-]+(?: [a-z-]+)?)", page.read_text(), re.MULTILINE):
        assert line in known or line.split()[0] in known


@pytest.mark.parametrize("page", [ROOT / "docs" / "method.md"])
def test_the_method_names_files_and_functions_that_exist(page):
    text = page.read_text()
    for path in re.findall(r"`(tests/[^`]+)`", text):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`((?:db|pipelines|ml_backend|annotation_server)\.[\w.]+)`", text):
        parts = name.split(".")
        for depth in range(len(parts), 0, -1):
            path = ROOT.joinpath(*parts[:depth])
            if path.with_suffix(".py").exists() or path.is_dir():
                break
        source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        assert all(re.search(rf"\b{part}\b", source.read_text()) for part in parts[depth:]), name
