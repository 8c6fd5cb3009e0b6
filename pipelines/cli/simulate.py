"""`overread simulate`: phantom films and simulated readers."""

import click

from pipelines.cli.context import open_record


@click.group(epilog="Example:\n\n    overread simulate films --infected 100 --normal 50")
def command() -> None:
    """Make phantom films, and let simulated readers draw and choose.

    What rests on them is marked as simulated wherever it is shown.
    """


@command.command(epilog="Example:\n\n    overread simulate films --infected 100 --normal 50 --seed 1")
@click.option("--infected", "n_infected", type=click.IntRange(0), default=20, show_default=True)
@click.option("--normal", "n_normal", type=click.IntRange(0), default=20, show_default=True)
@click.option("--side", "side_px", type=click.IntRange(48), default=256, show_default=True, help="Side in pixels.")
@click.option("--seed", type=int, default=1, show_default=True)
def films(n_infected: int, n_normal: int, side_px: int, seed: int) -> None:
    """Make phantom films and take them in."""
    from pipelines.simulate.films import add_phantoms

    keys = add_phantoms(open_record(), n_infected=n_infected, n_normal=n_normal, side_px=side_px, seed=seed)
    click.echo(f"{len(keys)} phantom films were taken in.")


@command.command(epilog="Example:\n\n    overread simulate drawings pilot/I --reader sim1 --dice 0.75")
@click.argument("address", metavar="CAMPAIGN/STAGE")
@click.option("--reader", "codes", multiple=True, required=True, help="A simulated reader; may be given repeatedly.")
@click.option("--dice", type=click.FloatRange(0, 1), default=0.75, show_default=True, help="Mean Dice against truth.")
@click.option("--seed", type=int, default=1, show_default=True)
def drawings(address: str, codes: tuple[str, ...], dice: float, seed: int) -> None:
    """Draw a mask for every phantom of a stage that has none."""
    from pipelines.simulate.reading import draw_stage, find_readers

    record = open_record()
    with record.database.read() as session:
        readers = find_readers(session, codes, seed=seed)
    n_drawn = draw_stage(record, address, readers, target_dice=dice)
    click.echo(f"Simulated readers drew {n_drawn} masks for {address}.")


@command.command(epilog="Example:\n\n    overread simulate verdicts pilot/II --reader sim1 --reader sim2 --leave 6")
@click.argument("address", metavar="CAMPAIGN/STAGE")
@click.option("--reader", "codes", multiple=True, required=True, help="A simulated reader; may be given repeatedly.")
@click.option("--leave", "n_left", type=click.IntRange(0), default=0, help="Leave this many comparisons to people.")
@click.option("--seed", type=int, default=1, show_default=True)
def verdicts(address: str, codes: tuple[str, ...], n_left: int, seed: int) -> None:
    """Judge the comparisons of a stage.

    On phantoms the reader has the truth in mind, imperfectly; on real films the drawing where there is one, else what
    most candidates share. Such verdicts exercise the protocol; they are no evidence about films or networks.
    """
    from annotation_server.services.reading import ReadingService
    from pipelines.simulate.reading import find_readers, read_stage

    record = open_record()
    with record.database.read() as session:
        readers = find_readers(session, codes, seed=seed)
    n_judged = read_stage(record, ReadingService(record), address, readers, n_left=n_left)
    click.echo(f"Simulated readers judged {n_judged} comparisons of {address}.")
