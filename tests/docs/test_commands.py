"""Every command and program in the documents is run as it stands there.

The blocks of a page run in order in one shell, on a server of their own. What cannot run here says
why in the page's source; that is counted and skipped.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import NOT_RUN, Block, blocks, documents, name
from tests.docs.stage import Failed, Stage

_LANGUAGES = ("sh", "python")


def _of(page: Path) -> list[Block]:
    return [block for block in blocks(page) if block.language in _LANGUAGES]


PAGES = [page for page in documents() if _of(page)]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    absent = [program for program in ("bash", "curl", "jq") if not shutil.which(program)]
    if absent:
        pytest.skip(f"commands of the documents need {', '.join(absent)}")
    stage = Stage(tmp_path)
    yield stage
    stage.close()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_commands_of_a_page_work(page: Path, stage: Stage) -> None:
    run = [block for block in _of(page) if block.marker != NOT_RUN]
    if not run:
        reasons = {block.said for block in _of(page)}
        pytest.skip(f"{name(page)}: none of {len(_of(page))} blocks: {'; '.join(sorted(reasons))}")

    printed = stage.run(run)

    assert printed.count("@@ line ") == len(run)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_is_not_run_says_why(page: Path) -> None:
    left_out = [block for block in _of(page) if block.marker == NOT_RUN]

    assert [block.line for block in left_out if len(block.said) < 8] == []
    if left_out:
        told = "; ".join(f"line {block.line}: {block.said}" for block in left_out)
        pytest.skip(f"{name(page)}: {len(left_out)} blocks are not run: {told}")


def test_a_command_that_fails_is_noticed(stage: Stage) -> None:
    missing = Block("sh", "curl http://127.0.0.1:8080/v1/files/nothing\necho later\n", 1)

    with pytest.raises(Failed, match="404") as failed:
        stage.run([missing])

    assert "later" not in str(failed.value)
