"""What is compressed already is known by its name or its type."""

import mimetypes

import pytest

from penstock.octets.compressible import is_compressed


@pytest.mark.parametrize(
    "name",
    ["photo.jpg", "PHOTO.JPEG", "a/b.tar.gz", "film.mkv", "song.opus", "book.epub", "x.docx"],
)
def test_a_name_says_so(name: str) -> None:
    assert is_compressed(name)


@pytest.mark.parametrize(
    "name",
    [
        "notes.txt", "data.json", "server.log", "main.ts", "mod.mts", "tls.key", "sound.wav",
        "disk.img", "paper.pdf", "README", "zip", ".gz", "photos.zip/list.csv", "a.jpg.txt", "",
    ],
)  # fmt: skip
def test_a_name_does_not_say_so(name: str) -> None:
    assert not is_compressed(name)


@pytest.mark.parametrize(
    "content_type",
    [
        "image/jpeg",
        "IMAGE/PNG",
        "video/mp2t",
        "audio/mpeg; rate=44100",
        "application/zip",
        "application/epub+zip",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ],
)
def test_a_type_says_so(content_type: str) -> None:
    assert is_compressed("upload", content_type)


@pytest.mark.parametrize(
    "content_type",
    [
        None, "", "nonsense", "application/octet-stream", "text/plain; charset=utf-8",
        "image/svg+xml", "image/bmp", "audio/wav", "audio/midi", "application/json",
        "application/vnd.oasis.opendocument.text-flat-xml",
    ],
)  # fmt: skip
def test_a_type_does_not_say_so(content_type: str | None) -> None:
    assert not is_compressed("upload", content_type)


def test_no_text_type_of_the_standard_library_is_taken_for_compressed() -> None:
    texts = [end for end, kind in mimetypes.types_map.items() if kind.startswith("text/")]

    assert [end for end in texts if is_compressed(f"x{end}")] == []
