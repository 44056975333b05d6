"""Real programs open our ZIPs, from the empty one to those past 4 GiB and 65,535 entries."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.zipstream.corpus import LARGE, SMALL, Corpus, corpus
from tests.zipstream.readers import EXTRACTORS, READERS, need, run


@pytest.fixture
def archive(name: str, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "archive.zip"
    corpus(name).write(path)
    yield path
    path.unlink()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", SMALL)
def test_opens(reader: str, name: str, archive: Path) -> None:
    READERS[reader](archive, corpus(name))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", LARGE)
def test_opens_past_4_gib(reader: str, name: str, archive: Path) -> None:
    assert archive.stat().st_blocks * 512 < 1_000_000, "the holes were filled"

    READERS[reader](archive, corpus(name))


@pytest.mark.parametrize("program", EXTRACTORS)
@pytest.mark.parametrize("name", ["hostile names"])
def test_unpacks_every_member_into_its_folder(
    program: str, name: str, archive: Path, tmp_path: Path
) -> None:
    need(program)
    folder = tmp_path / "unpacked" / "here"
    folder.mkdir(parents=True)

    run(*EXTRACTORS[program](archive, folder))

    assert _tree(tmp_path / "unpacked") == _expected(corpus(name))


def _tree(root: Path) -> dict[str, bytes]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def _expected(zipped: Corpus) -> dict[str, bytes]:
    return {
        f"here/{zipped.plan.name(i)}": file.read(0, file.size)
        for i, file in enumerate(zipped.files)
        if not zipped.plan.name(i).endswith("/")
    }
