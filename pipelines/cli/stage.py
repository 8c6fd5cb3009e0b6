"""`overread stage`: the steps of a stage, from draft to closed."""

from typing import TYPE_CHECKING

import click

from pipelines.cli.context import open_record

if TYPE_CHECKING:
    from db.models import Stage
    from db.record import Record

_ADDRESS = click.argument("address", metavar="CAMPAIGN/STAGE")


@click.group(epilog="Example:\n\n    overread stage open pilot/I")
def command() -> None:
    """Choose networks for the stages of a campaign; open, train, lock, unblind and close them."""


@command.command(epilog="Example:\n\n    overread stage ensemble pilot/II --choose 5")
@_ADDRESS
@click.option("--choose", "n_members", type=click.IntRange(1), metavar="N", help="Give the stage the N suggested ones.")
@click.option("--network", "networks", multiple=True, metavar="NAME", help="Give the stage this one, and others named.")
def ensemble(address: str, n_members: int | None, networks: tuple[str, ...]) -> None:
    """Compare networks out-of-fold, and choose those of a draft stage.

    Without an option it only shows: each network's Dice, how alike their masks are, and what a reader who always picks
    the best mask would get. The choice and what it rested on are hashed into the stage's protocol.
    """
    from annotation_server.services.choosing import choose_networks, gather_evidence, require_draft
    from db.domain.errors import InputError
    from db.repository.cases import find_stage
    from pipelines.cli.ensemble import Shown, show_progress

    if n_members and networks:
        msg = "Both `--choose` and `--network` were given."
        raise InputError(msg, hint="Take the suggestion with `--choose N`, or name every network with `--network`.")
    record = open_record()
    with record.database.read() as session, show_progress() as report:
        stage = find_stage(session, address)
        if n_members or networks:
            require_draft(stage)
        shown = Shown.of(stage, gather_evidence(session, record.store, stage, report=report))
    suggested = shown.show(n_members)
    if chosen := suggested if n_members else networks:
        with record.database.write() as session:
            stage = choose_networks(session, address, chosen, shown.evidence)
            click.echo(f"\nStage {address} has {_networks(stage)}.")


@command.command(name="open", epilog="Example:\n\n    overread stage open pilot/I")
@_ADDRESS
@click.option("--cases", type=int, help="Take this many cases at random instead of those that have drawings.")
def open_(address: str, cases: int | None) -> None:
    """Open a stage: fix its films and their folds."""
    from annotation_server.services.coordinating import open_stage, stage_status

    with open_record().database.write() as session:
        status = stage_status(session, open_stage(session, address, n_cases=cases))
    click.echo(f"Stage {address} is open with {status.n_cases} cases.")


