"""The public face of the library is a list that changes on purpose only."""

import inspect

import pytest

import penstock.client
from penstock.client import Client


def test_exported_names() -> None:
    assert penstock.client.__all__ == [
        *("ArchiveInfo", "ArchivePlan", "Archives", "Audit", "AuditLine"),
        *("Client", "ClusterInfo", "Done", "FileInfo", "FileService"),
        *("JobInfo", "Jobs", "Lane", "LogLine", "NodeInfo", "Nodes"),
        *("Page", "Progress", "PullInfo", "Pulls"),
        *("RemoteUrl", "ServedFile", "SessionInfo", "ShareInfo", "Shares"),
        *("StoreUsage", "TokenInfo", "Tokens", "Transfer", "ZipInfo"),
    ]


def test_methods_of_the_client() -> None:
    methods = {name for name, _ in inspect.getmembers(Client, inspect.isfunction)}

    assert {name for name in methods if not name.startswith("_")} == {
        *("put", "store", "put_many", "put_folder"),
        *("get", "fetch", "get_many", "get_folder", "follow"),
        *("download", "download_many"),
        *("list", "pages", "stat", "delete", "delete_many", "zip", "pull", "archive"),
    }


@pytest.mark.parametrize("address", ["", "127.0.0.1:8080", "ftp://a", "http://", "http://a/?b"])
def test_a_server_needs_an_http_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"address|end after"):
        Client(address)


async def test_a_client_is_used_in_a_with_block() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        await Client("http://127.0.0.1:1").stat("key")
