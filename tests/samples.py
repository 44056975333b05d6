"""Small files of many formats, as programs write them, and the media type each has."""

import bz2
import gzip
import io
import lzma
import sqlite3
import struct
import tarfile
import wave
import zipfile
import zlib
from base64 import b64decode


def _png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0\xff\0\0")
    parts = chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def zipped(*names: str) -> bytes:
    """A ZIP with files of these names."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), f"what is in {name}")
    return out.getvalue()


def _epub() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), "application/epub+zip")
        archive.writestr(zipfile.ZipInfo("META-INF/container.xml"), "<container/>")
    return out.getvalue()


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a"))
    return out.getvalue()


def _sqlite() -> bytes:
    database = sqlite3.connect(":memory:")
    database.execute("create table a (b)")
    data = database.serialize()
    database.close()
    return data


def _wav() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(100))
    return out.getvalue()


def _ebml(kind: bytes) -> bytes:
    header = bytes.fromhex("4286810142f7810142f2810442f38108")
    header += b"\x42\x82" + bytes([0x80 | len(kind)]) + kind + bytes.fromhex("4287810442858102")
    segment = bytes.fromhex("1853806701ffffffffffffff")
    return bytes.fromhex("1a45dfa3") + bytes([0x80 | len(header)]) + header + segment


PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj
trailer<</Root 1 0 R>>
%%EOF
"""
JPEG_START = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffdb004300") + bytes(64)
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
MP4_START = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41\0\0\0\x08free\0\0\x10\0mdat" + bytes(99)
M4A_START = b"\0\0\0\x1cftypM4A \0\0\2\0M4A isomiso2\0\0\0\x08free\0\0\x10\0mdat" + bytes(99)
OGG_START = b"OggS\0\2" + bytes(20) + b"\1\x13OpusHead\1\2" + bytes(99)
OLE_START = (
    bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + bytes.fromhex("3e000300feff0900") + bytes(999)
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9"/></svg>\n'
HTML = b"<!DOCTYPE html>\n<html><head><title>A</title></head><body>B</body></html>\n"
PNG = _png()

BINARY = {
    "image/png": PNG,
    "image/jpeg": JPEG_START,
    "image/gif": GIF,
    "image/webp": b"RIFF\x1a\0\0\0WEBPVP8L\r\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0",
    "application/pdf": PDF.replace(b"\n", b"\n%\xe2\xe3\xcf\xd3\n", 1),
    "video/mp4": MP4_START,
    "video/webm": _ebml(b"webm") + bytes(99),
    "video/matroska": _ebml(b"matroska") + bytes(99),
    "audio/ogg": OGG_START,
    "audio/flac": b"fLaC\0\0\0\x22\x10\0\x10\0" + bytes(99),
    "audio/mpeg": b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + b"\xff\xfb\x90\x64" + bytes(99),
    "audio/x-wav": _wav(),
    "application/zip": zipped("a.txt", "b/c.txt"),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": zipped(
        "[Content_Types].xml", "_rels/.rels", "word/document.xml"
    ),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": zipped(
        "[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"
    ),
    "application/epub+zip": _epub(),
    "application/gzip": gzip.compress(b"text", mtime=0),
    "application/x-bzip2": bz2.compress(b"text"),
    "application/x-xz": lzma.compress(b"text"),
    "application/x-tar": _tar(),
    "application/vnd.sqlite3": _sqlite(),
    "application/wasm": b"\0asm\1\0\0\0",
}
"""Begun or whole files whose bytes alone tell their type."""
