"""What every store must do, on S3; but for what S3 itself does otherwise."""

from penstock.stores import Store
from tests.contract import test_store
from tests.contract.test_store import *  # noqa: F403 - the tests of the suite
from tests.contract.test_store import get, keys, put
from tests.s3.fixtures import open_s3, prefix, s3_server, store

__all__ = ["open_s3", "prefix", "s3_server", "store", "test_store"]

# S3 has no folders, so there is nothing to be in conflict with.
del test_a_file_cannot_stand_where_a_folder_is  # noqa: F821
del test_a_folder_cannot_stand_where_a_file_is  # noqa: F821
# 1,500 files one after the other take a minute; tests/s3/test_store.py has a shorter one.
del test_a_scan_gives_every_file_once_in_key_order  # noqa: F821
# An ETag of S3 is made of the bytes.
del test_a_replaced_file_has_another_etag  # noqa: F821


async def test_a_file_may_stand_where_others_have_a_folder(store: Store) -> None:
    await put(store, "a/b", b"below")
    await put(store, "a", b"itself")

    assert await keys(store) == ["a", "a/b"]
    assert await get(store, "a") == b"itself"


async def test_a_file_replaced_by_other_bytes_has_another_etag(store: Store) -> None:
    versions = {(await put(store, "a", b"%d" % number)).etag for number in range(10)}

    assert len(versions) == 10
