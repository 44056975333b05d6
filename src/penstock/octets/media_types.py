"""The media type that a file's name tells.

The platform's own table differs from machine to machine, and Python's from version to version;
this one does not, as far as it says more than Python 3.11 does. After IANA's list of media types,
and the formats' own descriptions where that has none.
"""

import mimetypes
from functools import lru_cache
from typing import Final

DEFAULT: Final = "application/octet-stream"

_TYPES: Final = """
    application/epub+zip .epub
    application/gzip .gz .tgz
    application/java-archive .jar .war
    application/toml .toml
    application/vnd.android.package-archive .apk
    application/vnd.apache.parquet .parquet
    application/vnd.ms-visio.drawing .vsdx
    application/vnd.oasis.opendocument.graphics .odg
    application/vnd.oasis.opendocument.presentation .odp
    application/vnd.oasis.opendocument.spreadsheet .ods
    application/vnd.oasis.opendocument.text .odt
    application/vnd.openxmlformats-officedocument.presentationml.presentation .pptx
    application/vnd.openxmlformats-officedocument.spreadsheetml.sheet .xlsx
    application/vnd.openxmlformats-officedocument.wordprocessingml.document .docx
    application/vnd.rar .rar
    application/vnd.sqlite3 .sqlite .sqlite3
    application/x-7z-compressed .7z
    application/x-bzip2 .bz2
    application/x-ndjson .ndjson .jsonl
    application/x-xz .xz
    application/xhtml+xml .xhtml
    application/xml-dtd .dtd
    application/yaml .yaml .yml
    application/zstd .zst
    audio/flac .flac
    audio/mp4 .m4a
    audio/ogg .oga .ogg
    audio/opus .opus
    audio/matroska .mka
    audio/x-ms-wma .wma
    font/otf .otf
    font/ttf .ttf
    font/woff .woff
    font/woff2 .woff2
    image/avif .avif
    image/heic .heic
    image/heif .heif
    image/jxl .jxl
    image/webp .webp
    model/3mf .3mf
    model/gltf+json .gltf
    model/gltf-binary .glb
    model/vnd.usdz+zip .usdz
    text/javascript .js .mjs
    text/markdown .md .markdown
    text/plain .log
    video/matroska .mkv
    video/mp4 .m4v
    video/ogg .ogv
    video/x-ms-wmv .wmv
"""


def _table() -> mimetypes.MimeTypes:
    table = mimetypes.MimeTypes(())
    for line in _TYPES.strip().splitlines():
        media_type, *extensions = line.split()
        for extension in extensions:
            # What is compressed as a whole is of the type of its compression.
            table.encodings_map.pop(extension, None)
            table.suffix_map.pop(extension, None)
            table.add_type(media_type, extension)
    return table


_table_of_types = _table()


@lru_cache(1024)
def type_by_name(name: str) -> str | None:
    """The media type that the extension of ``name``, perhaps a key, stands for."""
    guessed, coding = _table_of_types.guess_type("/" + name.rpartition("/")[2])
    return guessed if guessed != DEFAULT and not coding else None
