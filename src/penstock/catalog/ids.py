"""The ids that the catalog gives out, as they come back with requests."""

import re

_ID = re.compile("[A-Za-z0-9_-]{1,64}", re.ASCII)


def may_be_id(text: str) -> bool:
    """Whether anything here can have that id. Ask before a database is asked: PostgreSQL takes
    neither NUL nor half of a surrogate pair, and fails."""
    return _ID.fullmatch(text) is not None
