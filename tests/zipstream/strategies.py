"""Names, entries and archives for hypothesis to choose from."""

from dataclasses import replace

from hypothesis import strategies as st

from penstock.zipstream import Entry
from tests.zipstream.corpus import Corpus, File

FRAGMENTS = (
    "/", "//", ".", "..", " ", "\\", ":", "C:", "CON", "con", "nul.", "com1", "lpt³", "aux ", "$",
    "conout$", ".txt", ".tar.gz", "a", "é", "e\u0301", "\u0338", "<", "=", "日本", "\0", "\n",
    "\x85", "\u202e", "\u200d", "\ufeff", "\ud800", "\udcff", "👩", "x" * 254, "ü" * 130, "ẞ", "ß",
    "İ", "K", " (2)",
)  # fmt: skip
any_name = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join),
)
few_names = st.lists(
    st.sampled_from(["a", "A", "b", "a (2)", "a (3)", "x", "é", "e\u0301"]), min_size=1
)
paths = st.builds(
    lambda segments, slash: "/".join(segments) + slash,
    few_names.map(lambda names: names[:4]),
    st.sampled_from(["", "", "", "/"]),
)
contents = st.one_of(st.binary(max_size=40), st.integers(0, 100_000))
corpora = st.lists(st.builds(File, any_name, contents), max_size=12).map(
    lambda files: Corpus([f if f.size else replace(f, content=b"") for f in files])
)
entries = st.builds(
    lambda name, size, crc32, modified, token: Entry(
        name, size, crc32 if size else 0, modified, token
    ),
    any_name,
    st.integers(0, 1 << 33),
    st.integers(0, (1 << 32) - 1),
    st.integers(-(1 << 63), (1 << 63) - 1),
    st.integers(0, (1 << 64) - 1),
)
