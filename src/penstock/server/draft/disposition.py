"""The file name that a request gives in ``Content-Disposition`` (RFC 6266, RFC 8187)."""

import warnings

from aiohttp import content_disposition_filename, parse_content_disposition


def given_name(header: str | None) -> str | None:
    """The name in the field, that of ``filename*`` before ``filename``; ``None`` without one.

    A malformed field gives no name. The disposition type has no meaning here.
    """
    if header is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # malformed: it is as if the field were not there
        kind, parameters = parse_content_disposition(header)
    return None if kind is None else content_disposition_filename(parameters) or None
