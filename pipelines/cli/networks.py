"""`overread networks`: what can be built, and what it costs."""

import os

import click

GIGA, MEGA = 1e9, 1e6


@click.command(epilog="Example:\n\n    overread networks --input-size 224")
@click.option("--input-size", type=click.IntRange(32), default=224, show_default=True, help="Side in pixels.")
def command(input_size: int) -> None:
    """List every network that can be built, with its parameters, operations and memory.

    GFLOP: multiplications and additions of one film's forward pass. Weights: all parameters in float32. Features: what
    training keeps of each film of a batch. A network whose name ends in `-frozen` keeps its encoder's convolutions as
    they are loaded.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # or it greets every user with what it could not find
    from db.domain.network import every_network
    from ml_backend.networks import build
    from ml_backend.networks.costs import measure_costs

    titles = ("trainable", "non-trainable", "GFLOP", "weights MB", "features MB")
    click.echo(f"{'network':36}" + "".join(f"{title:>15}" for title in titles))
    for spec in every_network():
        costs = measure_costs(build(spec, input_size=input_size))
        click.echo(
            f"{spec.name:36}{costs.n_trainable:>15,}{costs.n_non_trainable:>15,}{costs.n_operations / GIGA:>15.2f}"
            f"{costs.n_weight_bytes / MEGA:>15.1f}{costs.n_feature_bytes / MEGA:>15.1f}"
        )
