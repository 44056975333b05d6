"""Asking remote files what they are, before a ZIP of them is begun."""

from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote

from yarl import URL

from penstock.archives.at_once import ask_all
from penstock.archives.planned import Failure, token_of
from penstock.archives.selection import OnError, Selection
from penstock.archives.url_member import UrlMember
from penstock.errors import BadRequest, PenstockError, RemoteRefused, SourceFailed
from penstock.remote import Remote, RemoteFile, failure, redacted
from penstock.zipstream import Entry

_FAILURES_NAMED = 100


class Probed(NamedTuple):
    """What the URLs of a selection turned out to be."""

    found: list[tuple[Entry, RemoteFile]]
    failures: list[Failure]
    pinned: bool
    """Whether every one of them names its version."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a URL cannot be fetched."""

    member: UrlMember
    error: PenstockError

    @property
    def reason(self) -> str:
        return reason_of(self.error)


async def probe_all(remote: Remote, selection: Selection, *, at_once: int) -> Probed:
    """Size, version and name of every remote file, ``at_once`` of them asked at a time.

    :raises SourceFailed: one cannot be fetched, and the selection does not ask for a report.
    :raises RemoteRefused: likewise, one must not be fetched.
    """

    async def probe(member: UrlMember) -> RemoteFile | _Refusal:
        try:
            return await _known(remote, member)
        except (SourceFailed, RemoteRefused, BadRequest) as error:
            error.__cause__ = error.__context__ = None
            return _Refusal(member, error.with_traceback(None))  # frames would be kept with it

    answers = await ask_all(probe, selection.urls, at_once)
    refusals = [answer for answer in answers if isinstance(answer, _Refusal)]
    if refusals and selection.on_error is not OnError.REPORT:
        raise _error(refusals)
    found = [
        (_entry(selection, member, answer), answer)
        for member, answer in zip(selection.urls, answers, strict=True)
        if isinstance(answer, RemoteFile)
    ]
    failures = [Failure(wanted_name(refusal.member), refusal.reason) for refusal in refusals]
    pinned = all(_is_pinned(entry, file) for entry, file in found)
    return Probed(found, failures, pinned)


def reason_of(error: PenstockError) -> str:
    """Why a source failed, in few words."""
    return str(error.extra.get("reason", error.detail))


def wanted_name(member: UrlMember, file: RemoteFile | None = None) -> str:
    """What a remote file is called: as the caller says, else as its server does, else its path."""
    if member.name:
        return member.name
    if file is not None and file.file_name:
        return file.file_name
    try:
        url = URL(member.url, encoded=True)
    except ValueError:
        return "_"
    return unquote(url.raw_path.rpartition("/")[2]) or url.host or "_"


async def _known(remote: Remote, member: UrlMember) -> RemoteFile:
    if member.size:
        return remote.taken_as(member.url, member.headers, member.size)
    file = await remote.probe(member.url, member.headers)
    # Of an empty file nothing is read later that could be held against what was told.
    if member.size == 0 and file.size:
        raise failure(member.url, "it is not empty, as was told")
    return file


def _is_pinned(entry: Entry, file: RemoteFile) -> bool:
    """Whether a later request can tell that it gets the same bytes; an empty file has none.

    A CRC-32 that was told is no version: it cannot be held against a part of the file.
    """
    return entry.size == 0 or file.version is not None


def _entry(selection: Selection, member: UrlMember, file: RemoteFile) -> Entry:
    name = wanted_name(member, file)
    modified = member.modified if member.modified is not None else file.modified
    version = file.version or f"{redacted(file.url)} {file.size}"
    return Entry(
        name=name,
        size=file.size,
        crc32=member.crc32 if file.size else None,
        modified=modified or 0,
        token=token_of(version),
        deflate=selection.deflates(name, file.content_type, file.size),
    )


def _error(refusals: list[_Refusal]) -> PenstockError:
    """One error for all URLs that failed."""
    first = next((r for r in refusals if not isinstance(r.error, SourceFailed)), refusals[0])
    sources = [
        {"url": redacted(refusal.member.url), "reason": refusal.reason}
        for refusal in refusals[:_FAILURES_NAMED]
    ]
    text = first.error.detail
    if len(refusals) > 1:
        text = f"{len(refusals)} of the URLs cannot be fetched, the first: {text}"
    extra = {name: value for name, value in first.error.extra.items() if name != "reason"}
    return type(first.error)(text, **{**extra, "sources": sources})
