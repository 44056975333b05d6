"""Draws the rooms of the house, as the contract of import-linter in pyproject.toml has them.

``python -m tests.docs.house`` writes docs/images/house.svg; test_reference.py holds the picture to
the contract.
"""

import re
import tomllib
from html import escape

from tests.docs.pages import DOCS, ROOT

PICTURE = DOCS / "images" / "house.svg"

_WIDTH, _HEIGHT, _GAP, _MARGIN = 760, 44, 8, 16
_STYLE = """
  text { font: 600 15px system-ui, sans-serif; text-anchor: middle; dominant-baseline: central }
  text { fill: #11211f }
  rect { fill: #dceeec; stroke: #0a5560; rx: 7 }
"""


def floors() -> list[list[str]]:
    """The rooms beside one another, from the roof to the ground."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [layers] = [c["layers"] for c in contracts["contracts"] if c["type"] == "layers"]
    return [[_room(name) for name in layer.split("|")] for layer in layers]


def _room(name: str) -> str:
    return re.sub(r"[() ]", "", name).removeprefix("penstock.")


def drawn() -> str:
    """The picture."""
    rows = floors()
    height = 2 * _MARGIN + len(rows) * (_HEIGHT + _GAP) - _GAP
    shapes = []
    for row, rooms in enumerate(rows):
        width = (_WIDTH - 2 * _MARGIN - _GAP * (len(rooms) - 1)) / len(rooms)
        top = _MARGIN + row * (_HEIGHT + _GAP)
        for column, room in enumerate(rooms):
            left = _MARGIN + column * (width + _GAP)
            shapes.append(
                f'<rect x="{left:g}" y="{top}" width="{width:g}" height="{_HEIGHT}"/>'
                f'<text x="{left + width / 2:g}" y="{top + _HEIGHT / 2:g}">{escape(room)}</text>'
            )
    names = "; ".join(", ".join(rooms) for rooms in rows)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
            f"<title>Rooms from the roof to the ground: {escape(names)}</title>",
            f"<style>{_STYLE}</style>",
            *shapes,
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    PICTURE.write_text(drawn())
