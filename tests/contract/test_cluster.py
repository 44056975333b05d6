"""What every store must do, on a cluster of nodes; it has no folders, as S3 has none."""

from penstock.stores import Store
from tests.cluster import on_catalogs
from tests.cluster.on_catalogs import url
from tests.contract import test_store
from tests.contract.test_store import *  # noqa: F403 - the tests of the suite
from tests.contract.test_store import get, keys, put

__all__ = ["test_store", "url"]

store = on_catalogs.store

# There are no folders, so there is nothing to be in conflict with.
del test_a_file_cannot_stand_where_a_folder_is  # noqa: F821
del test_a_folder_cannot_stand_where_a_file_is  # noqa: F821
# What was replaced is kept for a while, and read if it is asked for: tests/cluster/test_store.py.
del test_reading_another_version_is_an_error  # noqa: F821
# 1,500 files one after the other take too long; tests/cluster/test_store.py has a shorter one.
del test_a_scan_gives_every_file_once_in_key_order  # noqa: F821


async def test_a_file_may_stand_where_others_have_a_folder(store: Store) -> None:
    await put(store, "a/b", b"below")
    await put(store, "a", b"itself")

    assert await keys(store) == ["a", "a/b"]
    assert await get(store, "a") == b"itself"
