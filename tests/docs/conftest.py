"""What the tests of documents share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    absent = [program for program in ("bash", "curl", "jq") if not shutil.which(program)]
    if absent:
        pytest.skip(f"commands of the documents need {', '.join(absent)}")
    stage = Stage(tmp_path)
    yield stage
    stage.close()
