"""The ZIP format, without any I/O: from a list of entries to exact size, ETag and bytes.

A `Plan` says what to send; whoever sends it fetches the members' bytes from wherever they are.
Where a CRC-32 is not known beforehand a `Framer` wraps the bytes and `Learned` keeps what comes
out; where sizes are not known, or members are deflated, a `ZipWriter` writes the records.
`iter_zip` and `aiter_zip` do all of that for whoever has a function that reads.
"""

from penstock.zipstream.bodies import aiter_zip, iter_zip, zip_headers
from penstock.zipstream.builder import PlanBuilder, plan_zip
from penstock.zipstream.deflate import Engine
from penstock.zipstream.entry import Entry, Layout, Member, Rename, Segment
from penstock.zipstream.framer import Framer
from penstock.zipstream.learned import Learned
from penstock.zipstream.names import safe_name
from penstock.zipstream.plan import Plan
from penstock.zipstream.writer import ZipWriter

__all__ = [
    "Engine",
    "Entry",
    "Framer",
    "Layout",
    "Learned",
    "Member",
    "Plan",
    "PlanBuilder",
    "Rename",
    "Segment",
    "ZipWriter",
    "aiter_zip",
    "iter_zip",
    "plan_zip",
    "safe_name",
    "zip_headers",
]
