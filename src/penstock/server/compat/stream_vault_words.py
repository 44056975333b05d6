"""Ids, sizes, times and states as StreamVault writes them."""

import re
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from penstock.archives.in_store import Archive
from penstock.jobs import State

_UNITS: Final = ("B", "KB", "MB", "GB", "TB")
_ENDING: Final = re.compile(r"(?:-[0-9a-f]{12})?-(?:small|large)\Z", re.ASCII)
_STATES: Final = {
    State.WAITING: "waiting",
    State.RUNNING: "active",
    State.DONE: "completed",
    State.FAILED: "failed",
    State.CANCELLED: "failed",
}


def job_id(s3_key: str, lane: str, *distinct: str) -> str:
    """The id of the job for a folder; ``distinct`` stands in it where another has the plain one."""
    return "-".join((_plain(s3_key), *distinct, lane))


def s3_key_of(identity: str, prefix: str) -> str:
    """The name that the folder ``prefix`` was asked for by: with slashes around it or without."""
    folder = prefix.rstrip("/")
    names = (folder, f"{folder}/", f"/{folder}", f"/{folder}/")
    plain = _ENDING.sub("", identity)
    return next((name for name in names if _plain(name) == plain), prefix)


def _plain(s3_key: str) -> str:
    """With ``_`` for all but ASCII letters and digits: two for a character beyond U+FFFF, as
    JavaScript counts."""
    return re.sub("[^a-zA-Z0-9]", lambda match: "_" * (1 + (match[0] > "\uffff")), s3_key)


def readable(size: int) -> str:
    """Bytes in the largest unit that makes one at least, with two decimals."""
    unit = min(max(size.bit_length() - 1, 0) // 10, len(_UNITS) - 1)
    value = Decimal(size) / (1 << 10 * unit)
    return f"{value.quantize(Decimal('0.01'), ROUND_HALF_UP)} {_UNITS[unit]}"


def moment(seconds: float) -> str:
    """A time in the American way, by the server's clock and time zone."""
    return datetime.fromtimestamp(seconds).strftime("%m/%d/%Y %I:%M:%S %p")


def state_of(archive: Archive) -> str:
    """Where the job is in its life; there is no word for one that was cancelled."""
    if archive.state is State.WAITING and archive.next_try is not None:
        return "delayed"
    return _STATES[archive.state]


def progress_of(archive: Archive) -> int:
    """In percent of the bytes; 100 when it is done."""
    if archive.state is State.DONE:
        return 100
    return min(99, 100 * archive.done // archive.size) if archive.size else 0


def fail_reason_of(archive: Archive) -> str | None:
    """Why there is no archive, if there will be none."""
    if archive.state is State.CANCELLED:
        return "the job was cancelled"
    if archive.state is not State.FAILED or archive.error is None:
        return None
    return str(archive.error["detail"])
