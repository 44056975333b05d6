"""Whatever a source does: a pull stores one version of it, whole, or nothing."""

import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults import Fault, Source, cut, faulty, reset, status
from tests.pulls.pulling import hasten, pulled
from tests.server.conftest import Api, StartApi, start_api

__all__ = ["start_api"]

SIZE = 300_007


@pytest.fixture
async def api(start_api: StartApi, monkeypatch: pytest.MonkeyPatch) -> Api:
    hasten(monkeypatch)
    return await start_api(remote_allow="127.0.0.1", remote_tries=2)


class Changing:
    """A file of another server, and every version that it ever had."""

    def __init__(self, source: Source, *, tagged: bool) -> None:
        self._file = source.files["/film"]
        self._tagged = tagged
        self.versions = [self._file.content]

    def change(self, size: int) -> None:
        """Another version from now on, of which the first bytes may be those of the one before."""
        number = len(self.versions)
        self.versions.append(random.Random(number).randbytes(size))
        self._file.content = self.versions[-1]
        if self._tagged:
            self._file.etag = f'"{number}"'
        else:
            self._file.last_modified = 1_700_000_000 + number


Trouble = tuple[str, int, bool, bool, int | None]

troubles = st.tuples(
    st.sampled_from(["cut", "reset", "chunks cut", "503", "429", "fine"]),
    st.integers(0, SIZE),
    st.booleans(),
    st.booleans(),
    st.none() | st.sampled_from([SIZE, SIZE - 1, SIZE // 2, SIZE + 1000, 0]),
)


def fault(trouble: Trouble, change: Callable[[int], None]) -> Fault:
    """One answer that goes wrong; before it the file may change."""
    kind, after, ranges, conditions, size = trouble
    made = {
        "cut": cut(after),
        "reset": reset(after),
        "chunks cut": cut(after, framing="chunked"),
        "503": status(503, Retry_After="0"),
        "429": status(429),
        "fine": Fault(),
    }[kind]
    before = None if size is None else lambda: change(size)
    return Fault(
        made.end,
        made.after,
        answer=made.answer,
        headers=made.headers,
        framing=made.framing,
        ranges=ranges,
        conditions=conditions,
        before=before,
    )


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(happening=st.lists(troubles, max_size=6), tagged=st.booleans(), key=st.uuids())
async def test_one_version_is_stored_or_nothing(
    api: Api, happening: Sequence[Trouble], tagged: bool, key: object
) -> None:
    async with faulty() as source:
        url = source.serve(
            "/film",
            random.Random(0).randbytes(SIZE),
            etag='"0"' if tagged else None,
            last_modified=None if tagged else 1_700_000_000,
        )
        changing = Changing(source, tagged=tagged)
        source.files["/film"].faults = [fault(one, changing.change) for one in happening]

        end = await pulled(api, url, f"films/{key}")

    response, body = await api.call("GET", f"/v1/files/films/{key}")
    if end["state"] == "done":
        assert body in changing.versions
        assert end["file"]["size"] == len(body)
    else:
        assert (end["state"], response.status) == ("failed", 404)
