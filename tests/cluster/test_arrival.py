"""Parts of a file go to the nodes ahead of its end, over several processes, each of them once."""

import hashlib
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import update

from penstock.catalog.cluster import CopyState
from penstock.catalog.schema import cluster_files, cluster_outbox
from penstock.cluster.arrival import LEASE
from penstock.cluster.store import ClusterStore
from penstock.errors import (
    BadKey,
    Busy,
    NotFound,
    PreconditionFailed,
    ServerUnavailable,
    Superseded,
)
from penstock.stores import Condition, Facts
from penstock.stores.arrivals import Arrival, Parts
from penstock.stores.interface import ALWAYS, Checkpoint
from tests.cluster.conftest import StartCluster
from tests.cluster.here import ClusterHere, RecordingClient, second_gateway
from tests.cluster.imposters import full, imposter
from tests.s3.files import MIB, content, get, keys, put

DATA = content(6 * MIB, seed=9)
"""Six parts."""
FACTS = Facts(hashlib.sha256(DATA).digest(), zlib.crc32(DATA))


class Journal:
    """What is durable of an upload: its bytes, and what the store has kept of it."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.kept: dict[str, Any] = {}
        self.keeps = 0

    def read(self, start: int, stop: int) -> bytes:
        return self.data[start:stop]

    async def keep(self, kept: Checkpoint) -> None:
        self.kept = dict(kept)
        self.keeps += 1

    def age(self, seconds: float) -> None:
        """Have its end be begun so much earlier."""
        self.kept["ending"] -= seconds

    @property
    def facts(self) -> Facts:
        return Facts(hashlib.sha256(self.data).digest(), zlib.crc32(self.data))


@pytest.fixture
def journal() -> Journal:
    return Journal()


@pytest.fixture
async def second(cluster: ClusterHere) -> AsyncIterator[ClusterStore]:
    """Another process's store."""
    async with second_gateway(cluster) as store:
        yield store


async def send(arrival: Arrival, journal: Journal, *numbers: int) -> None:
    for number in numbers:
        await arrival.send(number, journal.read, journal.keep)


def sent(store: ClusterStore) -> list[int]:
    """The numbers of the parts that a process has sent, each once for each copy."""
    client = store.shared.client
    assert isinstance(client, RecordingClient)
    return sorted(int(name.rpartition("-")[2]) for _, name in client.puts)


async def finish(
    store: ClusterStore,
    journal: Journal,
    arrival: Arrival | None = None,
    condition: Condition = ALWAYS,
) -> str:
    """The ETag of what is stored then."""
    size = len(journal.data)
    arrival = arrival or store.arrival("a", size, None, journal.kept)
    done = await arrival.finish(size, journal.facts, journal.read, condition, journal.keep)
    return done.file.etag


async def doomed(cluster: ClusterHere) -> int:
    """How many versions a cleaner would remove now."""
    return len(await cluster.catalog.removals.claim(100, 60.0))


async def due(cluster: ClusterHere) -> float:
    """In how many seconds the only version under way is given up."""
    seconds = await cluster.catalog.removals.next_due()
    assert seconds is not None
    return seconds


async def grow_old(cluster: ClusterHere) -> None:
    """Have every version under way be due, as if nobody had renewed it."""
    over = update(cluster_outbox).values(due=0.0)
    await cluster.catalog.commits.run(lambda connection: connection.execute(over))


def test_a_cluster_takes_parts(store: ClusterStore) -> None:
    assert isinstance(store, Parts)


async def test_parts_are_on_nodes_before_the_last_byte_came(
    cluster: ClusterHere, journal: Journal
) -> None:
    arrival = cluster.store.arrival("a", len(DATA), None, {})

    await send(arrival, journal, 1, 2)

    assert sum(map(len, await cluster.on_disks())) == 4
    assert await keys(cluster.store) == []
    await finish(cluster.store, journal, arrival)
    assert await get(cluster.store, "a") == DATA


