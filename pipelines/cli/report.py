"""`overread report`: the report of a campaign."""

from pathlib import Path

import click

from pipelines.cli.context import open_record


@click.command(epilog="Example:\n\n    overread report pilot --output pilot.html")
@click.argument("campaign")
@click.option("--output", type=click.Path(path_type=Path), help="File to write.  [default: HOME/reports/CAMPAIGN.html]")
def command(campaign: str, output: Path | None) -> None:
    """Write the report of CAMPAIGN as one HTML file that needs nothing else.

    It may be written at any time: what is not done yet is named with the command that is due, and what is blind stays
    blind. It reads stored predictions and never trains.
    """
    from db import audit
    from db.domain.audit import AuditAction
    from pipelines.report import write_report

    record = open_record()
    path = write_report(record, campaign, output or record.settings.reports_folder / f"{campaign}.html")
    with record.database.write() as session:
        audit.log(session, audit.SYSTEM, AuditAction.REPORTED, campaign)
    click.echo(f"The report of {campaign} is {path}.")
