"""pretrained weights of encoders."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "encoder_weights",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("encoder", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=255), nullable=False),
        sa.Column("corpus", sa.String(length=255), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("software_version", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_encoder_weights")),
    )
    op.create_index(op.f("ix_encoder_weights_encoder"), "encoder_weights", ["encoder"], unique=False)


def downgrade() -> None:
    """Take back. The files stay in the store; what they hold must be imported again."""
    op.drop_index(op.f("ix_encoder_weights_encoder"), table_name="encoder_weights")
    op.drop_table("encoder_weights")
