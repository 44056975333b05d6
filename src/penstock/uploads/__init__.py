"""Uploads that survive broken connections, stalled clients and killed servers. Knows no HTTP."""

from penstock.uploads.files import Folder
from penstock.uploads.limits import UploadLimits
from penstock.uploads.reader import Reader
from penstock.uploads.session import Session
from penstock.uploads.upload import Creation, Kind, Outcome, State, Upload
from penstock.uploads.uploads import Uploads

__all__ = [
    "Creation",
    "Folder",
    "Kind",
    "Outcome",
    "Reader",
    "Session",
    "State",
    "Upload",
    "UploadLimits",
    "Uploads",
]
