"""Whatever a source does wrong: a ZIP of it is whole, or its client sees that it is not."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import pytest

from tests.faults import (
    Fault,
    Source,
    after,
    chunked,
    cut,
    faulty,
    garble,
    ignore_conditions,
    lie,
    mute,
    redirect,
    reset,
    stall,
    status,
    throttle,
    until_close,
    with_headers,
)
from tests.server.asking import Spec, curl, python, verdict
from tests.serving import RunningServer

LOOKAHEAD = 1 << 20
TAG = '"v1"'
NOON = 1_700_000_000
FILM = random.Random(5).randbytes(400_003)
OTHER = random.Random(6).randbytes(len(FILM))
PART = 150_000
WANTED = {"first": FILM[:50_000], "film": FILM, "last": FILM[-50_000:]}

UNSIZED = Fault(framing="chunked", ranges=False)

LAYOUTS: dict[str, Spec] = {
    "exact": {},
    "deflate": {"compress": "deflate"},
    "report": {"on_error": "report"},
}
CLIENTS = {"curl": curl, "python": python}


class Outcome(NamedTuple):
    """What is to come of a ZIP, by its layout."""

    exact: str
    deflate: str
    report: str


WHOLE = Outcome("whole", "whole", "whole")
BROKEN = Outcome("broken", "broken", "without film")
UNAVAILABLE = Outcome("424", "424", "without film")
REFUSED = Outcome("403", "403", "without film")


@dataclass(frozen=True)
class Scene:
    """What faults need to know: how to put another version in place, and where nobody may go."""

    swap: Callable[[], None]
    private: str


def lasting(fault: Fault) -> dict[str, Any]:
    """Every GET goes wrong, after a HEAD that went well."""
    return {"head_faults": [Fault()], "always": fault}


FAULTS: dict[str, tuple[Outcome, Callable[[Scene], dict[str, Any]]]] = {
    "none": (WHOLE, lambda _: {"etag": TAG}),
    "cut, has a tag": (WHOLE, lambda _: {"etag": TAG, "faults": [cut(PART)]}),
    "cut, has a time": (WHOLE, lambda _: {"last_modified": NOON, "faults": [cut(PART)]}),
    "cut twice": (WHOLE, lambda _: {"etag": TAG, "faults": [cut(PART), cut(PART)]}),
    "cut, names no version": (BROKEN, lambda _: lasting(cut(PART))),
    "cut, weak tag": (BROKEN, lambda _: {"etag": 'W/"1"', **lasting(cut(PART))}),
    "cut, knows no ranges": (
        BROKEN,
        lambda _: {"etag": TAG, **lasting(Fault(end="cut", after=PART, ranges=False))},
    ),
    "cut, gone then": (
        BROKEN,
        lambda _: {"etag": TAG, "faults": [cut(PART)], **lasting(status(410))},
    ),
    "reset, has a tag": (WHOLE, lambda _: {"etag": TAG, "faults": [reset(PART)]}),
    "reset, names no version": (BROKEN, lambda _: lasting(reset(PART))),
    "reset before the answer": (WHOLE, lambda _: {"etag": TAG, "faults": [reset(0)]}),
    "stall, has a tag": (WHOLE, lambda _: {"etag": TAG, "faults": [stall(PART)]}),
    "stall, names no version": (BROKEN, lambda _: lasting(stall(PART))),
    "no answer at first": (WHOLE, lambda _: {"etag": TAG, "faults": [mute()]}),
    "throttled": (WHOLE, lambda _: {"etag": TAG, "faults": [throttle(1_000_000)]}),
    "overloaded at first": (
        WHOLE,
        lambda _: {"etag": TAG, "head_faults": [status(503)], "faults": [Fault(), status(429)]},
    ),
    "longer than told": (BROKEN, lambda _: {"head_faults": [lie(len(FILM) - 1)]}),
    "shorter than told": (BROKEN, lambda _: {"head_faults": [lie(len(FILM) + 1)]}),
    "ends early": (BROKEN, lambda _: {"etag": TAG, "always": lie(len(FILM) + 1)}),
    "other tag": (BROKEN, lambda scene: {"etag": TAG, "faults": [after(scene.swap)]}),
    "other tag, knows no conditions": (
        BROKEN,
        lambda scene: {"etag": TAG, "faults": [Fault(before=scene.swap, conditions=False)]},
    ),
    "other tag when resumed": (
        BROKEN,
        lambda scene: {"etag": TAG, "faults": [cut(PART), after(scene.swap)]},
    ),
    "other time": (BROKEN, lambda scene: {"last_modified": NOON, "faults": [after(scene.swap)]}),
    "other time when resumed": (
        BROKEN,
        lambda scene: {"last_modified": NOON, "faults": [cut(PART), after(scene.swap)]},
    ),
    "conditions not understood": (WHOLE, lambda _: {"etag": TAG, "always": ignore_conditions()}),
    "in chunks": (WHOLE, lambda _: {"always": chunked()}),
    "in chunks, cut": (BROKEN, lambda _: lasting(cut(PART, framing="chunked"))),
    "in chunks, ends early": (
        BROKEN,
        lambda _: {"head_faults": [lie(len(FILM) + 1)], "always": chunked()},
    ),
    "of unknown size": (WHOLE, lambda _: {"always": UNSIZED}),
    "of unknown size, cut": (BROKEN, lambda _: {"always": replace(UNSIZED, end="cut", after=PART)}),
    "of unknown size, stalls": (
        BROKEN,
        lambda _: {"always": replace(UNSIZED, end="stall", after=PART)},
    ),
    "a chunk that is none": (BROKEN, lambda _: lasting(garble(PART))),
    "end told by the probe alone": (WHOLE, lambda _: {"always": until_close()}),
    "end told by the probe alone, cut": (BROKEN, lambda _: lasting(cut(PART, framing="close"))),
    "end untold": (BROKEN, lambda _: {"always": Fault(framing="close", ranges=False)}),
    "encoded": (UNAVAILABLE, lambda _: {"always": with_headers(Content_Encoding="gzip")}),
    "missing": (UNAVAILABLE, lambda _: {"always": status(404)}),
    "missing when read": (BROKEN, lambda _: {"etag": TAG, **lasting(status(404))}),
    "forbidden": (UNAVAILABLE, lambda _: {"always": status(403)}),
    "a private address": (REFUSED, lambda scene: {"always": redirect(scene.private)}),
    "a private address when read": (BROKEN, lambda scene: lasting(redirect(scene.private))),
    "another scheme": (REFUSED, lambda _: {"always": redirect("file:///etc/passwd")}),
    "a circle": (UNAVAILABLE, lambda _: {"always": redirect("film")}),
}


@pytest.fixture(scope="module")
def fetcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that may reach the source, and that gives up soon."""
    running = RunningServer(
        tmp_path_factory.mktemp("fetcher") / "data",
        remote_allow="127.0.0.1",
        remote_tries=3,
        remote_connect_timeout=1,
        remote_answer_timeout=1,
        remote_stall_timeout=1.5,
        remote_lookahead=LOOKAHEAD,
    )
    yield running
    assert running.stop() == 0