@command.command(epilog="Example:\n\n    overread stage train pilot/I --wait")
@_ADDRESS
@click.option("--wait", is_flag=True, help="Stay until it is done; train here where no worker runs.")
@click.option("--leave-open", is_flag=True, help="Leave films that nobody drew undrawn; they are not proposed for.")
def train(address: str, wait: bool, leave_open: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Enqueue the training of a stage's round; a worker does it."""
    from annotation_server.services.coordinating import request_training
    from pipelines.cli.worker import finish

    record = open_record()
    job_id = request_training(record, address, leave_open=leave_open)
    _say_what_is_random(record, address)
    if wait:
        finish(record, job_id)
        click.echo(f"Stage {address} can be read.")
        return
    click.echo(f"Job {job_id} waits for a worker: `overread worker`, or `overread up` which runs one.")


@command.command(epilog="Example:\n\n    overread stage admit pilot/II --reason 'the films of May came late'")
@_ADDRESS
@click.option("--reason", required=True, help="For the log: why the stage is amended.")
@click.option("--wait", is_flag=True, help="Stay until the networks were asked; ask them here where no worker runs.")
def admit(address: str, reason: str, wait: bool) -> None:  # noqa: FBT001 - click passes flags so
    """Let the films that were ingested since a stage opened join it.

    While it is read its networks, as they are, are asked for masks of these films by a job.
    """
    from annotation_server.services.amending import Amendment, admit_late
    from db import audit
    from pipelines.cli.worker import finish

    record = open_record()
    with record.database.write() as session:
        done = admit_late(session, Amendment(address, audit.SYSTEM, reason))
    click.echo(f"Stage {address}: {done.told}")
    if wait and done.job_id is not None:
        finish(record, done.job_id)


@command.command(epilog="Example:\n\n    overread stage lock pilot/I")
@_ADDRESS
@click.option("--leave-open", is_flag=True, help="Let cases without a verdict leave the stage.")
def lock(address: str, leave_open: bool) -> None:  # noqa: FBT001 - click passes flags so
    """End the reading of a stage and make its final masks."""
    from annotation_server.services.coordinating import lock_stage

    n_made = lock_stage(open_record(), address, leave_open=leave_open)
    click.echo(f"Stage {address} is locked; {n_made} final masks were made.")


@command.command(epilog="Example:\n\n    overread stage adjudicate pilot/I --reader r4")
@_ADDRESS
@click.option("--reader", metavar="CODE", help="Who settles them; else any reader who has not read the case.")
@click.option("--case", "cases", multiple=True, metavar="KEY", help="This case, and others named; else all that wait.")
@click.option("--list", "only_list", is_flag=True, help="Show the queue and change nothing.")
def adjudicate(address: str, reader: str | None, cases: tuple[str, ...], only_list: bool) -> None:  # noqa: FBT001
    """Give cases whose readers differ to a further reader, who sees neither votes nor names."""
    from annotation_server.services.adjudicating import adjudication_queue, request_adjudication
    from db.accounts import find_account
    from db.repository.cases import find_stage
    from db.repository.pixels import Likeness

    record = open_record()
    likeness = Likeness(record.store)
    with record.database.read() as session:
        queue = adjudication_queue(session, likeness, find_stage(session, address))
    for one in queue:
        where = f"with {one.adjudicator}" if one.adjudicator else "seat is free" if one.is_seated else "no seat yet"
        click.echo(f"{one.case}: {one.n_verdicts} verdicts, {one.n_open} still to come, {where}")
    if only_list:
        return
    with record.database.write() as session:
        stage = find_stage(session, address)
        adjudicator = find_account(session, reader) if reader else None
        n_made = request_adjudication(session, likeness, stage, adjudicator=adjudicator, cases=cases)
    click.echo(f"Stage {address}: {n_made} seats for adjudication were made.")


@command.command(epilog="Example:\n\n    overread stage unblind pilot/I")
@_ADDRESS
def unblind(address: str) -> None:
    """Let the origins of a locked stage be seen."""
    from annotation_server.services.coordinating import unblind_stage

    unblind_stage(open_record(), address)
    click.echo(f"Stage {address} is unblinded.")


@command.command(epilog="Example:\n\n    overread stage close pilot/I")
@_ADDRESS
def close(address: str) -> None:
    """End a stage for good."""
    from annotation_server.services.coordinating import close_stage

    with open_record().database.write() as session:
        close_stage(session, address)
    click.echo(f"Stage {address} is closed.")


@command.command(epilog="Example:\n\n    overread stage status pilot/I")
@_ADDRESS
def status(address: str) -> None:
    """Show where a stage stands."""
    from annotation_server.services.coordinating import stage_status
    from db.repository.cases import find_stage

    with open_record().database.read() as session:
        stage = find_stage(session, address)
        found = stage_status(session, stage)
        round_ = f"round {found.round_number} {found.round_state}" if found.round_number else "no round yet"
        click.echo(f"Stage {address}: {found.state}, {round_}.")
        click.echo(
            f"  cases {found.n_cases}, drawn {found.n_drawn}, decided {found.n_decided} of {found.n_comparisons}"
        )
        click.echo(f"  networks {_networks(stage)}")
        if found.job is not None:
            click.echo(f"  job {found.job.id} {found.job.state} {found.job.error}".rstrip())
        if found.next_verb:
            click.echo(f"  next: overread stage {found.next_verb} {address}")


def _networks(stage: "Stage") -> str:
    """The stage's networks, whether they were chosen, and the protocol that they are part of."""
    names = ", ".join(network.name for network in stage.definition.networks)
    unmeasured = ", ".join(stage.ensemble["evidence"]["unmeasured"]) if stage.ensemble else ""
    how = " (chosen" + (f"; not measured: {unmeasured})" if unmeasured else ")") if stage.ensemble else ""
    return f"{names}{how}, protocol {stage.protocol_digest[:12]}"


def _say_what_is_random(record: "Record", address: str) -> None:
    """Name the encoders that the paper starts from pretrained weights and that start from random values here."""
    from db.domain.network import PAPER_ENCODERS
    from db.repository.cases import find_stage
    from db.repository.weights import newest_weights

    with record.database.read() as session:
        definition = find_stage(session, address).definition
        wanted = {network.encoder for network in definition.networks} & set(PAPER_ENCODERS)
        missing = sorted(encoder for encoder in wanted if newest_weights(session, encoder) is None)
    if missing and definition.recipe.weights == "imported":
        click.echo(f"No weights are imported for {', '.join(missing)}: training starts from random values.")
