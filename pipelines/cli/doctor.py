"""`overread doctor`: whether the installation is well."""

import click

from pipelines.cli.context import open_record


@click.command(epilog="Example:\n\n    overread doctor --init")
@click.option("--init", is_flag=True, help="Make the session key first, if there is none.")
def command(init: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Check the schema, the keys, every file of the store, every certificate and the audit log.

    Exits with 5 if something is wrong. If nothing is, the head of the audit log is noted in the key folder, against
    which the next check finds entries that were cut off. Keep it on paper too: it is printed.
    """
    from db import audit
    from db.domain.errors import StateError
    from db.settings import key_file
    from pipelines.checking import check_installation

    record = open_record()
    if init:
        key_file(record.settings.key_folder / "session.key")
    findings = list(check_installation(record))
    for finding in findings:
        click.echo(f"{finding.what}: {finding.trouble or 'well'}")
    if any(finding.trouble for finding in findings):
        raise SystemExit(StateError.exit_status)
    with record.database.read() as session:
        last = audit.head(session)
    audit.note_head(record.settings.key_folder, last)
    click.echo(f"The audit log has {last.number} entries and ends with {last.digest or 'none'}.")
