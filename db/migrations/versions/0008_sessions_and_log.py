"""sessions that were signed out; the database itself refuses to change the log."""

import sqlalchemy as sa
from alembic import op

from db.migrations.append_only import protect, release

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "ended_session",
        sa.Column("session_digest", sa.String(length=255), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_digest", name=op.f("pk_ended_session")),
    )
    protect(op.get_bind(), "audit_entry", "the audit log is append-only")


def downgrade() -> None:
    """Take back."""
    op.drop_table("ended_session")
    release(op.get_bind(), "audit_entry")
