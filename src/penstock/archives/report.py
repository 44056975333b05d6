"""The report at the end of a ZIP from which members had to be left out."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from penstock.archives.planned import Failure

NAMES = ("_download_errors.txt", "_ALL_DOWNLOADS_FAILED.txt")
"""Of the report, and of what stands beside it if no member could be had."""

_NOTHING = "ERROR: All file downloads failed. Please check _download_errors.txt for details.\n"
_HEAD = """\
Download Error Report
=====================
Generated: {now}

Total requested: {total}
Successful: {successful}
Failed: {failed}

Failed files:
"""


def report_texts(failures: Sequence[Failure], total: int) -> Iterator[str]:
    """What goes into the entries of ``NAMES``, in their order; nothing if nothing failed."""
    if not failures:
        return
    head = _HEAD.format(
        now=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        total=total,
        successful=total - len(failures),
        failed=len(failures),
    )
    yield head + "".join(f"  - {_line(f.name)}: {_line(f.reason)}\n" for f in failures)
    if len(failures) == total:
        yield _NOTHING


def _line(text: str) -> str:
    """Without what would break the line, or cannot be written: names come from anybody."""
    return "".join(character if character.isprintable() else "_" for character in text)
