"""Work that goes on in the background, and survives whoever does it."""

from penstock.jobs.handling import Again, Cleanup, Final, Handler
from penstock.jobs.job import ENDED, Job, Line, State
from penstock.jobs.jobs import Jobs
from penstock.jobs.lane import Lane
from penstock.jobs.limits import JobLimits
from penstock.jobs.overview import Changes
from penstock.jobs.run import Run
from penstock.jobs.worker import Worker

__all__ = [
    "ENDED",
    "Again",
    "Changes",
    "Cleanup",
    "Final",
    "Handler",
    "Job",
    "JobLimits",
    "Jobs",
    "Lane",
    "Line",
    "Run",
    "State",
    "Worker",
]
