"""A storage node: keeps the parts of a cluster's files in a folder, and says that it lives."""

from penstock.node.announcing import Announcing
from penstock.node.app import build_node
from penstock.node.context import Node
from penstock.node.opening import open_node
from penstock.node.options import Options

__all__ = ["Announcing", "Node", "Options", "build_node", "open_node"]
