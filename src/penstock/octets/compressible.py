"""Which files are compressed already, so that deflating would only cost time, and which shrink.

By name and media type, after IANA's list of media types, Apache's ``mime.types`` and the formats'
own descriptions. What is in neither list may shrink or not: whoever compresses tries a sample.
Left out is what means two things (``.ts``, ``.mts`` and ``.key`` are films and slides, but more
often source code and keys) and what is compressed in part or at choice (PDF, TIFF, Parquet).
"""

from typing import Final

_EXTENSIONS: Final = """
    7z ace apk appx br bz2 cab cbr cbz crx deb dmg ear egg gz jar lha lz lz4 lzh lzma lzo msix
    rar rpm s7z snap sz tbz tbz2 tgz tlz txz tzst vsix war whl xapk xpi xz z zip zipx zst
    avif gif heic heif jfif jp2 jpe jpeg jpf jpg jpm jpx jxl jxr png webp
    aac ac3 ape dts eac3 flac m4a m4b m4r mka mp2 mp3 mpc oga ogg opus spx tta wma wv
    3g2 3gp asf avi divx f4v flv m2ts m2v m4v mkv mov mp4 mpeg mpg mxf ogm ogv rmvb vob webm wmv
    3mf docm docx dotm dotx epub kmz mobi odg odp ods odt otp ots ott potx ppsm ppsx pptm pptx
    sketch usdz vsdx xlsb xlsm xlsx xltx woff woff2 age gpg pgp
"""
_TYPES: Final = """
    application/gzip application/java-archive application/pgp-encrypted application/vnd.age
    application/vnd.android.package-archive application/vnd.debian.binary-package
    application/vnd.ms-cab-compressed application/vnd.rar application/x-7z-compressed
    application/x-brotli application/x-bzip2 application/x-compress application/x-gzip
    application/x-lz4 application/x-lzip application/x-lzma application/x-rar-compressed
    application/x-rpm application/x-xz application/x-zip-compressed application/zip
    application/zstd application/font-woff font/woff font/woff2 image/avif image/gif image/heic
    image/heif image/jp2 image/jpeg image/jpm image/jpx image/jxl image/jxr image/png image/webp
"""
_FAMILIES: Final = (
    "audio/",
    "video/",
    "application/vnd.openxmlformats-officedocument.",
    "application/vnd.oasis.opendocument.",
)
_SUFFIXES: Final = ("+zip", "+gzip", "+zstd")  # RFC 6839, RFC 8460, RFC 8878
_PLAIN_SOUND: Final = """
    audio/aiff audio/basic audio/l16 audio/l24 audio/midi audio/sp-midi audio/vnd.wave audio/wav
    audio/wave audio/x-aiff audio/x-midi audio/x-wav
"""
# Text by other names, and what is made of tables, numbers or code without a compression of its own.
_SHRINKING: Final = """
    application/dash+xml application/ecmascript application/graphql application/javascript
    application/json application/msword application/n-quads application/n-triples
    application/postscript application/rtf application/sparql-query application/sql
    application/toml application/trig application/vnd.apple.mpegurl
    application/vnd.ms-excel application/vnd.ms-fontobject application/vnd.ms-powerpoint
    application/wasm application/x-csh application/x-javascript application/x-latex
    application/x-ndjson application/x-perl application/x-php application/x-sh
    application/x-subrip application/x-tex application/x-troff application/x-x509-ca-cert
    application/xml application/xml-dtd application/yaml application/x-yaml font/otf font/ttf
    font/sfnt image/bmp image/vnd.microsoft.icon image/x-icon model/gltf-binary model/obj
    model/stl model/step
"""
_SHRINKING_SUFFIXES: Final = ("+json", "+xml", "+yaml", "+json-seq")  # RFC 6839, RFC 9512, RFC 8091
_extensions, _types, _plain_sound, _shrinking = (
    frozenset(words.split()) for words in (_EXTENSIONS, _TYPES, _PLAIN_SOUND, _SHRINKING)
)


def is_compressed(name: str, content_type: str | None = None) -> bool:
    """Does the file's name or its media type say that its bytes do not shrink?"""
    stem, dot, extension = name.rpartition("/")[2].rpartition(".")
    if stem and dot and extension.lower() in _extensions:
        return True
    media_type = _bare(content_type or "")
    if media_type in _types or media_type.endswith(_SUFFIXES):
        return True
    if media_type in _plain_sound or media_type.endswith("xml"):
        return False  # XML: the flat forms of office documents
    return media_type.startswith(_FAMILIES)


def is_compressible(content_type: str) -> bool:
    """Does the media type say that the bytes shrink: is it text, or something of its kind?"""
    media_type = _bare(content_type)
    return (
        media_type.startswith("text/")
        or media_type in _shrinking
        or media_type.endswith(_SHRINKING_SUFFIXES)
    )


def _bare(content_type: str) -> str:
    """The media type without its parameters."""
    return content_type.partition(";")[0].strip().lower()
