"""The Python client: put, get, list, delete and zip, with resume and verification."""

from penstock.client.answers import FileInfo, Page, ZipInfo
from penstock.client.archives import ArchiveInfo, ArchivePlan, Archives, StoreUsage
from penstock.client.jobs import JobInfo, Jobs, Lane, LogLine
from penstock.client.progress import Progress
from penstock.client.pulls import PullInfo, Pulls
from penstock.client.selection import RemoteUrl
from penstock.client.session import Client
from penstock.client.several import Done, Transfer

__all__ = [
    "ArchiveInfo",
    "ArchivePlan",
    "Archives",
    "Client",
    "Done",
    "FileInfo",
    "JobInfo",
    "Jobs",
    "Lane",
    "LogLine",
    "Page",
    "Progress",
    "PullInfo",
    "Pulls",
    "RemoteUrl",
    "StoreUsage",
    "Transfer",
    "ZipInfo",
]
