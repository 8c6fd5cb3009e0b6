"""`overread import-masks`: drawings in."""

from pathlib import Path

import click

from pipelines.cli.context import open_record
from pipelines.cli.ingest import raise_refused


@click.command(epilog="Example:\n\n    overread import-masks masks --campaign pilot --reader r1")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--campaign", required=True, help="The campaign whose stage I the drawings are for.")
@click.option("--reader", required=True, help="Code of the reader who drew them.")
@click.option("--file-pattern", default="{case}.png", show_default=True, help="How a mask is named: '{case}_mask.png'.")
def command(folder: Path, campaign: str, reader: str, file_pattern: str) -> None:
    """Take the PNG masks of FOLDER, named by their cases, as a reader's drawings of stage I.

    A mask has the size of its film and any two values, the larger for infection. Running it again changes nothing.
    """
    from pipelines.compile.drawings import import_masks

    report = import_masks(open_record(), folder, campaign, reader, file_pattern=file_pattern)
    click.echo(f"{report.n_new} drawings were taken in, {report.n_known} were known.")
    raise_refused(report.refused, "masks")
