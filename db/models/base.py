"""What every table shares: names of constraints, and how values of ours are kept. Times are UTC."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, Dialect, Enum, MetaData, String, TypeDecorator
from sqlalchemy.orm import DeclarativeBase

from db.domain.campaign import Arm, RoundState, StageState
from db.domain.case import CaseClass, View
from db.domain.provenance import JobKind, JobState, MaskOrigin, Role
from db.domain.study import SeatKind
from db.domain.verdict import UnreadableReason, VerdictKind


class UtcDateTime(TypeDecorator[datetime]):
    """Aware in Python, UTC in the database; SQLite keeps no time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """To UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - as above
        """From UTC."""
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)


def _names(kind: type[Any]) -> Enum:
    return Enum(
        kind,
        native_enum=False,
        length=24,
        values_callable=lambda members: [str(m.value) for m in members],
    )


class Base(DeclarativeBase):
    """Names every constraint, so that migrations can alter them on each database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[int]: JSON,
        str: String(255),
        **{
            kind: _names(kind)
            for kind in (
                Arm,
                CaseClass,
                JobKind,
                JobState,
                MaskOrigin,
                Role,
                RoundState,
                SeatKind,
                StageState,
            )
        },
        **{kind: _names(kind) for kind in (UnreadableReason, VerdictKind, View)},
    }
