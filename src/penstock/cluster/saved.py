"""What the holder of the duty for a cluster leaves in the catalog, for the others to read."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Saved:
    """How far the scrubs are, by node; how many parts have too few copies, and of how many of those
    no copy can be had, as the last look at all parts found them."""

    scrubs: Mapping[str, str] = field(default_factory=dict)
    short: int = 0
    lost: int = 0

    @classmethod
    def of(cls, text: str) -> Self:
        """What another process saved, as far as it is understood."""
        try:
            document = json.loads(text)
        except ValueError:
            return cls()
        if not isinstance(document, dict):
            return cls()
        scrubs = document.get("scrubs")
        told = scrubs if isinstance(scrubs, dict) else {}
        return cls(
            {str(node): str(name) for node, name in told.items()},
            _count(document.get("short")),
            _count(document.get("lost")),
        )

    def text(self) -> str:
        """As the catalog keeps it."""
        return json.dumps(asdict(self))


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
