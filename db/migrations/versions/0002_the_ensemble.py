"""the ensemble of a stage."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Apply."""
    op.add_column("stage", sa.Column("ensemble", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Take back. Chosen networks are lost: such a stage has those of its campaign's definition again."""
    op.drop_column("stage", "ensemble")
