"""Writes the pages of docs/reference/ that are made of the program itself: ``make reference``."""

import sys
from pathlib import Path
from typing import Final

from tools.commands_page import commands_page
from tools.settings_page import settings_page

FOLDER: Final = Path(__file__).parent.parent / "docs" / "reference"


def pages() -> dict[Path, str]:
    """Each page and what is to stand in it."""
    return {
        FOLDER / "settings.md": settings_page(),
        FOLDER / "commands.md": commands_page(),
    }


def main() -> int:
    """Write them."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
