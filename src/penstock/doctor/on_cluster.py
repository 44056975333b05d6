"""A store over storage nodes: who has announced itself, and whether it can be reached from here."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from penstock.catalog import GroupCommit, open_database
from penstock.catalog.cluster import Nodes
from penstock.catalog.looking import look_at
from penstock.cluster import ClusterOptions, Node, NodeState, node_url
from penstock.doctor.findings import Finding, Findings, broken, clock, ok, warning
from penstock.errors import PenstockError
from penstock.threads import in_thread

_PATIENCE = aiohttp.ClientTimeout(total=5.0)
_MOST_AT_ONCE = 32
_DOUBTFUL = 30.0
"""Seconds: no node's clock is used, but those of one host's logs should agree."""


async def look_at_cluster(catalog: str, options: ClusterOptions) -> Findings:
    """What there is to say of it; the catalog is only read."""
    if options.secret:
        yield ok("cluster's secret", "it is set")
    else:
        yield warning(
            "cluster's secret",
            "there is none, so nodes are accepted from this host only; set "
            "PENSTOCK_CLUSTER_SECRET for all servers and nodes",
        )
    try:
        nodes = await _nodes(catalog, options)
    except PenstockError:
        return  # there is a finding of the catalog
    yield _count(nodes, options)
    slots = asyncio.Semaphore(_MOST_AT_ONCE)
    async with aiohttp.ClientSession(timeout=_PATIENCE, cookie_jar=aiohttp.DummyCookieJar()) as web:
        for findings in await asyncio.gather(*(_look_at(node, web, slots) for node in nodes)):
            for finding in findings:
                yield finding


async def _nodes(catalog: str, options: ClusterOptions) -> Sequence[Node]:
    """Those that the catalog knows; none if it is to be made, or brought to this version."""
    standing = await in_thread(look_at, catalog)
    if standing.revision != standing.newest:
        return ()
    engine = await in_thread(open_database, catalog)
    commits = GroupCommit(engine)
    try:
        return await Nodes(engine, commits, options.dead_after).all()
    finally:
        await commits.close()
        await in_thread(engine.dispose)


def _count(nodes: Sequence[Node], options: ClusterOptions) -> Finding:
    name = "storage nodes"
    live = sum(node.state is NodeState.LIVE for node in nodes)
    text = f"{live} of {len(nodes)} known are live"
    if live < options.min_nodes:
        return warning(
            name,
            f"{text}, and nothing is stored before {options.min_nodes} are: start more with "
            "penstock node, and a server, which is what hears them",
        )
    if live < options.replicas:
        return warning(name, f"{text}, so parts have fewer than {options.replicas} copies")
    return ok(name, text)


async def _look_at(
    node: Node, web: aiohttp.ClientSession, slots: asyncio.Semaphore
) -> Sequence[Finding]:
    """Its state, and what it answers."""
    name = f"node {node.id}"
    state = f"{node.state}, at {node.address}"
    url = f"{node_url(node.address)}/health"
    try:
        async with slots, web.get(url, allow_redirects=False) as answer:
            told = await answer.json()
            date = answer.headers.get("Date", "")
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError):
        return [warning(name, f"{state}; it cannot be reached from this host")]
    if not isinstance(told, dict) or told.get("id") != node.id:
        return [broken(name, f"{state}; another service answers there")]
    if not node.answers:
        silent = f"not heard of for {node.silent:,.0f} s, although it answers"
        return [warning(name, f"{state}; {silent}: is a server running, and its --locator right?")]
    free = f"{node.free / (1 << 30):,.1f} of {node.capacity / (1 << 30):,.1f} GiB are free"
    return [ok(name, f"{state}, {free}"), *_clock(name, date)]


def _clock(name: str, date: str) -> Sequence[Finding]:
    try:
        told = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return []
    ahead = (told - datetime.now(UTC)).total_seconds()
    return [clock(f"{name}'s clock", ahead, doubtful=_DOUBTFUL, fatal=float("inf"))]
