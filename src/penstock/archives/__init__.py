"""What goes into a ZIP: from a selection of stored and remote files to its bytes."""

from penstock.archives.kept import KeptPlans
from penstock.archives.members import MemberReader, Sources
from penstock.archives.planned import Failure, PlannedZip
from penstock.archives.planning import Planner
from penstock.archives.selection import Compress, OnError, Selection
from penstock.archives.streamed import StreamedZip
from penstock.archives.url_member import UrlMember

__all__ = [
    "Compress",
    "Failure",
    "KeptPlans",
    "MemberReader",
    "OnError",
    "PlannedZip",
    "Planner",
    "Selection",
    "Sources",
    "StreamedZip",
    "UrlMember",
]
