"""A node's folder, taken up."""

import os
from pathlib import Path

from penstock.catalog import open_database, sqlite_url
from penstock.cluster.trust import check_secret
from penstock.node.addresses import check_addresses
from penstock.node.belonging import Belonging
from penstock.node.context import Node
from penstock.node.identity import identity, sync, take
from penstock.node.options import Options
from penstock.node.shelf import Shelf
from penstock.threads import in_thread


async def open_node(options: Options) -> Node:
    """Take up the folder, and count what is in it. Close it at last.

    :raises BadRequest: an address is none, or the secret is missing where it is needed, or none
        that HTTP can carry.
    :raises Busy: another node works in the folder.
    :raises WrongState: the folder's identity, or that of its cluster, cannot be read.
    :raises OSError: the folder cannot be used.
    """
    check_secret(options.secret, options.host)
    check_addresses(options)
    node = await in_thread(_open, options)
    try:
        await node.shelf.count()
    except BaseException:
        await node.close()
        raise
    return node


def _open(options: Options) -> Node:
    folder = os.path.abspath(options.folder)
    lock = take(folder)
    try:
        name, belonging = identity(folder), Belonging(folder)
        engine = open_database(sqlite_url(Path(folder, "catalog.sqlite")))
        shelf = Shelf(folder, engine, options.threads)
        sync(folder)
        return Node(name, shelf, lock, belonging)
    except BaseException:
        os.close(lock)
        raise