@pytest.fixture
async def source() -> AsyncIterator[Source]:
    async with faulty() as made:
        yield made


@pytest.fixture
async def private() -> AsyncIterator[Source]:
    """A server at an address that the other one may not reach."""
    async with faulty(host="127.0.0.2") as made:
        made.serve("/film", FILM, etag=TAG)
        yield made


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_zip_is_whole_or_seen_not_to_be(
    fetcher: RunningServer, source: Source, private: Source, fault: str
) -> None:
    outcome, faults = FAULTS[fault]

    async def told(client: str, layout: str) -> str:
        folder = f"/{client}/{layout}"

        def swap() -> None:
            source.serve(f"{folder}/film", OTHER, etag='"v2"', last_modified=NOON + 60)

        for name, content in WANTED.items():
            source.serve(f"{folder}/{name}", content, etag=TAG)
        source.serve(f"{folder}/film", FILM, **faults(Scene(swap, f"{private.url}/film")))
        urls = [f"{source.url}{folder}/{name}" for name in WANTED]
        spec = {"urls": urls, **LAYOUTS[layout]}
        return verdict(await CLIENTS[client](f"{fetcher.url}/v1/zip", spec), WANTED)

    asked = list(product(CLIENTS, LAYOUTS))
    found = await asyncio.gather(*(told(client, layout) for client, layout in asked))

    expected = [getattr(outcome, layout) for _, layout in asked]
    assert dict(zip(asked, found, strict=True)) == dict(zip(asked, expected, strict=True))
    assert not any(file.faults or file.head_faults for file in source.files.values())
    assert private.accepted == 0


@pytest.mark.parametrize("compress", ["store", "deflate"])
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_report_names_every_member_that_breaks(
    fetcher: RunningServer, source: Source, client: str, compress: str
) -> None:
    wanted = {f"{number}.bin": FILM[number:] for number in range(12)}
    for number, (name, content) in enumerate(wanted.items()):
        source.serve(f"/{name}", content, **(lasting(cut(PART)) if number % 3 else {}))
    urls = [f"{source.url}/{name}" for name in wanted]

    spec = {"urls": urls, "on_error": "report", "compress": compress}
    came = await CLIENTS[client](f"{fetcher.url}/v1/zip", spec)

    broken = sorted(name for number, name in enumerate(wanted) if number % 3)
    assert verdict(came, wanted) == f"without {', '.join(broken)}"


@pytest.mark.parametrize(
    ("breaks_after", "expected"),
    [(LOOKAHEAD // 2, "without film"), (3 * LOOKAHEAD, "broken")],
    ids=["within the look-ahead", "beyond it"],
)
@pytest.mark.parametrize("client", CLIENTS)
async def test_a_report_is_kept_open_as_long_as_the_lookahead(
    fetcher: RunningServer, source: Source, client: str, breaks_after: int, expected: str
) -> None:
    wanted = {"first": FILM, "film": FILM * 10, "last": FILM}
    for name, content in wanted.items():
        source.serve(f"/{name}", content)
    source.serve("/film", wanted["film"], **lasting(cut(breaks_after)))
    urls = [f"{source.url}/{name}" for name in wanted]

    spec = {"urls": urls, "on_error": "report"}
    came = await CLIENTS[client](f"{fetcher.url}/v1/zip", spec)

    assert verdict(came, wanted) == expected
