"""a film may come with a lung mask."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Apply."""
    op.add_column("case", sa.Column("lung_digest", sa.String(length=255), nullable=True))


def downgrade() -> None:
    """Take back."""
    op.drop_column("case", "lung_digest")
