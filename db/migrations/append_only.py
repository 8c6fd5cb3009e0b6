"""Tables that only grow: the database itself refuses to change or delete their rows."""

from sqlalchemy import Connection

ACTS = ("UPDATE", "DELETE")


def protect(connection: Connection, table: str, message: str) -> None:
    """Make every change of a table's rows fail with `message`."""
    if connection.dialect.name == "sqlite":
        for act in ACTS:
            connection.exec_driver_sql(
                f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        return
    connection.exec_driver_sql(
        f"CREATE FUNCTION {table}_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    connection.exec_driver_sql(
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_refuse()"
    )


def release(connection: Connection, table: str) -> None:
    """Take `protect` back."""
    if connection.dialect.name == "sqlite":
        for act in ACTS:
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{act.lower()}")
        return
    connection.exec_driver_sql(f"DROP TRIGGER {table}_append_only ON {table}")
    connection.exec_driver_sql(f"DROP FUNCTION {table}_refuse()")
