"""``/live`` and ``/v1/nodes``: storage nodes are heard, listed, emptied and removed."""

import asyncio
import io
import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from penstock.catalog.clock import NOW
from penstock.catalog.cluster import Node, Part, Stored
from penstock.catalog.schema import nodes as table
from penstock.cluster import members
from penstock.cluster.cluster import Cluster
from penstock.errors import BadRequest
from penstock.settings import Settings
from penstock.stores.interface import ALWAYS, Facts
from penstock.wiring import serve
from tests.conftest import StartServer
from tests.server.conftest import Api, StartApi
from tests.server.tus_speaking import OCTETS, metadata

SECRET = "only-for-the-nodes-of-this-test"
ID = "00000000-0000-0000-0000-000000000001"
OTHER = "00000000-0000-0000-0000-000000000002"
OLD: dict[str, Any] = {
    "serviceId": ID,
    "advertisedAddr": "127.0.0.1:8201",
    "timestamp": "2025-03-14T15:09:26.535Z",
    "storageSizeBytes": 300,
}
"""A message as s3testcase's services send it."""
MESSAGE = OLD | {"capacity": 1000, "free": 700}
TUS = {"Content_Type": OCTETS, "Upload_Metadata": metadata(filename="tus")}


UPLOADS: list[tuple[str, str, dict[str, str]]] = [
    ("PUT", "/v1/files/small", {}),
    ("PUT", "/v1/files/resumable", {"Content_Length": str(16 << 20)}),
    ("POST", "/v1/uploads", {"Tus_Resumable": "1.0.0", "Upload_Length": "5", **TUS}),
    ("PUT", "/v1/files/draft", {"Upload_Complete": "?0"}),
    ("POST", "/stream-upload", {}),
    ("POST", "/upload", {"X_File_Name": "other"}),
]
NONSENSE: list[Any] = [
    b"",
    b"{",
    b"[" * 4000,
    b"\xff",
    [],
    {},
    MESSAGE | {"serviceId": "not-a-uuid"},
    MESSAGE | {"serviceId": 1},
    MESSAGE | {"advertisedAddr": "no-port"},
    MESSAGE | {"advertisedAddr": "host:0"},
    MESSAGE | {"advertisedAddr": "host:65536"},
    MESSAGE | {"advertisedAddr": "host:80/path?x"},
    MESSAGE | {"advertisedAddr": "http://user:password@host:80"},
    MESSAGE | {"advertisedAddr": "ftp://host:80"},
    MESSAGE | {"storageSizeBytes": -1},
    MESSAGE | {"storageSizeBytes": "many"},
    MESSAGE | {"storageSizeBytes": True},
    MESSAGE | {"free": 1 << 63},
    MESSAGE | {"timestamp": 0},
    MESSAGE | {"cluster": "not-a-uuid"},
    MESSAGE | {"cluster": None},
    {name: value for name, value in MESSAGE.items() if name != "storageSizeBytes"},
]


@pytest.fixture
async def gateway(start_api: StartApi) -> Api:
    """A server whose files are in a cluster without a secret, and without a node."""
    return await start_api(store="cluster://")


async def tell(api: Api, message: Any = MESSAGE, **headers: str) -> int:
    """Announce a node; answers the status, and sees that a good or a bad message has no body."""
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    response, came = await api.call("POST", "/live", body, **headers)
    assert response.status not in (200, 400) or came == b""
    return response.status


async def listed(api: Api) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(await api.get("/v1/nodes"))
    return document


async def speak(api: Api, *messages: dict[str, Any], **headers: str) -> None:
    """Announce nodes as they do themselves, until they are live."""
    async with asyncio.timeout(30):
        while (await listed(api))["live"] < len(messages):
            for message in messages:
                assert await tell(api, message, **headers) == 200
            await asyncio.sleep(0.1)


async def become_live(api: Api, *messages: dict[str, Any], **headers: str) -> None:
    """Announce nodes once, and have it be long ago that they announced themselves first.

    A machine that stands still for a while makes none of them suspect.
    """
    for message in messages:
        assert await tell(api, message, **headers) == 200
    cluster = cluster_of(api)
    await cluster.members.flush()
    known = update(table).values(joined=NOW - 60, seen=NOW + 30)
    await api.services.commits.run(lambda connection: connection.execute(known))
    await cluster.members.look()


