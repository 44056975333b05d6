"""Folders archived inside the store: a job lays a ZIP out, and the store puts it together."""

from penstock.archives.in_store.archive import Archive, Made
from penstock.archives.in_store.archiver import Archiver
from penstock.archives.in_store.archives import KIND, LARGE, SMALL, Archives
from penstock.archives.in_store.estimate import Estimate
from penstock.archives.in_store.options import ArchiveOptions, Prices
from penstock.archives.in_store.wish import Wish

__all__ = [
    "KIND",
    "LARGE",
    "SMALL",
    "Archive",
    "ArchiveOptions",
    "Archiver",
    "Archives",
    "Estimate",
    "Made",
    "Prices",
    "Wish",
]
