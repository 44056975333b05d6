"""The store ``cluster://``: files in parts on storage nodes, which find their servers themselves.

What costs a start is not imported here: :mod:`penstock.cluster.cluster` opens a cluster.
"""

from penstock.catalog.cluster.rows import Heard, Node, NodeState
from penstock.cluster.addresses import node_address, node_url
from penstock.cluster.fields import CLUSTER
from penstock.cluster.options import ClusterOptions
from penstock.cluster.trust import check_secret, is_loopback, knows_secret

__all__ = [
    "CLUSTER",
    "ClusterOptions",
    "Heard",
    "Node",
    "NodeState",
    "check_secret",
    "is_loopback",
    "knows_secret",
    "node_address",
    "node_url",
]