async def fall_silent(api: Api, seconds: float, *identities: str) -> None:
    """Have those nodes, or all of them, be unheard of for so long."""
    cluster = cluster_of(api)
    await cluster.members.flush()
    silent = update(table).values(seen=NOW - seconds)
    if identities:
        silent = silent.where(table.c.id.in_(identities))
    await api.services.commits.run(lambda connection: connection.execute(silent))
    await cluster.members.look()


def cluster_of(api: Api) -> Cluster:
    assert api.services.cluster is not None
    return api.services.cluster


async def put_on_paper(api: Api, *nodes: str, parts: int) -> None:
    """Have the catalog say that nodes have so many parts of a file, and nobody else has them."""
    files = cluster_of(api).store.shared.files
    numbers = range(1, parts + 1)
    made = [Part(number, number - 1, 1, nodes) for number in numbers]
    await files.begin("the-version", "file", parts, made, 60.0)
    stored = [Stored(number, 0, bytes(4), nodes) for number in numbers]
    await files.commit("the-version", "file", parts, Facts(), ALWAYS, 60.0, stored)


async def problem(api: Api, method: str, path: str, data: Any = None, **headers: str) -> Any:
    """Status and problem document of a request that is refused."""
    response, body = await api.call(method, path, data, **headers)
    assert response.content_type == "application/problem+json", (response.status, body)
    return response.status, json.loads(body)


async def test_a_node_that_announces_itself_is_listed_and_becomes_live(gateway: Api) -> None:
    await speak(gateway, MESSAGE)

    cluster = await listed(gateway)
    node = cluster["nodes"][0]
    assert (cluster["live"], cluster["min_nodes"], cluster["replicas"]) == (1, 1, 2)
    assert 0 <= node.pop("silent") < 30
    assert node == {
        "id": ID,
        "address": "127.0.0.1:8201",
        "state": "live",
        "capacity": 1000,
        "free": 700,
        "used": 300,
        "parts": 0,
        "draining": False,
        "scrubbed": None,
    }


async def test_the_clock_of_a_node_is_not_used(gateway: Api) -> None:
    await become_live(
        gateway,
        MESSAGE | {"timestamp": "2099-01-01T00:00:00Z"},
        MESSAGE | {"serviceId": OTHER, "timestamp": "1970-01-01T00:00:00Z"},
    )

    assert [node["silent"] < 30 for node in (await listed(gateway))["nodes"]] == [True, True]


async def test_a_node_that_tells_no_room_is_heard_and_has_none(gateway: Api) -> None:
    await become_live(gateway, OLD)

    node = (await listed(gateway))["nodes"][0]
    assert (node["used"], node["free"], node["capacity"]) == (300, 0, 0)


async def test_what_is_no_announcement_is_refused_without_a_body(gateway: Api) -> None:
    for message in NONSENSE:
        assert await tell(gateway, message) == 400, message

    assert (await listed(gateway))["nodes"] == []


async def test_a_message_of_any_length_is_not_read(gateway: Api) -> None:
    assert await tell(gateway, b" " * 5000) == 413


async def test_only_who_knows_the_secret_is_heard(start_api: StartApi) -> None:
    gateway = await start_api(store="cluster://", cluster_secret=SECRET)
    for given in ("", "Bearer", "Bearer ", "Bearer wrong", f"Basic {SECRET}", f"Bearer {SECRET}x"):
        status, told = await problem(
            gateway, "POST", "/live", json.dumps(MESSAGE).encode(), Authorization=given
        )
        assert (status, told["code"]) == (401, "login-needed")
        assert SECRET not in str(told)

    await become_live(gateway, MESSAGE, Authorization=f"Bearer {SECRET}")

    assert SECRET not in json.dumps(await listed(gateway))
    assert SECRET not in (await gateway.get("/v1/server")).decode()


