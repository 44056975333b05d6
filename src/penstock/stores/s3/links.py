"""Links into the bucket: what they allow, whoever has them may do, without any key of ours."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from penstock.errors import BadRequest
from penstock.octets.dispositions import content_disposition
from penstock.stores.s3.credentials import Chain
from penstock.stores.s3.options import Place
from penstock.stores.s3.signing import Credentials, encoded, presigned, signed_form

LONGEST: Final = 604_800
"""Seconds, a week: AWS allows no more."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class Links:
    """Makes them. ``public_url`` is where the objects can be read without a signature.

    :raises BadRequest: ``public_url`` is no URL.
    """

    def __init__(self, place: Place, chain: Chain, public_url: str) -> None:
        self._place = place
        self._chain = chain
        self._public = _checked(public_url)

    def plain(self, name: str) -> str:
        """The URL of an object, unsigned."""
        if self._public:
            return f"{self._public}/{encoded(name, '/')}"
        return f"{self._place.origin}{self._place.path_of(name)}"

    async def access_key(self) -> str | None:
        """Whose signature it is; ``None`` if requests are anonymous.

        :raises PenstockError: there are no credentials.
        """
        credentials = await self._chain.get()
        return None if credentials is None else credentials.access_key

    async def read(self, name: str, expires: float, file_name: str) -> str:
        """Fetch an object; it is saved as ``file_name`` if that is given.

        :raises BadRequest: requests are anonymous here, or it is not from a second to a week.
        """
        parameters = []
        if file_name:
            file_name = _CONTROL.sub("_", file_name)
            disposition = content_disposition("attachment", file_name)
            parameters.append(("response-content-disposition", disposition))
        return await self._signed("GET", name, parameters, expires)

    async def write_part(self, name: str, upload: str, number: int, expires: float) -> str:
        """Send one part of a multipart upload; a later sending replaces an earlier one."""
        parameters = [("partNumber", str(number)), ("uploadId", upload)]
        return await self._signed("PUT", name, parameters, expires)

    async def form(
        self, fields: Mapping[str, str], conditions: Sequence[object], expires: float
    ) -> tuple[str, dict[str, str]]:
        """Post one object: where to, and the fields to be sent before the file."""
        credentials = await self._credentials(expires)
        now = datetime.now(UTC)
        signed = signed_form(credentials, self._place.region, fields, conditions, now, int(expires))
        return f"{self._place.origin}{self._place.path_of('')}", signed

    async def _signed(
        self, method: str, name: str, parameters: Iterable[tuple[str, str]], expires: float
    ) -> str:
        credentials = await self._credentials(expires)
        place, path = self._place, self._place.path_of(name)
        query = presigned(
            credentials,
            place.region,
            method,
            place.host,
            path,
            parameters,
            datetime.now(UTC),
            int(expires),
        )
        return f"{place.origin}{path}?{query}"

    async def _credentials(self, expires: float) -> Credentials:
        if not 1 <= expires <= LONGEST:
            raise BadRequest(f"a presigned link is good for 1 to {LONGEST:,} seconds")
        credentials = await self._chain.get()
        if credentials is None:
            raise BadRequest("nothing can be presigned: this store's requests are anonymous")
        return credentials


def _checked(url: str) -> str:
    refused = BadRequest("S3_PUBLIC_URL is no http or https URL; name it as https://host/folder")
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises if it is no number
    except ValueError:
        raise refused from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise refused
    return url.rstrip("/")
