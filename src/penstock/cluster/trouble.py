"""What goes wrong between a server and a storage node, sorted by what can be done about it."""

from enum import StrEnum

from penstock.errors import ServerUnavailable, SourceChanged


class Kind(StrEnum):
    """What a failure says of the node, or of the copy that it has.

    ``UNREACHABLE``: there was no answer, or it broke off. ``REFUSED``: it answered that it will
    not. ``FULL``: it has no room. ``MISSING``: it has no such part. ``BAD``: the bytes are not the
    ones that were meant.
    """

    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    FULL = "full"
    MISSING = "missing"
    BAD = "bad"


class NodeFailed(Exception):
    """One node did not do what it was asked for; another may.

    ``node`` is its id. The text is for logs: callers of the store are told no node.
    """

    def __init__(self, kind: Kind, node: str, reason: str) -> None:
        super().__init__(f"node {node}: {reason}")
        self.kind = kind
        self.node = node
        self.reason = reason

    @property
    def is_of_node(self) -> bool:
        """Whether the node is in trouble, and not just one copy."""
        return self.kind in (Kind.UNREACHABLE, Kind.REFUSED)


def not_to_be_had(key: str) -> ServerUnavailable:
    """No node has a part of a file, as far as nodes can be asked now."""
    return ServerUnavailable(
        f"a part of {key!r} cannot be had from any storage node now; try again later"
    )


def not_as_stored(key: str) -> ServerUnavailable:
    """Every part agrees with what the catalog has of it, but the whole does not."""
    return ServerUnavailable(
        f"the bytes of {key!r} are not the ones that were stored; if this stays so, store it again"
    )


def gone(key: str) -> SourceChanged:
    """The version that is read is not there any more."""
    return SourceChanged(f"{key!r} changed since this transfer began; start it again")
