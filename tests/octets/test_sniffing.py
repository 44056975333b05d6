"""The first bytes of a file tell its media type, and its name where they leave it open."""

import os
import random
import shutil
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.octets.media_types import type_by_name
from penstock.octets.sniffing import FIRST, content_type_of_bytes
from penstock.server.media import disposition_of
from tests import samples

DOCUMENT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
# What browsers are let show, begins as, or is taken for by those who look for HTML anywhere.
PAGES = [
    samples.HTML,
    samples.SVG,
    b"<script>alert(1)</script>",
    b"\n\t <ScRiPt src=//a>",
    b"\xef\xbb\xbf<html>",
    b"<!-- a --><!-- b -->\n<body onload=a()>",
    b"<!-- a comment that does not end here",
    b"<!-- a --> b <script>",
    b"\xef\xbb\xbf<html>\xff",
    b"<html",
    b" " * (FIRST - 3) + b"<html>",
    b"<p>a",
    b"<img src=a onerror=b()>",
    b"<iframe src=javascript:a()>",
    "<html><title>Жук</title>".encode("cp1251"),
    b"<html>\0<script>",
    "\ufeff<html>".encode("utf-16-le"),
    b"<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN'>",
    b'<?xml version="1.0"?>\n<html xmlns="http://www.w3.org/1999/xhtml"/>',
    b'<?xml version="1.0"?><!-- a --><svg:svg/>',
    b'<?xml version="1.0"?><?xml-stylesheet href="a.xsl"?><a/>',
    b'<?xml version="1.0" standalone="yes"',
    b" " * (FIRST - 60) + b"<html>" + b" " * 100,
]  # fmt: skip


@pytest.mark.parametrize("media_type", samples.BINARY)
@pytest.mark.parametrize("name", ["", "upload", "a/1234.tmp", "notes.txt", "page.html"])
def test_a_binary_file_is_known_whatever_its_name(media_type: str, name: str) -> None:
    shown = content_type_of_bytes(samples.BINARY[media_type], name)

    # An MP3 file shows so little that another name is believed.
    by_name = {"notes.txt": "text/plain", "page.html": "text/html"}.get(name)
    assert shown == (by_name if media_type == "audio/mpeg" and by_name else media_type)


@pytest.mark.parametrize(
    ("data", "name", "media_type"),
    [
        (samples.zipped("a"), "a.docx", DOCUMENT),
        (samples.zipped("a"), "a.jar", "application/java-archive"),
        (samples.zipped("a"), "a.usdz", "model/vnd.usdz+zip"),
        (samples.zipped("a"), "a.csv", "application/zip"),
        (samples.zipped("a"), "a.pdf", "application/zip"),
        (samples.zipped("word/a.txt"), "words.zip", "application/zip"),
        (samples.zipped("word/a.txt"), "words.docx", DOCUMENT),
        (samples.OLE_START, "a.doc", "application/msword"),
        (samples.OLE_START, "a.xls", "application/vnd.ms-excel"),
        (samples.OLE_START, "a", "application/x-ole-storage"),
        (samples.OLE_START, "a.png", "application/x-ole-storage"),
        (samples.M4A_START, "a.m4a", "audio/mp4"),
        (samples.OGG_START, "a.ogv", "video/ogg"),
        (samples.OGG_START, "a.opus", "audio/opus"),
        (samples.MP4_START, "a.txt", "video/mp4"),
        (samples.BINARY["application/gzip"], "a.tar.gz", "application/gzip"),
        (samples.BINARY["application/gzip"], "a.png", "application/gzip"),
        (samples.PNG, "a.svg", "image/png"),
    ],
)
def test_what_a_container_holds_is_told_by_the_name(
    data: bytes, name: str, media_type: str
) -> None:
    assert content_type_of_bytes(data, name) == media_type


@pytest.mark.parametrize(
    ("data", "name", "media_type"),
    [
        (b"hello\n", "upload", "text/plain"),
        ("Grüße, Жук, 漢字\r\n".encode(), "upload", "text/plain"),
        ("\ufeffGrüße".encode("utf-16-le"), "upload", "text/plain"),
        ("\ufeffGrüße".encode("utf-16-be"), "upload", "text/plain"),
        (b"\x1b[31mred\x1b[0m\n", "build.log", "text/plain"),
        (b"a,b\n1,2\n", "a.csv", "text/csv"),
        (b"a,b\n1,2\n", "a", "text/plain"),
        (b'{"a": [1, 2]}\n', "a.json", "application/json"),
        (b"[1, 2]", "a", "text/plain"),
        (b"# A\n", "README.md", "text/markdown"),
        (b"<h1 align=center>A</h1>\n\nB\n", "README.md", "text/markdown"),
        (b"a = 1\n", "a.toml", "application/toml"),
        (b"let a = 1;\n", "a.js", "text/javascript"),
        (b"a {}\n", "a.css", "text/css"),
        (b"A fragment", "a.html", "text/html"),
        (b"if a < b:\n", "a.png", "text/plain"),
        (b"<note/>", "a.xml", "text/xml"),
        (b"<note/>", "a", "text/plain"),
        (b'<?xml version="1.0"?><gpx/>', "a", "text/xml"),
        (b'<?xml version="1.0"?><COLLADA/>', "a.xhtml", "application/xhtml+xml"),
        (samples.HTML, "a", "text/html"),
        (samples.SVG, "a", "image/svg+xml"),
        (b"<!-- a -->\n" + samples.SVG, "a", "image/svg+xml"),
        (b'<?xml version="1.0"?>\n<!-- a -->\n' + samples.SVG, "a", "image/svg+xml"),
        (b"<!-- " + b"licence " * 999 + b"-->" + samples.SVG, "a.svg", "image/svg+xml"),
        (samples.PDF, "a", "application/pdf"),
        (b"{\\rtf1 a}", "a", "application/rtf"),
        (b"%!PS-Adobe-3.0\n", "a", "application/postscript"),
        (b"%!TEX root = a.tex\n", "a", "text/plain"),
    ],
)
def test_text_is_what_its_name_tells_unless_it_is_a_page(
    data: bytes, name: str, media_type: str
) -> None:
    assert content_type_of_bytes(data, name) == media_type


