"""safe_name: what comes out can be written anywhere and leads nobody astray."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.zipstream import safe_name
from penstock.zipstream.names import NAME_LIMIT, fold, numbered
from tests.zipstream.strategies import any_name

FORBIDDEN = set('<>:"|?*\\\0')
DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"
}
BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def faults(name: str) -> list[str]:
    """What an extractor could stumble over, found without the code under test."""
    segments = name.removesuffix("/").split("/")
    checks = {
        "cannot be encoded": any(0xD800 <= ord(c) <= 0xDFFF for c in name),
        "not in normal form C": unicodedata.normalize("NFC", name) != name,
        "forbidden character": bool(FORBIDDEN & set(name)),
        "control character": any(unicodedata.category(c) in {"Cc", "Zl", "Zp"} for c in name),
        "changes direction": any(unicodedata.bidirectional(c) in BIDI for c in name),
        "too long": len(name.encode(errors="replace")) > 65_535,
        "empty or dot segment": any(s in {"", ".", ".."} for s in segments),
        "segment too long": any(len(s.encode(errors="replace")) > 255 for s in segments),
        "dot or space at the end": any(s[-1:] in {".", " "} for s in segments),
        "device": any(s.partition(".")[0].rstrip().upper() in DEVICES for s in segments),
    }
    return [fault for fault, present in checks.items() if present]


@given(any_name)
def test_a_safe_name_has_no_faults(raw: str) -> None:
    assert faults(safe_name(raw)) == []


@given(any_name)
def test_making_a_safe_name_safe_changes_nothing(raw: str) -> None:
    once = safe_name(raw)

    assert safe_name(once) == once


@given(any_name, st.integers(2, 10**9))
def test_a_numbered_name_is_safe_and_another(raw: str, number: int) -> None:
    name = safe_name(raw)

    other = numbered(name, number)

    assert safe_name(other) == other
    assert fold(other) != fold(name)


@given(
    st.from_regex(
        re.compile(r"[a-z0-9_-]{1,20}(/[a-z0-9_-]{1,20}){0,3}/?", re.ASCII), fullmatch=True
    )
)
@example("IMG_0001 (copy).final.jpeg")
@example("con_/console/nulls/company1")
@example("日本語/naïve café.txt")
@example("👩\u200d👩\u200d👧.png")
@example("$HOME/~/-rf/a'b&c;d=e@f#g!h%41^i{j}[k]`l,m+n")
@example(".hidden/.well-known/.x")
@example(" leading space")
@example("x" * 251 + ".txt")
def test_a_harmless_name_is_kept(name: str) -> None:
    if not faults(name):
        assert safe_name(name) == name


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("", "_"),
        ("/", "_"),
        ("..", "_"),
        ("../../../", "_"),
        ("/etc/passwd", "etc/passwd"),
        ("../../escape", "escape"),
        ("a/./b/../c", "a/b/c"),
        ("a//b", "a/b"),
        ("a/b/", "a/b/"),
        ("..\\evil.txt", ".._evil.txt"),
        ("C:\\x.dll", "C__x.dll"),
        ("C:/x.dll", "C_/x.dll"),
        ("a:b", "a_b"),
        ('<>:"|?*', "_______"),
        ("nul\0byte\r\n\x7f\x85", "nulbyte"),
        ("evil\u202egpj.exe", "evilgpj.exe"),
        ("\ufeffbom", "bom"),
        ("e\u200e\u0301", "é"),
        ("cafe\u0301", "café"),
        ("lone\udc80", "lone_"),
        ("trailing. . ", "trailing"),
        ("dir. /x", "dir/x"),
        ("...", "_"),
        ("CON", "CON_"),
        ("con.txt", "con_.txt"),
        ("a/Com1.tar.gz", "a/Com1_.tar.gz"),
        ("nul .txt", "nul_ .txt"),
        ("LPT²", "LPT²_"),
        ("conin$", "conin$_"),
        ("console", "console"),
        ("com", "com"),
        ("com10", "com10"),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
        ("x" * 300 + ".tar.gz", "x" * 248 + ".tar.gz"),
        ("ü" * 200 + ".jpeg", "ü" * 125 + ".jpeg"),
        ("日" * 100, "日" * 85),
        ("x." + "y" * 300, "x." + "y" * 253),
        ("con" + " " * 300 + "x", "con_"),
        (" " * 300 + "x", "_"),
    ],
)
def test_what_becomes_of(raw: str, safe: str) -> None:
    assert safe_name(raw) == safe


def test_an_endless_path_loses_the_folders_next_to_its_leaf() -> None:
    raw = "f" * 99 + "/" + ("d" * 99 + "/") * 1000 + "leaf.txt"

    name = safe_name(raw)

    assert len(name) <= NAME_LIMIT < len(name) + 101
    assert name.startswith("f" * 99 + "/d")
    assert name.endswith("d/leaf.txt")


@pytest.mark.parametrize(
    ("name", "given_name"),
    [
        ("a.txt", "a (2).txt"),
        ("a/b.c/d", "a/b.c/d (2)"),
        ("a.tar.gz", "a (2).tar.gz"),
        ("v1.0/", "v1.0 (2)/"),
        (".bashrc", ".bashrc (2)"),
        ("Mr. Smith", "Mr. Smith (2)"),
        ("x" * 255, "x" * 251 + " (2)"),
        ("x" * 251 + ".txt", "x" * 247 + " (2).txt"),
        ("日" * 85, "日" * 83 + " (2)"),
    ],
)
def test_where_the_number_goes(name: str, given_name: str) -> None:
    assert numbered(name, 2) == given_name
