"""Every command and program in the documents is run as it stands there.

The blocks of a page run in order in one shell, on a server of their own. What cannot run here says
why in the page's source; that is counted and skipped. The guides of docs/how-to, half of all, are
in test_guides.py: a file of tests stays in one process, and two files can go side by side.
"""

from pathlib import Path

import pytest

from tests.docs.pages import GUIDES, NOT_RUN, Block, commands, documents, name
from tests.docs.stage import SECONDS, Failed, Stage, perform

PAGES = [page for page in documents() if commands(page)]


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("page", [p for p in PAGES if GUIDES not in p.parents], ids=name)
def test_the_commands_of_a_page_work(page: Path, stage: Stage) -> None:
    perform(page, stage)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_what_is_not_run_says_why(page: Path) -> None:
    left_out = [block for block in commands(page) if block.marker == NOT_RUN]

    assert [block.line for block in left_out if len(block.said) < 8] == []
    if left_out:
        told = "; ".join(f"line {block.line}: {block.said}" for block in left_out)
        pytest.skip(f"{name(page)}: {len(left_out)} blocks are not run: {told}")


def test_a_command_that_fails_is_noticed(stage: Stage) -> None:
    missing = Block("sh", "curl http://127.0.0.1:8080/v1/files/nothing\necho later\n", 1)

    with pytest.raises(Failed, match="404") as failed:
        stage.run([missing])

    assert "later" not in str(failed.value)
