"""the database itself refuses to change or delete a verdict."""

from alembic import op

from db.migrations.append_only import protect, release

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Apply."""
    protect(op.get_bind(), "verdict", "verdicts are append-only")


def downgrade() -> None:
    """Take back."""
    release(op.get_bind(), "verdict")
