"""The report that a server puts at the end of a ZIP from which it left members out."""

import re

from penstock.client.zip_reading import Record, ZipReader

LONGEST = 64 << 20

# If the name is taken by a member it gets a number.
_NAME = re.compile(rb"_download_errors(?: \(\d+\))?\.txt")
_ALL_FAILED = re.compile(rb"_ALL_DOWNLOADS_FAILED(?: \(\d+\))?\.txt")
_HEAD = re.compile(
    r"Download Error Report\n=+\n[^\n]*\n\nTotal requested: \d+\n"
    r"Successful: (?P<successful>\d+)\nFailed: [1-9]\d*\n\nFailed files:\n"
)
_FAILURE = re.compile(r"^  - (.*?): (.*)$", re.MULTILINE)


def report_in(reader: ZipReader) -> tuple[int, list[tuple[str, str]]]:
    """How many members a ZIP has, and each one that was left out with the reason.

    Blocks: for worker threads.

    :raises LookupError: the end of the ZIP that was kept is too short for it.
    """
    reader.walk_on()
    if not reader.last:
        return 0, []
    *before, last = reader.last
    both = bool(before) and _ALL_FAILED.fullmatch(last.name) is not None
    record = before[0] if both else last
    members = reader.entries - (2 if both else 1)
    is_report = _NAME.fullmatch(record.name) and both == (members == 0)
    failures = _failures(reader, record, members) if is_report else []
    return (members if failures else reader.entries), failures


def _failures(reader: ZipReader, record: Record, members: int) -> list[tuple[str, str]]:
    """What the report says, unless it is a member that only looks like one."""
    text = reader.content(record, LONGEST).decode(errors="replace")
    head = _HEAD.match(text)
    if head is None or int(head["successful"]) != members:
        return []
    return _FAILURE.findall(text, head.end()) or [(record.name.decode(), "see this file in it")]
