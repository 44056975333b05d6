"""A relay's folder and connections, taken up and left in good order."""

import fcntl
import os
from pathlib import Path

from penstock.client.download import Ranges
from penstock.errors import Busy
from penstock.relay.authority import check_callers
from penstock.relay.bringing import Bringing
from penstock.relay.cache import Cache
from penstock.relay.context import Relay
from penstock.relay.options import Options
from penstock.relay.shelf import Shelf
from penstock.relay.upstream import Upstream
from penstock.stores.keys import RESERVED
from penstock.threads import in_thread


async def open_relay(options: Options) -> Relay:
    """Take up the folder, and go on with what is incomplete in its cache. Close it at last.

    :raises BadRequest: it would be open to everybody, and nobody said that it shall be.
    :raises ValueError: the upstream's address is none.
    :raises Busy: another relay works in the folder.
    :raises OSError: the folder cannot be used.
    """
    check_callers(options)
    folder, lock = await in_thread(_take, options.folder)
    own = os.path.join(folder, RESERVED)
    upstream = None
    try:
        upstream = Upstream(options)
        shelf = Shelf(os.path.join(own, "cache"), options.cache_size)
        ranges = Ranges(parallel=options.parallel)
        cache = Cache(upstream, shelf, ranges=ranges, max_age=options.max_age)
        brought = Bringing(upstream, folder, os.path.join(own, "brought"))
        await cache.start()
        await brought.start()
    except BaseException:
        os.close(lock)
        if upstream is not None:
            await upstream.close()
        raise
    return Relay(upstream, cache, brought, lock)


def _take(path: Path) -> tuple[str, int]:
    """The folder, and a descriptor that says that it is taken for as long as it is open."""
    folder = os.path.abspath(path)
    own = os.path.join(folder, RESERVED)
    os.makedirs(own, exist_ok=True)
    fd = os.open(os.path.join(own, "relay.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(fd)
        raise Busy(f"another relay works in {folder}; choose another folder with --dir") from None
    return folder, fd
