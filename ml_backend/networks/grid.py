"""The grid of nodes X[row][column] that UNet++ and DLA share; they differ in what a node joins.

X[row][0] is the encoder's feature at scale 1/2**row; column 1 joins it with what lies under it, and every further
column lies one row higher. Row 0 has no encoder feature: its only node is the last.
"""

from collections.abc import Callable, Sequence

import keras

from ml_backend.networks.blocks import up_block
from ml_backend.networks.pyramid import DecoderWidths, Pyramid

Join = Callable[[Sequence[keras.KerasTensor]], Sequence[keras.KerasTensor]]
"""Which of X[row][0..column - 1] a node takes, given all of them."""


def decode(pyramid: Pyramid, widths: DecoderWidths, join: Join) -> keras.KerasTensor:
    """X[0][depth], the features at the film's size."""
    rows = {row: [pyramid.skip(row)] for row in range(1, pyramid.depth)}
    rows[0] = []
    for row, column in _nodes(pyramid.depth):
        below = pyramid.tap(row + 1) if column == 1 else rows[row + 1][column - 1]
        name = f"grid_{row}_{column}"
        rows[row].append(up_block(below, join(rows[row]), widths.grid[row], name=name, momentum=widths.momentum))
    return rows[0][-1]


def _nodes(depth: int) -> list[tuple[int, int]]:
    """(row, column) of every node, each after those that it joins."""
    inner = [(row, column) for column in range(1, depth) for row in range(depth - column, 0, -1)]
    return [*inner, (0, depth)]
