"""`overread benchmark`: train and measure networks on the final masks."""

import click

from pipelines.cli.context import open_record


@click.command(epilog="Example:\n\n    overread benchmark pilot --spec laptop --set epochs=10")
@click.argument("campaign")
@click.option("--spec", default="laptop", show_default=True, help="Specification: laptop, smoke or demo.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one value of the specification.")
def command(campaign: str, spec: str, settings: tuple[str, ...]) -> None:
    """Cross-validate networks on the final masks of CAMPAIGN and store their predictions.

    Folds are the campaign's; normal films are the control group. `overread report` reads what is stored.
    """
    from db import jobs
    from db.domain.provenance import JobKind
    from db.repository.cases import find_campaign
    from db.repository.plans import benchmark_plan
    from pipelines.cli.worker import finish
    from pipelines.specs import find_spec, override, parse_settings

    chosen = parse_settings(settings)
    override(find_spec(spec), chosen)
    record = open_record()
    with record.database.write() as session:
        found = find_campaign(session, campaign)
        benchmark_plan(session, found.id)
        arguments = {"spec": spec, "settings": chosen}
        job_id = jobs.enqueue(session, kind=JobKind.BENCHMARK, campaign_id=found.id, arguments=arguments).id
    finish(record, job_id)
    click.echo(f"Benchmark of {campaign} is done; read it with `overread report {campaign}`.")
