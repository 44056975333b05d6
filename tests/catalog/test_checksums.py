"""What is remembered of versions of files."""

from sqlalchemy import Engine

from penstock.catalog import SqlChecksums
from penstock.stores.interface import NOTHING_KNOWN, Facts

SHA256 = bytes(range(32))


def test_a_crc32_is_added_to_what_is_known_of_a_version(engine: Engine) -> None:
    book = SqlChecksums(engine)
    book.put("a", "v1", Facts(SHA256, 1, "text/plain"))

    book.put_crc32s([("a", "v1", 2), ("b", "v1", 3)])

    assert book.get("a", "v1") == Facts(SHA256, 2, "text/plain")
    assert book.get("b", "v1") == Facts(crc32=3)


def test_a_crc32_of_another_version_takes_its_place(engine: Engine) -> None:
    book = SqlChecksums(engine)
    book.put("a", "v1", Facts(SHA256, 1))

    book.put_crc32s([("a", "v2", 2)])

    assert SqlChecksums(engine).get("a", "v1") == NOTHING_KNOWN
    assert book.get("a", "v2") == Facts(crc32=2)