async def test_the_end_sends_only_what_is_missing(cluster: ClusterHere, journal: Journal) -> None:
    arrival = cluster.store.arrival("a", len(DATA), None, {})
    await send(arrival, journal, 1, 2, 3, 4, 5)
    cluster.client.puts.clear()

    await finish(cluster.store, journal, arrival)

    assert sent(cluster.store) == [6, 6]


async def test_a_part_is_sent_once_however_often_it_is_asked_for(
    cluster: ClusterHere, journal: Journal
) -> None:
    arrival = cluster.store.arrival("a", len(DATA), None, {})

    await send(arrival, journal, 3, 3, 3)

    assert sent(cluster.store) == [3, 3]


async def test_another_process_sends_no_part_again(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    await send(cluster.store.arrival("a", len(DATA), None, {}), journal, 1, 2, 3, 4)

    await finish(second, journal)

    assert sent(second) == [5, 5, 6, 6]
    assert await get(second, "a") == DATA


async def test_where_a_file_is_cut_stays_whatever_the_next_process_is_told(
    cluster: ClusterHere, journal: Journal
) -> None:
    await send(cluster.store.arrival("a", len(DATA), None, {}), journal, 1, 2)

    async with second_gateway(cluster, part_size=1000, parts=3) as second:
        arrival = second.arrival("a", len(DATA), None, journal.kept)
        assert arrival.part(3) == (2 * MIB, 3 * MIB)
        await finish(second, journal, arrival)

        assert sent(second) == [3, 3, 4, 4, 5, 5, 6, 6]


async def test_the_answer_is_the_same_if_the_end_is_made_again(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    etag = await finish(cluster.store, journal)

    assert await finish(second, journal) == etag
    assert sent(second) == []


async def test_the_end_made_again_does_not_hide_what_was_stored_since(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    etag = await finish(cluster.store, journal)
    newer = await put(cluster.store, "a", b"newer")

    assert await finish(second, journal) == etag
    assert await second.stat("a") == newer


async def cleaned(cluster: ClusterHere) -> None:
    """Have everything be removed that nobody sees."""
    await grow_old(cluster)
    for doomed in await cluster.catalog.removals.claim(100, 60.0):
        gone = await cluster.catalog.removals.copies(doomed.file, None, 1000)
        assert await cluster.catalog.removals.removed(doomed, gone)


@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize("later", [0.0, 2 * LEASE], ids=["soon", "late"])
async def test_the_end_made_again_leaves_a_newer_file_although_nothing_is_left_of_the_older(
    cluster: ClusterHere, second: ClusterStore, journal: Journal, ahead: int, later: float
) -> None:
    arrival = cluster.store.arrival("a", len(DATA), None, {})
    await send(arrival, journal, *range(1, ahead + 1))
    etag = await finish(cluster.store, journal, arrival)
    newer = await put(cluster.store, "a", b"newer")
    await cleaned(cluster)
    journal.age(later)

    again = second.arrival("a", len(DATA), None, journal.kept)
    done = await again.finish(len(DATA), journal.facts, journal.read, ALWAYS, journal.keep)

    assert await second.stat("a") == newer
    assert (done.file.etag, done.file.size, done.file.sha256) == (etag, len(DATA), FACTS.sha256)
    assert sent(second) == []


async def test_the_end_made_again_brings_no_deleted_file_back(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    etag = await finish(cluster.store, journal)
    await cluster.store.delete("a")
    await cleaned(cluster)

    assert await finish(second, journal) == etag
    with pytest.raises(NotFound):
        await second.stat("a")


async def test_an_end_that_never_came_is_made_however_late(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    """Its process died before it, and what was sent was removed since nobody renewed it."""
    await put(cluster.store, "a", b"older")
    older = update(cluster_files).values(processed=1)
    await cluster.catalog.commits.run(lambda connection: connection.execute(older))
    arrival = cluster.store.arrival("a", len(DATA), None, {})
    with pytest.raises(PreconditionFailed):
        await finish(cluster.store, journal, arrival, Condition(absent=True))
    await cleaned(cluster)
    journal.age(2 * LEASE)

    await finish(second, journal)

    assert await get(second, "a") == DATA


async def test_a_version_is_forgotten_before_it_is_given_up(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    """A process that dies in between must not leave what looks like a file that was stored."""
    await send(cluster.store.arrival("a", len(DATA), None, {}), journal, 1)
    journal.data = DATA[: 5 * MIB]  # it becomes another length than was told
    kept_so_far = journal.keep

    async def keep(kept: Checkpoint) -> None:
        if not kept:
            raise Busy("the catalog is away")
        await kept_so_far(kept)

    size = len(journal.data)
    arrival = second.arrival("a", size, None, journal.kept)
    with pytest.raises(Busy):
        await arrival.finish(size, journal.facts, journal.read, ALWAYS, keep)

    assert await doomed(cluster) == 0
    await finish(second, journal)
    assert await get(second, "a") == journal.data


async def test_what_may_look_as_if_it_was_stored_is_not_given_up_at_once(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    """Its beginning was kept, but the process was told that it was not, and died."""

    async def keep(kept: Checkpoint) -> None:
        await journal.keep(kept)
        raise Busy("the catalog is away")

    arrival = cluster.store.arrival("a", len(DATA), None, {})
    with pytest.raises(Busy):
        await arrival.finish(len(DATA), FACTS, journal.read, ALWAYS, keep)

    assert await doomed(cluster) == 0
    await finish(second, journal)
    assert await get(second, "a") == DATA


async def test_a_process_that_dies_before_the_last_step_is_followed_by_another(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    """It kept the version, and had sent all parts."""
    await send(cluster.store.arrival("a", len(DATA), None, {}), journal, 1, 2, 3, 4, 5, 6)

    await finish(second, journal)

    assert sent(second) == []
    assert await get(second, "a") == DATA


async def test_an_upload_may_end_without_a_part_sent_ahead(
    cluster: ClusterHere, journal: Journal
) -> None:
    etag = await finish(cluster.store, journal)

    assert await get(cluster.store, "a") == DATA
    assert journal.kept["file"] == etag
    assert journal.keeps == 1


@pytest.mark.parametrize("size", [0, 1, 1000])
async def test_a_small_file_has_no_part_that_could_be_sent_ahead(
    cluster: ClusterHere, second: ClusterStore, size: int
) -> None:
    journal = Journal(DATA[:size])
    arrival = cluster.store.arrival("a", size, None, {})
    assert arrival.part(1) is None

    etag = await finish(cluster.store, journal, arrival)

    assert await get(cluster.store, "a") == DATA[:size]
    assert await finish(second, journal) == etag


async def test_of_unknown_length_parts_have_a_fixed_size(
    start_cluster: StartCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.cluster.cutting.UNKNOWN_PART", 2 * MIB)
    cluster = await start_cluster()
    journal = Journal(DATA[: 5 * MIB])
    arrival = cluster.store.arrival("a", None, None, {})
    assert arrival.part(2) == (2 * MIB, 4 * MIB)
    await send(arrival, journal, 2, 1)

    async with second_gateway(cluster) as second:
        later = second.arrival("a", None, None, journal.kept)
        await finish(second, journal, later)

        assert sent(second) == [3, 3]
        assert await get(second, "a") == journal.data
    assert [part.size for part in await cluster.parts("a")] == [2 * MIB, 2 * MIB, MIB]


async def test_a_file_of_unknown_length_that_ends_early_is_cut_by_its_length(
    cluster: ClusterHere, journal: Journal
) -> None:
    await finish(cluster.store, journal, cluster.store.arrival("a", None, None, {}))

    assert [part.size for part in await cluster.parts("a")] == [MIB] * 6


async def test_nothing_is_left_where_the_beginning_cannot_be_kept(
    cluster: ClusterHere, journal: Journal
) -> None:
    async def keep(kept: Checkpoint) -> None:
        raise Superseded("another request goes on with this upload")

    arrival = cluster.store.arrival("a", len(DATA), None, {})
    with pytest.raises(Superseded, match="another request"):
        await arrival.send(1, journal.read, keep)

    assert arrival.kept == {}
    assert sent(cluster.store) == []
    assert await doomed(cluster) == 1


async def test_an_end_that_another_request_makes_is_not_made_here(
    cluster: ClusterHere, journal: Journal
) -> None:
    arrival = cluster.store.arrival("a", len(DATA), None, {})
    await send(arrival, journal, 1)

    async def keep(kept: Checkpoint) -> None:
        raise Superseded("another request goes on with this upload")

    with pytest.raises(Superseded, match="another request"):
        await arrival.finish(len(DATA), FACTS, journal.read, ALWAYS, keep)

    assert await keys(cluster.store) == []
    assert sent(cluster.store) == [1, 1]


async def test_what_is_sent_is_kept_for_a_day_and_a_sign_of_life_prolongs_it(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    await send(cluster.store.arrival("a", len(DATA), None, {}), journal, 1)
    assert 86_000 < await due(cluster) <= 86_400
    await grow_old(cluster)

    await second.arrival("a", len(DATA), None, journal.kept).renew()

    assert 86_000 < await due(cluster) <= 86_400
    assert second.renewal < 86_400 / 2


async def test_what_is_forsaken_is_to_be_removed(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    await send(cluster.store.arrival("a", len(DATA), None, {}), journal, 1)

    await second.arrival("a", len(DATA), None, journal.kept).forsake()

    assert await doomed(cluster) == 1


async def test_what_is_forsaken_is_not_renewed(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    """By another process, which has seen it just before."""
    await send(cluster.store.arrival("a", len(DATA), None, {}), journal, 1)
    other = second.arrival("a", len(DATA), None, journal.kept)
    await cluster.store.arrival("a", len(DATA), None, journal.kept).forsake()

    await other.renew()

    assert await doomed(cluster) == 1


async def test_an_upload_whose_parts_were_removed_is_sent_anew_at_its_end(
    cluster: ClusterHere, second: ClusterStore, journal: Journal
) -> None:
    await send(cluster.store.arrival("a", len(DATA), None, {}), journal, 1, 2)
    await grow_old(cluster)
    assert await doomed(cluster) == 1

    await finish(second, journal)

    assert sent(second) == sorted([1, 2, 3, 4, 5, 6] * 2)
    assert await get(second, "a") == DATA


async def test_an_upload_whose_parts_were_removed_begins_anew_with_its_next_part(
    cluster: ClusterHere, journal: Journal
) -> None:
    arrival = cluster.store.arrival("a", len(DATA), None, {})
    await send(arrival, journal, 1)
    old = journal.kept["file"]
    await grow_old(cluster)
    assert await doomed(cluster) == 1

    with pytest.raises(ServerUnavailable):
        await send(arrival, journal, 2)
    await send(arrival, journal, 3)
    await finish(cluster.store, journal, arrival)

    assert journal.kept["file"] != old
    assert await get(cluster.store, "a") == DATA


async def lose_nodes(cluster: ClusterHere) -> list[str]:
    """Have all nodes be dead that have been sent something; answers their ids."""
    ids = {node for node, _ in cluster.client.puts}
    for number, member in enumerate(cluster.nodes):
        if member.id in ids:
            await cluster.die(number)
    return sorted(ids)


@pytest.mark.parametrize("removed", [False, True], ids=["dead", "removed"])
async def test_a_part_whose_nodes_are_lost_meanwhile_is_sent_to_others(
    start_cluster: StartCluster, journal: Journal, removed: bool
) -> None:
    """By the process that sent it, too; and the other parts are not sent again."""
    cluster = await start_cluster(nodes=4)
    arrival = cluster.store.arrival("a", len(DATA), None, {})
    await send(arrival, journal, 1)
    lost = await lose_nodes(cluster)
    await send(arrival, journal, 2)
    if removed:
        for node in lost:
            await cluster.catalog.nodes.remove(node)
    cluster.client.puts.clear()

    await finish(cluster.store, journal, arrival)

    assert sent(cluster.store) == sorted([1, 3, 4, 5, 6] * 2)
    assert await get(cluster.store, "a") == DATA


async def test_a_part_whose_copies_are_bad_meanwhile_is_sent_again(
    cluster: ClusterHere, journal: Journal
) -> None:
    arrival = cluster.store.arrival("a", len(DATA), None, {})
    await send(arrival, journal, 1)
    for node, _ in cluster.client.puts:
        await cluster.catalog.copies.bad(journal.kept["file"], 1, node)

    await finish(cluster.store, journal, arrival)

    (part, *_) = await cluster.parts("a")
    assert list(part.copies.values()).count(CopyState.STORED) == 2
    assert await get(cluster.store, "a") == DATA


async def test_another_process_sends_parts_of_dead_nodes_to_others(
    start_cluster: StartCluster, journal: Journal
) -> None:
    cluster = await start_cluster(nodes=4)
    await send(cluster.store.arrival("a", len(DATA), None, {}), journal, 1)
    await lose_nodes(cluster)

    async with second_gateway(cluster) as second:
        await finish(second, journal)

        assert sent(second) == sorted([1, 2, 3, 4, 5, 6] * 2)
        assert await get(second, "a") == DATA


async def test_a_part_that_no_node_took_is_sent_again(
    start_cluster: StartCluster, journal: Journal
) -> None:
    cluster = await start_cluster(nodes=1)
    arrival = cluster.store.arrival("a", len(DATA), None, {})
    async with imposter(cluster, 0, full):
        with pytest.raises(Exception, match="no storage node"):
            await send(arrival, journal, 1)
    await cluster.hear()

    await finish(cluster.store, journal, arrival)

    assert await get(cluster.store, "a") == DATA


async def test_the_condition_is_held_against_what_is_stored_at_the_end(
    cluster: ClusterHere, journal: Journal
) -> None:
    arrival = cluster.store.arrival("a", len(DATA), None, {})
    await send(arrival, journal, 1)
    await put(cluster.store, "a", b"in between")

    with pytest.raises(PreconditionFailed):
        await finish(cluster.store, journal, arrival, Condition(absent=True))

    assert await get(cluster.store, "a") == b"in between"


async def test_it_says_whether_it_replaced_a_file(cluster: ClusterHere, journal: Journal) -> None:
    arrivals = [cluster.store.arrival("a", len(DATA), None, {}) for _ in range(2)]

    replaced = [
        (await one.finish(len(DATA), FACTS, journal.read, ALWAYS, journal.keep)).replaced
        for one in arrivals
    ]

    assert replaced == [False, True]


@pytest.mark.parametrize(("told", "stored"), [(None, "image/png"), ("text/x-told", "text/x-told")])
async def test_a_type_that_nobody_told_is_that_of_the_first_bytes(
    cluster: ClusterHere, told: str | None, stored: str
) -> None:
    journal = Journal(b"\x89PNG\r\n\x1a\n" + DATA)
    arrival = cluster.store.arrival("a", len(journal.data), told, {})
    await send(arrival, journal, 1)

    await finish(cluster.store, journal, arrival)

    assert (await cluster.store.stat("a")).content_type == stored


async def test_a_bad_key_is_refused(cluster: ClusterHere, journal: Journal) -> None:
    arrival = cluster.store.arrival("a/../b", len(DATA), None, {})

    with pytest.raises(BadKey):
        await arrival.finish(len(DATA), FACTS, journal.read, ALWAYS, journal.keep)


async def test_the_catalog_holds_nothing_of_an_arrival_that_ended(
    cluster: ClusterHere, journal: Journal
) -> None:
    await finish(cluster.store, journal)

    assert await cluster.catalog.removals.next_due() is None
