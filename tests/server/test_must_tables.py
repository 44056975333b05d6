"""The tables of what the protocols ask for name tests that exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent
DOCS = TESTS.parents[1] / "docs" / "reference"
TABLES = ["tus.md", "resumable-uploads.md"]

_HEADER = ["requirement", "answer", "test"]
_NAME = re.compile(r"`(test_\w+)`")


class Row(NamedTuple):
    """One requirement."""

    requirement: str
    answer: str
    tests: str


def rows(page: str) -> Iterator[Row]:
    """The rows of the page's table of requirements, without the headings between them."""
    inside = False
    for line in (DOCS / page).read_text().splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)][1:-1]
        if cells == _HEADER:
            inside = True
        elif not cells:
            inside = False
        elif inside and set(line) - set("|- ") and not re.fullmatch(r"\*\*.+\*\*", cells[0]):
            yield Row(*cells)


def existing() -> set[str]:
    """The names of the tests of this folder."""
    found = set()
    for file in TESTS.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.add(node.name)
    return found


@pytest.mark.parametrize("page", TABLES)
def test_every_test_that_is_named_exists(page: str) -> None:
    named = {name for row in rows(page) for name in _NAME.findall(row.tests)}

    assert named
    assert named - existing() == set()


@pytest.mark.parametrize("page", TABLES)
def test_nothing_but_tests_stands_in_the_column_of_tests(page: str) -> None:
    wrong = [row.tests for row in rows(page) if _NAME.sub("", row.tests).strip(", ")]

    assert wrong == []


@pytest.mark.parametrize("page", TABLES)
def test_every_must_has_an_answer_and_a_test(page: str) -> None:
    musts = [row for row in rows(page) if "MUST" in row.requirement]
    bare = [row.requirement for row in musts if not (row.answer and _NAME.search(row.tests))]

    assert len(musts) > 20
    assert bare == []
