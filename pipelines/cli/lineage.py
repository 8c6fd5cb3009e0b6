"""`overread lineage`: where a final mask comes from."""

from typing import TYPE_CHECKING

import click

from pipelines.cli.context import open_record

if TYPE_CHECKING:
    from db.repository.lineage import Ancestor


@click.command(epilog="Example:\n\n    overread lineage pilot c045")
@click.argument("campaign")
@click.argument("case")
@click.option("--json", "as_json", is_flag=True, help="Every ancestor, as JSON.")
def command(campaign: str, case: str, as_json: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Show what the final mask of CASE descends from, and its out-of-fold certificate, once its stage is unblinded."""
    import json
    from dataclasses import asdict

    from db.repository.judgements import require_unblinded
    from db.repository.lineage import ancestors, certify, find_final

    with open_record().database.read() as session:
        final = find_final(session, campaign, case)
        require_unblinded(final.round.stage)
        found = ancestors(session, final.mask_id)
        certificate = certify(session, [final.mask_id])[final.mask_id]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], default=str, indent=2))
        return
    first, *rest = found
    click.echo(
        f"Final mask of {case} in {campaign}: {final.digest[:12]}, accepted {final.created_at:%Y-%m-%d %H:%M} UTC"
    )
    click.echo(f"  film {first.film_digest[:12]}")
    click.echo(f"  mask {first.mask_id}, {_maker(first)}")
    click.echo(f"  made {first.made_at:%Y-%m-%d %H:%M} UTC by Overread {first.software_version}")
    click.echo(f"  ancestors: {len(rest)} masks of {len({one.case for one in rest})} cases")
    for origin in sorted({one.origin for one in rest}):
        click.echo(f"    {origin}: {sum(one.origin == origin for one in rest)}")
    click.echo(f"  certificate: {len(certificate.seen)} cases seen, none of component {certificate.component}")


def _maker(mask: "Ancestor") -> str:
    if mask.key is None:
        return f"{mask.origin} by reader {mask.reader}{' (simulated)' if mask.simulated else ''}"
    fold = "all" if mask.fold is None else mask.fold
    return f"network {mask.network}, fold {fold}, checkpoint {mask.key[:12]}, job {mask.job_id}"
