"""`overread ingest`: films in."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from pipelines.cli.context import open_record

if TYPE_CHECKING:
    from db.domain.case import CaseClass
    from pipelines.compile.manifest import Refusal

T = TypeVar("T")

_EXAMPLE = """Example:

    overread ingest films --manifest films.csv --column case=id --constant class=infection
"""


@click.command(epilog=_EXAMPLE)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--manifest", type=click.Path(path_type=Path), required=True, help="CSV with a row a film.")
@click.option("--column", "columns", multiple=True, metavar="FIELD=COLUMN", help="Which column holds a field.")
@click.option("--constant", "constants", multiple=True, metavar="FIELD=VALUE", help="A field's value for every film.")
@click.option(
    "--value",
    "values",
    multiple=True,
    metavar="FIELD:TEXT=VALUE",
    help="Translate a text of the manifest; the text * stands for any unknown one.",
)
@click.option("--file-pattern", help="Where a row's film lies, with columns in braces: '{folder}/images/{id}.png'.")
@click.option("--sample", "samples", multiple=True, metavar="CLASS=N", help="Take N films of a class, drawn at random.")
@click.option("--seed", type=int, default=1, show_default=True, help="Decides which films `--sample` takes.")
@click.option(
    "--lungs",
    type=click.Path(path_type=Path),
    help="Folder of lung masks: PNG of two values under the films' names. FOLDER/lungs unless given.",
)
@click.option("--relink", type=click.Path(path_type=Path), help="Also append pseudonym, source, patient to this file.")
@click.option("--simulated", is_flag=True, help="The films are phantoms.")
def command(  # noqa: PLR0913, PLR0917 - one argument an option
    folder: Path,
    manifest: Path,
    columns: tuple[str, ...],
    constants: tuple[str, ...],
    values: tuple[str, ...],
    file_pattern: str | None,
    samples: tuple[str, ...],
    seed: int,
    lungs: Path | None,
    relink: Path | None,
    simulated: bool,  # noqa: FBT001 - click passes flags so
) -> None:
    """Take in the films of FOLDER that a manifest names: PNG, JPEG or TIFF, 8 or 16 bit, grey or colour.

    Fields are case, patient, class (infection, normal, other), view, source, licence, sex, age, date; a column of that
    name is used unless `--column` says otherwise. Patients become keyed pseudonyms, dates shift by patient. A
    lung mask beside a film gives readers an outline of the lungs. Running it again changes nothing.
    """
    from pipelines.compile.ingest import ingest
    from pipelines.compile.manifest import Batch

    translations = parse_pairs(values, "FIELD:TEXT=VALUE")
    batch = Batch(
        folder=folder,
        manifest=manifest,
        columns=parse_pairs(columns, "FIELD=COLUMN"),
        constants=parse_pairs(constants, "FIELD=VALUE"),
        values={(name, text): value for key, value in translations.items() for name, _, text in [key.partition(":")]},
        file_pattern=file_pattern,
        samples=_samples(samples),
        seed=seed,
        lungs=lungs,
    )
    report = ingest(open_record(), batch, simulated=simulated, relink=relink, watch=_progress_bar)
    click.echo(f"{report.n_new} films were taken in, {report.n_known} were known.")
    if batch.lungs_folder.is_dir():
        click.echo(f"  {report.n_lungs} came with a lung mask.")
    for first, second in report.duplicates:
        click.echo(f"  {first} and {second} show one film; they share a fold.")
    raise_refused(report.refused, "films")


def raise_refused(refused: "Sequence[Refusal]", what: str) -> None:
    """List the items that were refused and end with the exit status of an input error."""
    from db.domain.errors import InputError

    for refusal in refused:
        click.echo(f"{refusal.item}: {refusal.message}", err=True)
    if refused:
        msg = f"{len(refused)} {what} were refused; all others are in."
        raise InputError(msg, hint="Mend them and run the same command again.")


def parse_pairs(texts: Sequence[str], form: str) -> dict[str, str]:
    """`KEY=VALUE` options as a mapping."""
    parsed = {}
    for text in texts:
        key, separator, value = text.rpartition("=")
        if not separator:
            msg = f"{text!r} is not of the form {form}."
            raise click.UsageError(msg)
        parsed[key] = value
    return parsed


def _samples(texts: Sequence[str]) -> "dict[CaseClass, int]":
    from pipelines.compile.vocabulary import case_class

    try:
        return {case_class(name): int(n_films) for name, n_films in parse_pairs(texts, "CLASS=N").items()}
    except ValueError:
        msg = f"--sample takes CLASS=N with a number, not {', '.join(texts)}."
        raise click.UsageError(msg) from None


def _progress_bar(films: Iterable[T], total: int) -> Iterable[T]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(films, "Films", total=total, console=console, disable=not console.is_terminal)
