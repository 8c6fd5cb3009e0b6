"""`overread campaign`: create a campaign, list what there is."""

import click

from pipelines.cli.context import open_record


@click.group(epilog="Example:\n\n    overread campaign create pilot --spec laptop")
def command() -> None:
    """Create a campaign, and list what there is."""


@command.command(epilog="Example:\n\n    overread campaign create pilot --spec laptop --set n_folds=3")
@click.argument("name")
@click.option("--spec", default="laptop", show_default=True, help="Specification: paper, laptop, smoke or demo.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one value of the specification.")
def create(name: str, spec: str, settings: tuple[str, ...]) -> None:
    """Create campaign NAME with its stages in draft."""
    from annotation_server.services.coordinating import create_campaign
    from pipelines.specs import find_spec, override, parse_settings

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
