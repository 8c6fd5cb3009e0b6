"""`overread campaign`: create a campaign, list what there is."""

import click

from pipelines.cli.context import open_record


@click.group(epilog="Example:\n\n    overread campaign create pilot --spec laptop")
def command() -> None:
    """Create a campaign, list what there is, let a patient withdraw."""


@command.command(epilog="Example:\n\n    overread campaign create pilot --spec laptop --set n_folds=3")
@click.argument("name")
@click.option("--spec", default="laptop", show_default=True, help="Specification: paper, laptop, smoke or demo.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one value of the specification.")
def create(name: str, spec: str, settings: tuple[str, ...]) -> None:
    """Create campaign NAME with its stages in draft."""
    from annotation_server.services.coordinating import create_campaign
    from db.domain.specs import find_spec, override, parse_settings

    definition = override(find_spec(spec), parse_settings(settings))
    with open_record().database.write() as session:
        campaign = create_campaign(session, name, definition)
        addresses = ", ".join(stage.address for stage in campaign.stages)
    click.echo(f"Campaign {name}: stages {addresses}; protocol {definition.digest[:12]}.")


@command.command(name="list", epilog="Example:\n\n    overread campaign list")
def list_() -> None:
    """List the campaigns with the state of their stages."""
    from sqlalchemy import select

    from db.models import Campaign

    with open_record().database.read() as session:
        for campaign in session.scalars(select(Campaign).order_by(Campaign.name)):
            states = ", ".join(f"{stage.name} {stage.state}" for stage in campaign.stages)
            click.echo(f"{campaign.name}: {states}")


@command.command(epilog="Example:\n\n    overread campaign withdraw c045 --reason 'asked on 3 May, form 12'")
@click.argument("case", required=False)
@click.option("--reason", default="", help="For the log: who asked for it and when, without naming the patient.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--finish", is_flag=True, help="Only erase what an interrupted withdrawal left.")
def withdraw(case: str | None, reason: str, yes: bool, finish: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Erase all films of the patient of CASE from all campaigns, with every map and mask of them.

    A tombstone stays, and names the checkpoints, exports, reports and backups that the films are in.
    """
    from annotation_server.services.withdrawing import finish_withdrawals, withdraw_patient

    record = open_record()
    if finish:
        click.echo(f"{finish_withdrawals(record)} files were erased.")
        return
    if case is None:
        msg = "Name a case of the patient, or give --finish."
        raise click.UsageError(msg)
    if not yes:
        click.confirm(f"Erase all films of the patient of {case} for good?", abort=True)
    done = withdraw_patient(record, case, reason=reason)
    click.echo(f"{done.n_films} films and {done.n_files} files were erased. They are still in:")
    for what, found in done.tainted.items():
        for one in [found] if isinstance(found, str) else found:
            name = f"{one['id']} ({one['network']}, fold {one['fold']})" if isinstance(one, dict) else one
            click.echo(f"  {what}: {name}")
