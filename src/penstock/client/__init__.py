"""The Python client: put, get, list, delete and zip, with resume and verification."""

from penstock.client.answers import FileInfo, Page, ZipInfo
from penstock.client.progress import Progress
from penstock.client.pulls import PullInfo, Pulls
from penstock.client.selection import RemoteUrl
from penstock.client.session import Client
from penstock.client.several import Done, Transfer

__all__ = [
    "Client",
    "Done",
    "FileInfo",
    "Page",
    "Progress",
    "PullInfo",
    "Pulls",
    "RemoteUrl",
    "Transfer",
    "ZipInfo",
]
