"""What a job is about, in one line and without secrets."""

from collections.abc import Callable, Mapping
from typing import Any

from penstock.archives import in_store
from penstock.jobs import Job
from penstock.pulls import pulls
from penstock.remote import redacted


def title_of(job: Job) -> str:
    """By its kind; a kind that nobody knows here, such as a newer server's, is its own title."""
    title = _TITLES.get(job.kind)
    return job.kind if title is None else title(job.spec)


def _pull(spec: Mapping[str, Any]) -> str:
    return f"{redacted(spec['url'])} → {spec['key']}"


def _archive(spec: Mapping[str, Any]) -> str:
    return f"{spec['prefix'] or '/'} → {spec['key']}"


_TITLES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    in_store.KIND: _archive,
    pulls.KIND: _pull,
}
