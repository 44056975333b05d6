"""The Python client: put, get, list, delete and zip, with resume and verification."""

from penstock.client.answers import FileInfo, Page, ZipInfo
from penstock.client.archives import ArchiveInfo, ArchivePlan, Archives, StoreUsage
from penstock.client.audit import Audit, AuditLine
from penstock.client.file_service import FileService, ServedFile
from penstock.client.jobs import JobInfo, Jobs, Lane, LogLine
from penstock.client.nodes import ClusterInfo, NodeInfo, Nodes
from penstock.client.progress import Progress
from penstock.client.pulls import PullInfo, Pulls
from penstock.client.selection import RemoteUrl
from penstock.client.session import Client
from penstock.client.several import Done, Transfer
from penstock.client.shares import ShareInfo, Shares
from penstock.client.tokens import SessionInfo, TokenInfo, Tokens

__all__ = [
    "ArchiveInfo",
    "ArchivePlan",
    "Archives",
    "Audit",
    "AuditLine",
    "Client",
    "ClusterInfo",
    "Done",
    "FileInfo",
    "FileService",
    "JobInfo",
    "Jobs",
    "Lane",
    "LogLine",
    "NodeInfo",
    "Nodes",
    "Page",
    "Progress",
    "PullInfo",
    "Pulls",
    "RemoteUrl",
    "ServedFile",
    "SessionInfo",
    "ShareInfo",
    "Shares",
    "StoreUsage",
    "TokenInfo",
    "Tokens",
    "Transfer",
    "ZipInfo",
]
