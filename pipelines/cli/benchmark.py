"""`overread benchmark`: train and measure networks on the final masks."""

import click

from pipelines.cli.context import open_record


@click.command(epilog="Example:\n\n    overread benchmark pilot --spec laptop --set epochs=10")
@click.argument("campaign")
@click.option("--spec", default="laptop", show_default=True, help="Specification: paper, laptop, smoke or demo.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override one value of the specification.")
@click.option(
    "--network", "networks", multiple=True, metavar="NAME", help="Measure this one instead of the specification's."
)
def command(campaign: str, spec: str, settings: tuple[str, ...], networks: tuple[str, ...]) -> None:
    """Cross-validate networks on the final masks of CAMPAIGN and store their predictions.

    Folds are the campaign's; normal films are the control group. `overread report` reads what is stored, and
    `overread stage ensemble` compares the networks before a stage opens: name a wider pool with `--network`, several
    times.
    """
    from db import jobs
    from db.domain.provenance import JobKind
    from db.domain.specs import parse_settings
    from db.repository.cases import find_campaign
    from db.repository.plans import benchmark_plan
    from pipelines.benchmark import planned_by
    from pipelines.cli.worker import finish

    arguments = {"spec": spec, "settings": parse_settings(settings), "networks": list(networks)}
    planned_by(arguments)  # what is wrong is said now and not by the job
    record = open_record()
    with record.database.write() as session:
        found = find_campaign(session, campaign)
        benchmark_plan(session, found.id)
        job_id = jobs.enqueue(session, kind=JobKind.BENCHMARK, campaign_id=found.id, arguments=arguments).id
    finish(record, job_id)
    click.echo(f"Benchmark of {campaign} is done; read it with `overread report {campaign}`.")
