"""What Alembic runs: our tables only, on the connection that `db.migrations` hands over."""

from typing import Literal

from alembic import context

from db.models import Base, UtcDateTime


def _is_ours(name: str | None, kind: str, _: object) -> bool:
    return kind != "table" or name in Base.metadata.tables


def _plain_type(kind: str, item: object, _: object) -> str | Literal[False]:
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_name=_is_ours,
    render_item=_plain_type,
)
with context.begin_transaction():
    context.run_migrations()
