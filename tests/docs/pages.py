"""The documents and what stands in their fences."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUIDES = DOCS / "how-to"

NOT_RUN = "not run"
NOT_CHECKED = "not checked"
BACKGROUND = "background"
_MARKERS = (NOT_RUN, NOT_CHECKED, BACKGROUND)

_RUNNABLE = ("sh", "python")

_FENCE = re.compile(r"(?P<indent> *)(?P<ticks>`{3,})(?P<language>\w*) *")
_MARKER = re.compile(rf" *<!-- (?P<name>{'|'.join(_MARKERS)}): *(?P<text>.*?) *-->")


class Block(NamedTuple):
    """A fence of a page. ``marker`` stands on the line before it: ``<!-- not run: reason -->``,
    ``<!-- not checked: reason -->``, or ``<!-- background: what it prints when it is ready -->``.
    """

    language: str
    text: str
    line: int
    marker: str = ""
    said: str = ""


def documents() -> list[Path]:
    """README, CONTRIBUTING and every page of the site."""
    pages = sorted(DOCS.rglob("*.md"))
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *pages]


def name(page: Path) -> str:
    """A page as people know it, for the names of tests."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """The fences of a page, in order."""
    lines = iter(enumerate(page.read_text().splitlines(), 1))
    before = ""
    for number, line in lines:
        if opened := _FENCE.fullmatch(line):
            inside = _until(lines, opened)
            marker = _MARKER.fullmatch(before)
            found = (marker["name"], marker["text"]) if marker else ("", "")
            yield Block(opened["language"], inside, number, *found)
        before = line


def commands(page: Path) -> list[Block]:
    """The fences of a page that can be run."""
    return [block for block in blocks(page) if block.language in _RUNNABLE]


def _until(lines: Iterator[tuple[int, str]], opened: re.Match[str]) -> str:
    inside: list[str] = []
    for _, line in lines:
        if line.strip() == opened["ticks"]:
            return "".join(f"{line}\n" for line in inside)
        inside.append(line.removeprefix(opened["indent"]))
    raise AssertionError("a fence is not closed")
