"""`overread export`: final masks out."""

from pathlib import Path

import click

from pipelines.cli.context import open_record


@click.command(epilog="Example:\n\n    overread export pilot pilot-1.0")
@click.argument("campaign")
@click.argument("folder", type=click.Path(path_type=Path))
def command(campaign: str, folder: Path) -> None:
    """Write films, final masks and their manifest to a new FOLDER."""
    from db import audit, jobs
    from db.domain.audit import AuditAction
    from db.domain.provenance import JobKind
    from db.repository.cases import find_campaign
    from pipelines.cli.worker import finish
    from pipelines.publishing import check_target

    check_target(folder)
    record = open_record()
    with record.database.write() as session:
        found = find_campaign(session, campaign)
        arguments = {"campaign": campaign, "folder": str(folder.resolve())}
        job = jobs.enqueue(session, kind=JobKind.EXPORT, campaign_id=found.id, arguments=arguments)
        job_id = job.id
        audit.log(session, audit.SYSTEM, AuditAction.EXPORTED, campaign, job=job_id)
    finish(record, job_id)
    click.echo(f"Exported {campaign} to {folder}.")