@pytest.mark.parametrize("start", ["BM", "MZ", "GIF", "ID3", "CWS", "PK", "II", "BZh", "OTTO"])
def test_a_table_is_no_other_format_for_its_first_column(start: str) -> None:
    data = f"{start},name\n1,a\n".encode()

    assert content_type_of_bytes(data, "table.csv") == "text/csv"
    assert content_type_of_bytes(data, "upload") == "text/plain"


@pytest.mark.parametrize("name", ["upload", "a.txt", "a.c", "a.pdf", "a.png", "a.mp4", "a.mp3"])
@pytest.mark.parametrize("page", PAGES)
def test_what_begins_as_a_page_is_never_of_a_type_that_is_shown(page: bytes, name: str) -> None:
    media_type = content_type_of_bytes(page, name)

    assert media_type is not None
    assert disposition_of(media_type) == "attachment"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        bytes(FIRST),
        "Привет, мир".encode("cp1251"),
        b"\xff\xfe\xfa",
        random.Random(1).randbytes(FIRST),
        random.Random(2).randbytes(100),
    ],
)
@pytest.mark.parametrize("name", ["upload", "a.txt", "a.png"])
def test_nothing_is_said_of_bytes_that_show_nothing(data: bytes, name: str) -> None:
    assert content_type_of_bytes(data, name) is None


def test_a_character_may_be_cut_where_the_first_bytes_end() -> None:
    text = ("a" * (FIRST - 1) + "漢字").encode()

    assert content_type_of_bytes(text[:FIRST], "upload") == "text/plain"
    assert content_type_of_bytes(text[:FIRST][-2:], "upload") is None


def test_only_the_first_bytes_count() -> None:
    assert content_type_of_bytes(b"a" * FIRST + bytes(10), "upload") == "text/plain"


@given(st.one_of(st.binary(max_size=300), st.text().map(str.encode)), st.text(max_size=40))
def test_any_bytes_and_any_name_are_answered(data: bytes, name: str) -> None:
    media_type = content_type_of_bytes(data, name)

    assert media_type is None or media_type.count("/") == 1


@given(st.sampled_from(sorted(samples.BINARY)), st.data())
def test_a_file_cut_or_damaged_anywhere_is_answered(media_type: str, draw: st.DataObject) -> None:
    data = bytearray(samples.BINARY[media_type])
    del data[draw.draw(st.integers(0, len(data))) :]
    for at in draw.draw(st.lists(st.integers(0, max(len(data) - 1, 0)), max_size=4)):
        data[at : at + 1] = b"\xff"

    shown = content_type_of_bytes(data, "upload")

    assert shown is None or "/" in shown


def test_many_comments_cost_no_more_than_their_length() -> None:
    tail = b"<!--" + b"-->" + b"<!---->" * 999

    # The test's own time limit is what would fail: the ways to split comments are exponential.
    assert content_type_of_bytes(tail[:FIRST], "upload") == "text/html"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.PNG", "image/png"),
        ("docs/report.docx", DOCUMENT),
        ("data:text/html,a.csv", "text/csv"),
        ("a.tar.gz", "application/gzip"),
        ("a.b/c", None),
        (".csv", None),
        ("a.bin", None),
        ("a.unheard-of", None),
        ("", None),
    ],
)
def test_a_name_tells_a_type(name: str, media_type: str | None) -> None:
    assert type_by_name(name) == media_type


def test_the_system_has_no_say_in_what_a_name_tells() -> None:
    program = (
        "import mimetypes; mimetypes.init(); mimetypes.add_type('text/x-of-the-system', '.csv');"
        "from penstock.octets.media_types import type_by_name; print(type_by_name('a.csv'))"
    )
    run = [sys.executable, "-c", program]

    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "text/csv\n"


FILES_OWN_WORDS = {
    "application/x-sqlite3": "application/vnd.sqlite3",
    "application/vnd.sqlite3": "application/vnd.sqlite3",
    "video/x-matroska": "video/matroska",
    "audio/x-flac": "audio/flac",
}


@pytest.mark.parametrize("media_type", samples.BINARY)
def test_the_program_file_says_the_same(media_type: str) -> None:
    program = shutil.which("file")
    if program is None:
        pytest.skip("file is not installed")
    run = [program, "-b", "--mime-type", "-"]
    told = subprocess.run(run, input=samples.BINARY[media_type], capture_output=True, check=True)

    said = os.fsdecode(told.stdout).strip()
    assert FILES_OWN_WORDS.get(said, said) == media_type
