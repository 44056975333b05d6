"""Which readers open which ZIPs: tries them all and writes docs/reference/zip-readers.md.

``python -m tests.zipstream.matrix > docs/reference/zip-readers.md``; test_matrix.py holds that
document against the readers that are installed.
"""

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.zipstream.corpus import Corpus, Way, corpus
from tests.zipstream.readers import ALL_READERS, Refused

DOCUMENT = Path(__file__).parents[2] / "docs" / "reference" / "zip-readers.md"
OPENS = "opens"
ABSENT = "not tried"

SMALL_CASES = ("no members", *(f"{way}: {what}" for way in Way for what in ("files", "names")))
LARGE_CASES = (f"{Way.FRAMED}: past 4 GiB",)
_CORPORA = {"files": "various files", "names": "hostile names", "past 4 GiB": "4 GiB"}

_TEXT = """\
# Who opens our ZIPs

Look up which programs open the ZIPs that Penstock makes, from a file and from a pipe. Written by
`python -m tests.zipstream.matrix`; the tests hold it against the readers they find.

| layout | when | length, ETag and Range |
|---|---|---|
| stored | size and CRC-32 are known beforehand | yes |
| in stored blocks | the size is known, the CRC-32 follows the member | yes |
| deflated, numbers in front | a member small enough to be deflated before it is sent | no |
| deflated, numbers behind | any other that is deflated or of unknown size | no |

A *file* case holds members of 0 to 300,000 bytes, around the length of a stored block too, of text
and of noise. A *names* case holds folders, empty members and names that were hostile before the
plan made them safe. A reader opens an archive if it finds every member, with its name, and does not
complain about any; unzip calls one without members empty, which is a warning.

{table}

What the layouts rest on:

* A stored member whose CRC-32 follows it is refused by Java's ZipInputStream, by stream-unzip and
  by busybox from a pipe. It is never written; the stored blocks of a deflate stream take its place.
* busybox reads no ZIP64, so no member or archive past 4 GiB, and from a pipe no member whose
  numbers follow it.
* A member in stored blocks that takes more than 4,294,967,295 bytes has the ZIP64 extra in its
  local header, with zeros, and lengths of 8 bytes behind it. Without the extra bsdtar takes the
  upper half of a length for the next one when it reads from a pipe.
* A deflated member of unknown size has no such extra, because Java's ZipInputStream (17) would then
  misread it unless it is that long. So one past 4 GiB does not open in bsdtar from a pipe.
* unzip 6.00 misreads what follows a member that takes exactly 4,294,967,295 bytes.
"""


def case_corpus(case: str) -> Corpus:
    """What the case is about, written its way."""
    if case == "no members":
        return corpus("nothing")
    way, what = case.split(": ")
    return corpus(_CORPORA[what], Way(way))


def outcome(reader: str, case: str, archive: Path) -> str:
    """`OPENS`, or the reader's reason not to. Skips the running test if the reader is absent."""
    try:
        ALL_READERS[reader](archive, case_corpus(case))
    except Refused as refused:
        return f"does not open: {_gist(str(refused))}"
    return OPENS


@cache
def documented() -> dict[tuple[str, str], str]:
    """What the document says, by reader and case."""
    rows = [_cells(line) for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
    at = next(i for i, row in enumerate(rows) if row[1:] == list(ALL_READERS))
    return {
        (reader, row[0]): cell
        for row in rows[at + 1 :]
        if row[0] != "---"
        for reader, cell in zip(ALL_READERS, row[1:], strict=True)
    }


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _gist(words: str) -> str:
    """The last line of what a program said, without the archive's path."""
    line = words.strip().splitlines()[-1]
    return re.sub(r"\S*/\S+\.zip", "the archive", line).replace("|", "/")


def _table() -> Iterator[str]:
    yield _row("", ALL_READERS)
    yield _row("---", ("---" for _ in ALL_READERS))
    for case in SMALL_CASES + LARGE_CASES:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "archive.zip"
            case_corpus(case).write(archive)
            yield _row(case, (_tried(reader, case, archive) for reader in ALL_READERS))


def _tried(reader: str, case: str, archive: Path) -> str:
    try:
        return outcome(reader, case, archive)
    except pytest.skip.Exception:
        return ABSENT


def _row(first: str, rest: Iterable[str]) -> str:
    return f"| {' | '.join((first, *rest))} |"


if __name__ == "__main__":
    sys.stdout.write(_TEXT.format(table="\n".join(_table())))