async def test_without_a_secret_only_this_host_is_heard(gateway: Api) -> None:
    for name in ("X_Forwarded_For", "Forwarded", "X_Real_IP", "Via"):
        assert await tell(gateway, **{name: "for=192.0.2.1"}) == 403
    for host in ("files.example", "192.0.2.1:8080", "127.0.0.1.example:80", ""):
        assert await tell(gateway, Host=host) == 403
    assert b" 403 " in await in_http_1_0(gateway)

    assert await tell(gateway, Sec_Fetch_Site="cross-site") == 403
    assert (await listed(gateway))["nodes"] == []
    assert await tell(gateway, Host="localhost:80") == 200


async def in_http_1_0(api: Api) -> bytes:
    """The status line for an announcement as an old proxy passes it on."""
    body = json.dumps(MESSAGE).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"POST /live HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n" % len(body))
    writer.write(b"\r\n" + body)
    line = await reader.readline()
    writer.close()
    return line


async def test_an_id_that_is_live_elsewhere_is_refused(gateway: Api) -> None:
    await become_live(gateway, MESSAGE)

    status, told = await problem(
        gateway, "POST", "/live", json.dumps(MESSAGE | {"advertisedAddr": "h:1"}).encode()
    )

    assert (status, told["code"]) == (409, "wrong-state")
    assert (await listed(gateway))["nodes"][0]["address"] == "127.0.0.1:8201"


async def test_a_node_of_another_cluster_is_not_taken_in(gateway: Api, tmp_path: Path) -> None:
    response, _ = await gateway.call("POST", "/live", json.dumps(OLD).encode())
    cluster = response.headers["X-Penstock-Cluster"]

    status, told = await problem(
        gateway, "POST", "/live", json.dumps(MESSAGE | {"serviceId": OTHER, "cluster": ID}).encode()
    )
    nowhere_yet = await tell(gateway, MESSAGE | {"serviceId": OTHER, "cluster": ""})
    await cluster_of(gateway).members.flush()
    strangers = [node["id"] for node in (await listed(gateway))["nodes"]]
    await become_live(gateway, MESSAGE | {"serviceId": OTHER, "cluster": cluster})

    assert (status, told["code"], nowhere_yet) == (409, "wrong-state", 200)
    assert "belongs to another cluster" in told["detail"]
    assert OTHER not in strangers
    assert OTHER in [node["id"] for node in (await listed(gateway))["nodes"]]


async def test_gateways_with_one_catalog_are_of_one_cluster(
    gateway: Api, start_api: StartApi, tmp_path: Path
) -> None:
    catalog = f"sqlite:///{tmp_path / 'shared.sqlite'}"
    told = [gateway.services.cluster]
    told += [(await start_api(store="cluster://", catalog=catalog)).services.cluster for _ in "ab"]

    alone, one, other = [await each.nodes.cluster() for each in told if each is not None]

    assert one == other != alone


