"""What goes into a ZIP: from a selection of stored files to a planned archive."""

from penstock.archives.planned import PlannedZip, plan_selection
from penstock.archives.selection import Selection

__all__ = ["PlannedZip", "Selection", "plan_selection"]
