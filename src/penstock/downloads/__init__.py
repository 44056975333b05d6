"""From the headers of a request and what is known of a file to a plan of what to send."""

from penstock.downloads.conditions import (
    RequestFields,
    check_write,
    etag_field,
    http_date,
    named_first,
    precondition_status,
)
from penstock.downloads.plan import Piece, Representation, SendPlan, plan_download

__all__ = [
    "Piece",
    "Representation",
    "RequestFields",
    "SendPlan",
    "check_write",
    "etag_field",
    "http_date",
    "named_first",
    "plan_download",
    "precondition_status",
]
