"""Work that goes on in the background, and survives whoever does it."""

from penstock.jobs.handling import Again, Cleanup, Final, Handler
from penstock.jobs.job import ENDED, Job, Line, State
from penstock.jobs.jobs import Jobs
from penstock.jobs.limits import JobLimits
from penstock.jobs.run import Run
from penstock.jobs.worker import Worker

__all__ = [
    "ENDED",
    "Again",
    "Cleanup",
    "Final",
    "Handler",
    "Job",
    "JobLimits",
    "Jobs",
    "Line",
    "Run",
    "State",
    "Worker",
]
