"""Pages of a listing. Objects whose names are no keys are passed over; so are the marks of folders,
objects of no bytes whose names end in a slash, unless they are asked for."""

from collections.abc import AsyncGenerator, Sequence
from typing import Final

from penstock.errors import BadKey
from penstock.stores.interface import NOTHING_KNOWN, Facts, FileInfo, Page
from penstock.stores.keys import check_key, check_prefix
from penstock.stores.s3.documents import Listed, ListPage
from penstock.stores.s3.shared import Shared
from penstock.threads import in_thread

MOST: Final = 1000
"""On one page: S3 gives no more."""
_LAST_CHARACTER: Final = "\U0010ffff"


async def page_of(shared: Shared, prefix: str, after: str, limit: int, delimiter: str) -> Page:
    """Up to ``limit`` files and common prefixes behind ``after``."""
    files: list[Listed] = []
    prefixes: list[str] = []
    found, token, last = 0, None, ""
    while found < limit:
        answer = await shared.calls.list(
            shared.place.prefix + prefix,
            after=shared.place.prefix + _behind(prefix, after, delimiter) if after else "",
            token=token,
            limit=min(MOST, limit - found),
            delimiter=delimiter,
        )
        some, folders, end = _sorted_out(shared, answer, after)
        files += some
        prefixes += folders
        found = len(files) + len(prefixes)
        token, last = answer.token, end or last
        if token is None:
            break
    return Page(await _described(shared, files), prefixes, next=last if token else None)


async def batches(
    shared: Shared, prefix: str, *, folders: bool
) -> AsyncGenerator[Sequence[FileInfo], None]:
    """Every file that starts with ``prefix``, page by page; the marks of folders too if asked."""
    token = None
    while True:
        answer = await shared.calls.list(shared.place.prefix + prefix, token=token, limit=MOST)
        files, _, _ = _sorted_out(shared, answer, "", marks=folders)
        if files:
            yield await _described(shared, files)
        token = answer.token
        if token is None:
            return


def _behind(prefix: str, after: str, delimiter: str) -> str:
    """Where S3 is to go on. Behind a common prefix is behind all that it stands for."""
    rolled_up = delimiter and after.endswith(delimiter) and len(after) > len(prefix)
    return after + _LAST_CHARACTER if rolled_up and after.startswith(prefix) else after


def _sorted_out(
    shared: Shared, answer: ListPage, after: str, *, marks: bool = False
) -> tuple[list[Listed], list[str], str]:
    """What of an answer are files and folders, and the last thing in it; by key."""
    skip = len(shared.place.prefix)
    objects = [listed._replace(name=listed.name[skip:]) for listed in answer.objects]
    prefixes = [prefix[skip:] for prefix in answer.prefixes]
    last = max((*(listed.name for listed in objects), *prefixes), default="")
    files = [
        listed
        for listed in objects
        if listed.name > after and (_is_key(listed.name) or (marks and _is_mark(listed)))
    ]
    return files, [found for found in prefixes if found > after and _is_prefix(found)], last


def _is_key(name: str) -> bool:
    try:
        check_key(name)
    except BadKey:
        return False
    return True


def _is_mark(listed: Listed) -> bool:
    """Whether it says that there is a folder, as consoles and other programs mark one."""
    return listed.size == 0 and listed.name.endswith("/") and _is_key(listed.name[:-1])


def _is_prefix(name: str) -> bool:
    try:
        check_prefix(name)
    except BadKey:
        return False
    return True


async def _described(shared: Shared, files: Sequence[Listed]) -> Sequence[FileInfo]:
    """The files, with what is known of them."""
    versions = [(listed.name, listed.etag) for listed in files]
    facts = await in_thread(shared.book.get_many, versions) if versions else {}
    return [_info(listed, facts.get(listed.name, NOTHING_KNOWN)) for listed in files]


def _info(listed: Listed, known: Facts) -> FileInfo:
    return FileInfo(
        listed.name,
        listed.size,
        listed.modified_ns,
        listed.etag,
        known.content_type,
        known.sha256,
        known.crc32,
    )
