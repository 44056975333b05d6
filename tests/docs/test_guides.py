"""Every command and program in the guides is run as it stands there, as in test_commands.py."""

from pathlib import Path

import pytest

from tests.docs.pages import GUIDES, commands, name
from tests.docs.stage import SECONDS, Stage, perform

PAGES = [page for page in sorted(GUIDES.rglob("*.md")) if commands(page)]


@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("page", PAGES, ids=name)
def test_the_commands_of_a_guide_work(page: Path, stage: Stage) -> None:
    perform(page, stage)
