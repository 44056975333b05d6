"""Nodes and clusters as they stand in JSON answers."""

from typing import TYPE_CHECKING

from penstock.server.urls import time_json

if TYPE_CHECKING:
    from penstock.cluster.cluster import NodeStanding, Overview


def node_json(standing: "NodeStanding") -> dict[str, object]:
    """One node; bytes and seconds."""
    node = standing.node
    return {
        "id": node.id,
        "address": node.address,
        "state": str(node.state),
        "capacity": node.capacity,
        "free": node.free,
        "used": node.used,
        "parts": standing.parts,
        "silent": round(node.silent, 3),
        "draining": node.draining,
        "scrubbed": time_json(node.scrubbed),
    }


def overview_json(overview: "Overview") -> dict[str, object]:
    """All nodes, and how the cluster stands."""
    return {
        "nodes": [node_json(standing) for standing in overview.nodes],
        "live": overview.live,
        "min_nodes": overview.min_nodes,
        "replicas": overview.replicas,
        "removing": overview.removing,
        "upkeep": dict(overview.upkeep),
    }
