"""What a share gives: one file, or many as a ZIP."""

from penstock.access.shares import Share
from penstock.archives import Selection


def is_file(selection: Selection) -> bool:
    """Whether one file is shared as it is, not a ZIP."""
    return len(selection.keys) == 1 and not selection.prefixes


def is_zip(share: Share) -> bool:
    """Whether many files are shared, as a ZIP that is made while it is sent."""
    return share.kind == "download" and not is_file(Selection.from_json(share.spec))
