"""How wrong a file is."""

from pathlib import Path

import pytest

from bench.corpus import wrong_bytes

RIGHT = bytes(range(256)) * 8200  # more than two pieces of 1 MiB


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (RIGHT, 0),
        (b"", len(RIGHT)),
        (RIGHT[:-1], 1),
        (RIGHT + b"xyz", 3),
        (b"\xff" + RIGHT[1:-2] + b"\x00\x00", 3),
        (RIGHT[1:] + b"\x00", len(RIGHT)),
    ],
    ids=["equal", "empty", "short", "long", "both ends", "moved"],
)
def test_every_byte_that_differs_or_is_missing_counts(
    tmp_path: Path, found: bytes, wrong: int
) -> None:
    (tmp_path / "right").write_bytes(RIGHT)
    (tmp_path / "found").write_bytes(found)

    assert wrong_bytes(tmp_path / "found", tmp_path / "right") == wrong
