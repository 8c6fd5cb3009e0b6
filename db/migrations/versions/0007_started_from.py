"""a redraw may start from a candidate, and says so."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0005"

TABLES = ("verdict", "draft")


def upgrade() -> None:
    """Apply."""
    for table in TABLES:
        op.add_column(table, sa.Column("started_from", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Take back."""
    for table in TABLES:
        op.drop_column(table, "started_from")
