"""sessions that were signed out; the database itself refuses to change the log."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TABLE = "audit_entry"
MESSAGE = "the audit log is append-only"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "ended_session",
        sa.Column("session_digest", sa.String(length=255), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("session_digest", name=op.f("pk_ended_session")),
    )
    if op.get_bind().dialect.name == "sqlite":
        for act in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {TABLE}_no_{act.lower()} BEFORE {act} ON {TABLE} "
                f"BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {TABLE}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{MESSAGE}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {TABLE}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {TABLE} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {TABLE}_refuse()"
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("ended_session")
    if op.get_bind().dialect.name == "sqlite":
        for act in ("update", "delete"):
            op.execute(f"DROP TRIGGER {TABLE}_no_{act}")
        return
    op.execute(f"DROP TRIGGER {TABLE}_append_only ON {TABLE}")
    op.execute(f"DROP FUNCTION {TABLE}_refuse()")
