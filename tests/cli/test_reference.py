"""The pages of the reference that are made of the program say what the program does."""

from pathlib import Path

import pytest

from penstock.settings import Settings
from tools.reference import pages


@pytest.mark.parametrize("page", ["settings.md", "commands.md"])
def test_the_page_is_up_to_date(page: str) -> None:
    (path,) = (path for path in pages() if path.name == page)

    assert path.read_text() == pages()[path], "run make reference"


def test_every_setting_is_on_the_page() -> None:
    text = next(text for path, text in pages().items() if path.name == "settings.md")

    assert [name for name in Settings.model_fields if f"| `{name}`<br>" not in text] == []


def test_no_page_names_a_place_on_this_machine() -> None:
    for text in pages().values():
        assert str(Path.home()) not in text
