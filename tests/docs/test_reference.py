"""What the pages say of the code is what the code says."""

import re
from pathlib import Path

import pytest

from tests.docs.house import PICTURE, drawn, floors
from tests.docs.pages import DOCS, ROOT
from tests.docs.tables import TABLES, around, shown

_RELIABILITY = DOCS / "explanation" / "reliability.md"
_ARCHITECTURE = DOCS / "explanation" / "architecture.md"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_what_the_code_knows(name: str) -> None:
    page, table = TABLES[name]

    _, written, _ = around(name, page.read_text())

    assert written == shown(table), "python -m tests.docs.tables writes it anew"


def test_the_picture_of_the_house_is_the_contract_of_its_rooms() -> None:
    assert PICTURE.read_text() == drawn(), "python -m tests.docs.house draws it anew"


def test_the_list_of_rooms_has_every_room() -> None:
    rooms = {room for floor in floors() for room in floor}

    listed = set(re.findall(r"^  (\w+)(?:/|\.py)", _ARCHITECTURE.read_text(), re.MULTILINE))

    assert rooms - listed == set()


def test_each_promise_names_tests_that_exist() -> None:
    named = set(re.findall(r"`(test_\w+)`", _RELIABILITY.read_text()))
    files = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    existing = {found for text in files for found in re.findall(r"def (test_\w+)", text)}

    assert len(named) > 20
    assert named - existing == set()


def test_every_promise_has_a_test() -> None:
    rows = [line for line in _RELIABILITY.read_text().splitlines() if line.startswith("| ")][2:]
    promises = [row for row in rows if not set(row) <= set("|- ")]

    assert [row for row in promises if not re.search(r"`test_\w+`", row)] == []


def test_no_page_names_a_page_that_has_moved() -> None:
    old = re.compile(r"docs/(?!how-to|tutorial|reference|explanation)\w+\.md")
    texts: list[Path] = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]
    texts += [path for room in ("src", "tests", "bench") for path in (ROOT / room).rglob("*.py")]

    assert [str(path) for path in texts if old.search(path.read_text())] == []
