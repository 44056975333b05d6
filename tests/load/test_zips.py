"""A ZIP is held against what should be in it."""

import hashlib
import io
import zipfile

import pytest

from load import zips
from load.wire import Wrong

CONTENT = {"a.txt": b"a" * 1000, "b.bin": bytes(range(256)) * 4}
WANTED = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


def zipped(content: dict[str, bytes]) -> io.BytesIO:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    file.seek(0)
    return file


def check(file: io.BytesIO) -> int:
    return zips.check(file, WANTED)


def test_a_right_zip_passes_and_its_bytes_are_counted() -> None:
    assert check(zipped(CONTENT)) == 2024


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"a.txt": CONTENT["a.txt"]}, "the ZIP has"),
        ({**CONTENT, "_download_errors.txt": b"one"}, "_download_errors.txt"),
        ({**CONTENT, "b.bin": b"other"}, "b.bin in the ZIP: SHA-256"),
    ],
)
def test_what_is_missing_too_many_or_another_is_found(content: dict[str, bytes], said: str) -> None:
    with pytest.raises(Wrong, match=said):
        check(zipped(content))


def test_a_zip_that_was_cut_off_is_none() -> None:
    whole = zipped(CONTENT).getvalue()

    with pytest.raises(Wrong, match="no ZIP"):
        check(io.BytesIO(whole[:-30]))


def test_a_byte_that_was_changed_on_the_way_is_found() -> None:
    whole = bytearray(zipped(CONTENT).getvalue())
    whole[whole.index(b"aaaa")] ^= 1

    with pytest.raises(Wrong):
        check(io.BytesIO(bytes(whole)))
