"""What the catalog knows of a cluster: its nodes, the files in parts on them, and what is to do."""

from penstock.catalog.cluster.copies import Copies, HeldCopy, StaleCopy
from penstock.catalog.cluster.duties import Duties
from penstock.catalog.cluster.files import Files
from penstock.catalog.cluster.nodes import Nodes
from penstock.catalog.cluster.removals import Removals
from penstock.catalog.cluster.rows import (
    BLOCK,
    Copy,
    CopyState,
    Doomed,
    Heard,
    Node,
    NodeState,
    Part,
    PartRow,
    Stored,
    part_name,
)

__all__ = [
    "BLOCK",
    "Copies",
    "Copy",
    "CopyState",
    "Doomed",
    "Duties",
    "Files",
    "Heard",
    "HeldCopy",
    "Node",
    "NodeState",
    "Nodes",
    "Part",
    "PartRow",
    "Removals",
    "StaleCopy",
    "Stored",
    "part_name",
]
