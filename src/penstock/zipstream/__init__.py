"""The ZIP format, without any I/O: from a list of entries to exact size, ETag and bytes.

A `Plan` says what to send; whoever sends it fetches the members' bytes from wherever they are.
"""

from penstock.zipstream.builder import PlanBuilder, plan_zip
from penstock.zipstream.entry import Entry, Member, Rename, Segment
from penstock.zipstream.names import safe_name
from penstock.zipstream.plan import Plan

__all__ = [
    "Entry",
    "Member",
    "Plan",
    "PlanBuilder",
    "Rename",
    "Segment",
    "plan_zip",
    "safe_name",
]
