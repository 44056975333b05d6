"""What is stored: listings, the facts of one file, removal."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress

from penstock.client.answers import FileInfo, Page, understood
from penstock.client.http import Http, json_of
from penstock.client.retry import MAX_CHANGES
from penstock.errors import NotFound, PreconditionFailed, SourceChanged


async def pages(http: Http, prefix: str, delimiter: str) -> AsyncGenerator[Page, None]:
    """Every page of the listing of ``prefix``, in key order."""
    after: str | None = ""
    while after is not None:
        query = [("prefix", prefix), ("delimiter", delimiter), ("after", after)]
        url = http.url("/v1/files", [(name, value) for name, value in query if value])
        _, body = await http.call("GET", url)
        page = understood(Page.from_json, json_of(body))
        yield page
        after = page.next


async def stat(http: Http, key: str, *, digest: bool = False, once: bool = False) -> FileInfo:
    """The facts of one file.

    With ``digest`` the server works out the SHA-256 if it must; with ``once`` a failure is not
    tried again, because the caller does that.

    :raises SourceChanged: it changes faster than the server can digest it.
    """
    for _ in range(MAX_CHANGES):
        info = await _ask(http, key, {}, once=once)
        if info.sha256 is not None or not digest:
            return info
        wanted = {"Want-Repr-Digest": "sha-256=10", "If-Match": info.etag}
        patience = http.answer_seconds(info.size)
        with suppress(PreconditionFailed):  # it has changed meanwhile
            return await _ask(http, key, wanted, once=once, answer_within=patience)
    raise SourceChanged(f"{key} changes again and again; try when it is left alone")


async def _ask(
    http: Http,
    key: str,
    headers: Mapping[str, str],
    *,
    once: bool,
    answer_within: float | None = None,
) -> FileInfo:
    ask = http.ask if once else http.call
    path = http.file_path(key)
    headers = {"Accept-Encoding": "identity", **headers}
    try:
        told, _ = await ask("HEAD", http.url(path), headers=headers, answer_within=answer_within)
    except NotFound as error:  # the answer to a HEAD has no text
        error.detail = f"nothing is stored at {key!r}"
        raise
    return understood(lambda all_told: FileInfo.from_headers(key, path, all_told), told)


async def delete(http: Http, key: str, *, if_match: str | None = None) -> None:
    """Remove one file; with ``if_match`` (an etag) only that version of it."""
    headers = {"If-Match": if_match} if if_match is not None else {}
    await http.call("DELETE", http.url(http.file_path(key)), headers=headers)