async def test_a_catalog_that_is_away_is_told_once(
    gateway: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nodes = cluster_of(gateway).nodes
    look = nodes.all

    async def away() -> list[Node]:
        raise OperationalError("SELECT", None, OSError("the server closed the connection"))

    caplog.set_level(logging.WARNING, "penstock")
    monkeypatch.setattr(members, "_FRESH", 0.0)  # nothing is known from just before
    monkeypatch.setattr(nodes, "all", away)
    status, told = await problem(gateway, "POST", "/live", json.dumps(MESSAGE).encode())
    again = [await tell(gateway) for _ in range(3)]
    monkeypatch.setattr(nodes, "all", look)
    back = [await tell(gateway) for _ in range(3)]
    await cluster_of(gateway).members.flush()

    assert (status, told["code"]) == (503, "unavailable")
    assert (again, back) == ([503] * 3, [200] * 3)
    lines = [line.partition(";")[0] for line in caplog.messages if line.startswith("the catalog")]
    assert lines == ["the catalog is away", "the catalog is back"]
    assert not any(record.exc_info for record in caplog.records)


async def test_a_catalog_that_hangs_holds_no_node_up(
    gateway: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes, asked = cluster_of(gateway).nodes, 0

    async def hanging() -> list[Node]:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(members, "_FRESH", 0.0)  # nothing is known from just before
    monkeypatch.setattr(nodes, "all", hanging)
    async with asyncio.timeout(30):
        assert await asyncio.gather(*(tell(gateway) for _ in range(5))) == [503] * 5
        assert await tell(gateway) == 503

    assert asked == 1


async def test_a_node_is_drained_and_undrained(gateway: Api) -> None:
    await become_live(gateway, MESSAGE, MESSAGE | {"serviceId": OTHER})

    for draining, state, live in ((True, "draining", 1), (False, "live", 2)):
        response, body = await gateway.call(
            "POST",
            f"/v1/nodes/{ID}/drain",
            json.dumps({"draining": draining}).encode(),
            Content_Type="application/json",
        )
        told = json.loads(body)
        cluster = await listed(gateway)

        assert response.status == 200
        assert (told["draining"], told["state"]) == (draining, state)
        assert (cluster["nodes"][0]["state"], cluster["live"]) == (state, live)


async def test_what_is_asked_of_no_node_or_not_understood_is_refused(gateway: Api) -> None:
    json_type = "application/json"
    for path, body, kind, expected in (
        ("drain", b'{"draining": true}', json_type, 404),
        ("scrub", b"", "", 404),
        ("drain", b'{"draining": true}', "text/plain", 415),
        ("drain", b'{"draining": 1}', json_type, 400),
        ("drain", b"{", json_type, 400),
    ):
        url = f"/v1/nodes/{ID}/{path}"
        status, _ = await problem(gateway, "POST", url, body, Content_Type=kind)
        assert status == expected


async def test_a_scrub_is_begun(gateway: Api) -> None:
    await become_live(gateway, MESSAGE)

    response, body = await gateway.call("POST", f"/v1/nodes/{ID}/scrub")

    assert response.status == 202
    assert json.loads(body)["id"] == ID


async def test_a_node_is_removed_when_it_is_silent(gateway: Api) -> None:
    await become_live(gateway, MESSAGE)
    alive, told = await problem(gateway, "DELETE", f"/v1/nodes/{ID}")
    forced, _ = await problem(gateway, "DELETE", f"/v1/nodes/{ID}?force=true")
    unclear, _ = await problem(gateway, "DELETE", f"/v1/nodes/{ID}?force=perhaps")
    await fall_silent(gateway, 10)

    removed, body = await gateway.call("DELETE", f"/v1/nodes/{ID}")
    again, _ = await problem(gateway, "DELETE", f"/v1/nodes/{ID}")

    assert (alive, forced, unclear) == (409, 409, 400)
    assert "still announces itself" in told["detail"]
    assert (removed.status, json.loads(body)["state"], again) == (200, "suspect", 404)
    assert (await listed(gateway))["nodes"] == []


async def test_a_node_that_is_needed_is_removed_by_force_only_when_it_is_dead(gateway: Api) -> None:
    await become_live(gateway, MESSAGE)
    await put_on_paper(gateway, ID, parts=3)
    needed, told = await problem(gateway, "DELETE", f"/v1/nodes/{ID}")
    await fall_silent(gateway, 10)
    early, _ = await problem(gateway, "DELETE", f"/v1/nodes/{ID}?force=true")
    await fall_silent(gateway, 60)
    unforced, _ = await problem(gateway, "DELETE", f"/v1/nodes/{ID}")

    removed, body = await gateway.call("DELETE", f"/v1/nodes/{ID}?force=true")

    assert (needed, early, unforced) == (409, 409, 409)
    assert (told["parts"], told["detail"][:7]) == (3, "3 parts")
    assert (removed.status, json.loads(body)["parts"]) == (200, 3)
    assert (await listed(gateway))["nodes"] == []


async def test_parts_that_need_a_node_are_counted_to_a_bound(gateway: Api) -> None:
    await become_live(gateway, MESSAGE)
    await put_on_paper(gateway, ID, parts=1001)

    status, told = await problem(gateway, "DELETE", f"/v1/nodes/{ID}")

    assert (status, told["parts"]) == (409, 1000)
    assert told["detail"].startswith("at least 1,000 parts have too few copies without the node")


async def test_a_node_that_has_parts_is_removed_when_nobody_counts_on_it(gateway: Api) -> None:
    await become_live(gateway, MESSAGE, MESSAGE | {"serviceId": OTHER})
    await put_on_paper(gateway, ID, OTHER, parts=3)
    await fall_silent(gateway, 10, ID)
    early, told = await problem(gateway, "DELETE", f"/v1/nodes/{ID}")
    await tell(gateway, MESSAGE | {"serviceId": OTHER})
    await fall_silent(gateway, 60, ID)
    await fall_silent(gateway, 0, OTHER)

    removed, _ = await gateway.call("DELETE", f"/v1/nodes/{ID}")

    assert (early, told["parts"]) == (409, 3)
    assert "wait until it is dead" in told["detail"]
    assert removed.status == 200


async def test_changes_that_another_site_asks_for_are_refused(gateway: Api) -> None:
    for method, path in (("DELETE", ""), ("POST", "/drain"), ("POST", "/scrub")):
        url = f"/v1/nodes/{ID}{path}"
        status, _ = await problem(gateway, method, url, Sec_Fetch_Site="cross-site")
        assert status == 403


async def test_nothing_is_ready_before_there_are_enough_nodes(start_api: StartApi) -> None:
    gateway = await start_api(store="cluster://", cluster_min_nodes=2)
    await become_live(gateway, MESSAGE)

    waits, told = await gateway.call("GET", "/readyz?verbose")
    await become_live(gateway, MESSAGE, MESSAGE | {"serviceId": OTHER})
    ready, _ = await gateway.call("GET", "/readyz")

    assert (waits.status, ready.status) == (503, 200)
    assert b"store: 1 of 2 storage nodes are live" in told


async def test_uploads_are_refused_with_the_count_of_nodes(start_api: StartApi) -> None:
    gateway = await start_api(store="cluster://", cluster_min_nodes=6)
    for method, path, headers in UPLOADS:
        data = io.BytesIO(os.urandom(int(headers.get("Content_Length", 5))))

        async with asyncio.timeout(30):
            response, body = await gateway.call(method, path, data, **headers)

        assert response.status == 503, path
        assert b"0 of 6 storage nodes are live" in body, path


async def test_a_server_without_a_cluster_has_no_nodes(api: Api) -> None:
    for method, path in (
        ("GET", "/v1/nodes"),
        ("POST", "/live"),
        ("POST", f"/v1/nodes/{ID}/drain"),
        ("POST", f"/v1/nodes/{ID}/scrub"),
        ("DELETE", f"/v1/nodes/{ID}"),
    ):
        status, told = await problem(api, method, path)
        assert (status, told["code"]) == (404, "not-found")


def test_a_server_that_anybody_reaches_wants_a_secret(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", ""):
        open_to_all = Settings(data=tmp_path, store="cluster://", host=host)
        with pytest.raises(BadRequest, match="set PENSTOCK_CLUSTER_SECRET"):
            serve(open_to_all)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"store": "cluster://host:8201"}, "storage nodes announce themselves"),
        ({"store": "cluster://", "cluster_secret": "two words"}, "printable ASCII"),
        ({"store": "cluster://", "cluster_secret": "schlüssel"}, "printable ASCII"),
    ],
)
def test_settings_that_cannot_be_are_told(
    tmp_path: Path, settings: dict[str, str], text: str
) -> None:
    with pytest.raises(BadRequest, match=text) as refused:
        serve(Settings(data=tmp_path, **settings))  # type: ignore[arg-type]

    assert settings.get("cluster_secret", "?") not in refused.value.detail


def test_a_server_tells_at_the_start_that_it_waits_and_never_its_secret(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(store="cluster://", cluster_min_nodes=6, cluster_secret=SECRET)

    assert server.process.stdout is not None
    told = [server.process.stdout.readline() for _ in range(3)]
    assert server.stop() == 0
    log = server.log.read_text()

    assert told[2].startswith("0 of 6 storage nodes are live: nothing is stored before")
    assert '"event": "waiting for nodes"' in log
    assert SECRET not in log + "".join(told)
