"""``Content-Disposition``: how a file is to be shown, and under which name it is to be saved."""

import re
from typing import Final
from urllib.parse import quote

_UNSAFE_IN_QUOTES: Final = re.compile(r'[^\x20-\x7e]|["\\%]')


def content_disposition(kind: str, file_name: str) -> str:
    """The field (RFC 6266) with the name for old and new readers (RFC 8187)."""
    plain = _UNSAFE_IN_QUOTES.sub("_", file_name)
    field = f'{kind}; filename="{plain}"'
    if plain != file_name:
        field += f"; filename*=UTF-8''{quote(file_name, safe='')}"
    return field
