"""Which errors of the database are told as one that is away."""

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from penstock.catalog.away import told_when_away
from penstock.errors import ServerUnavailable


def test_a_bug_in_sql_is_raised_as_it_is(engine: Engine) -> None:
    with pytest.raises(DBAPIError), told_when_away(), engine.connect() as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))


def test_a_connection_that_breaks_is_told(postgres: str) -> None:
    engine = create_engine(postgres)
    with (
        engine.connect() as connection,
        pytest.raises(ServerUnavailable) as told,
        told_when_away(),
    ):
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    engine.dispose()

    assert told.value.extra["retry_after"] == 2


def test_a_server_that_cannot_be_connected_to_is_told() -> None:
    engine = create_engine("postgresql+psycopg://penstock@127.0.0.1:1/postgres")

    with pytest.raises(ServerUnavailable, match="try again later"), told_when_away():
        engine.connect()


def test_a_pool_without_a_free_connection_is_told(postgres: str) -> None:
    engine = create_engine(postgres, pool_size=1, max_overflow=0, pool_timeout=0.1)
    with engine.connect(), pytest.raises(ServerUnavailable), told_when_away():
        engine.connect()
    engine.dispose()
