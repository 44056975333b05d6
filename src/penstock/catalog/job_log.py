"""The log of each job: its newest lines, bounded in number and length."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, Engine, delete, insert, select

from penstock.catalog.clock import NOW
from penstock.catalog.schema import job_log

KEPT = 200
"""Lines of one job."""
LONGEST = 2000
"""Characters of one line."""


class LogRow(NamedTuple):
    """A line: its number, counted from 1, the time in seconds since 1970, and what it says."""

    number: int
    at: float
    text: str


def write(connection: Connection, job: str, number: int, text: str) -> None:
    """Add a line. Whoever does has raised the job's ``lines`` to ``number`` in the same
    transaction, and thereby locked the job."""
    # PostgreSQL has no place for NUL.
    row = {"job": job, "number": number, "at": NOW, "text": text[:LONGEST].replace("\0", "\ufffd")}
    connection.execute(insert(job_log).values(**row))
    if number > KEPT:
        old = delete(job_log).where(job_log.c.job == job, job_log.c.number <= number - KEPT)
        connection.execute(old)


def read(engine: Engine, job: str) -> list[LogRow]:
    """The lines that are kept, the oldest first; blocking."""
    columns = (job_log.c.number, job_log.c.at, job_log.c.text)
    query = select(*columns).where(job_log.c.job == job).order_by(job_log.c.number)
    with engine.connect() as connection:
        return [LogRow(*found) for found in connection.execute(query)]


def forget(connection: Connection, removed: Sequence[str]) -> None:
    """Remove the logs of jobs that are gone."""
    connection.execute(delete(job_log).where(job_log.c.job.in_(removed)))
