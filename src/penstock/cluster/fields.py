"""Header fields of what servers and storage nodes say to each other."""

from typing import Final

CLUSTER: Final = "X-Penstock-Cluster"
"""Tells a node the id of the cluster that its locator belongs to; that of s3testcase tells none."""

NODE: Final = "X-Penstock-Node"
"""The id of the node that a request means; nodes may change their addresses."""

CRC32: Final = "X-Penstock-CRC32"
"""That of the body, as eight hexadecimal digits."""
