"""whether a reader looked at the patient's other films."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Apply."""
    op.add_column("comparison", sa.Column("serial_seen_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("verdict", sa.Column("saw_serial_films", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Take back."""
    op.drop_column("verdict", "saw_serial_films")
    op.drop_column("comparison", "serial_seen_at")
