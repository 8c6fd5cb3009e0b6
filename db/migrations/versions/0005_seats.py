"""seats have a random place, so that a claim reads few of them."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

RANDOM_RANK = {"sqlite": "(random() & 2147483647)", "postgresql": "floor(random() * 2147483647)"}


def upgrade() -> None:
    """Apply. Seats that are there get a place at random; a decided one has no lease."""
    op.add_column("comparison", sa.Column("rank", sa.Integer(), nullable=False, server_default="0"))
    op.execute(f"UPDATE comparison SET rank = {RANDOM_RANK[op.get_bind().dialect.name]}")  # noqa: S608 - our own words
    op.execute("UPDATE comparison SET leased_until = NULL WHERE decided_at IS NOT NULL")
    op.create_index("ix_comparison_round_reader_rank", "comparison", ["round_id", "account_id", "rank", "seat"])
    op.create_index("ix_comparison_round_lease", "comparison", ["round_id", "leased_until"])
    op.create_index(op.f("ix_mask_account_id"), "mask", ["account_id"])


def downgrade() -> None:
    """Take back."""
    op.drop_index(op.f("ix_mask_account_id"), table_name="mask")
    op.drop_index("ix_comparison_round_lease", table_name="comparison")
    op.drop_index("ix_comparison_round_reader_rank", table_name="comparison")
    op.drop_column("comparison", "rank")
