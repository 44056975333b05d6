"""docs/reference/zip-readers.md says what the readers do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.zipstream.matrix import LARGE_CASES, SMALL_CASES, case_corpus, documented, outcome
from tests.zipstream.readers import ALL_READERS


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The archives made so far, by case."""
    made: dict[str, Path] = {}
    yield made
    for archive in made.values():
        archive.unlink()


@pytest.fixture
def archive(case: str, archives: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    if case not in archives:
        archives[case] = tmp_path_factory.mktemp("matrix") / "archive.zip"
        case_corpus(case).write(archives[case])
    return archives[case]


@pytest.mark.parametrize("reader", ALL_READERS)
@pytest.mark.parametrize("case", SMALL_CASES)
def test_a_reader_does_as_documented(reader: str, case: str, archive: Path) -> None:
    assert outcome(reader, case, archive) == documented()[reader, case]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("reader", ALL_READERS)
@pytest.mark.parametrize("case", LARGE_CASES)
def test_a_reader_does_as_documented_past_4_gib(reader: str, case: str, archive: Path) -> None:
    assert archive.stat().st_blocks * 512 < 1 << 30, "the holes were filled"

    assert outcome(reader, case, archive) == documented()[reader, case]


def test_every_case_is_documented() -> None:
    cells = {(reader, case) for reader in ALL_READERS for case in SMALL_CASES + LARGE_CASES}

    assert set(documented()) == cells


def test_the_layout_with_everything_in_front_opens_in_every_reader() -> None:
    stored = {cell for (_, case), cell in documented().items() if case.startswith("stored: ")}

    assert stored == {"opens"}
