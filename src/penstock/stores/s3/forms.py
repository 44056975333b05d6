"""Files that are posted to the bucket in a form, as browsers send small ones.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from uuid import uuid4

from penstock.stores.direct import Form
from penstock.stores.keys import RESERVED
from penstock.stores.s3.client import Call, Client
from penstock.stores.s3.credentials import Chain
from penstock.stores.s3.links import Links
from penstock.stores.s3.parts import LARGEST_PART
from penstock.stores.s3.shared import Shared
from penstock.stores.s3.trouble import Broken, Refused


class Forms:
    """Forms of one store. Raises :class:`Broken` as the calls do."""

    def __init__(self, shared: Shared, links: Links) -> None:
        self._shared = shared
        self._links = links
        self._work: bool | None = None
        self._trying = asyncio.Lock()

    async def of(
        self, name: str, fields: Mapping[str, str], most: int, expires: float
    ) -> Form | None:
        """A form for the object ``name``, of ``most`` bytes; ``None`` if there can be none."""
        # S3 puts the file's name there, in any field, and has no way to write the text itself.
        filled_in = any("${filename}" in text for text in (name, *fields.values()))
        if filled_in or not await self.work():
            return None
        return await self._signed(name, {"success_action_status": "201", **fields}, most, expires)

    async def work(self) -> bool:
        """Whether the server takes forms: tried once, with an object of our own."""
        async with self._trying:
            if self._work is None:
                self._work = await self._try()
            return self._work

    async def _signed(
        self, name: str, fields: Mapping[str, str], most: int, expires: float
    ) -> Form:
        bounds = ["content-length-range", 0, min(most, LARGEST_PART)]
        conditions = [{"bucket": self._shared.place.bucket}, bounds]
        return Form(*await self._links.form({"key": name, **fields}, conditions, expires))

    async def _try(self) -> bool:
        name = f"{self._shared.place.prefix}{RESERVED}/form-{uuid4().hex}"
        form = await self._signed(name, {}, 100, 60)
        boundary = uuid4().hex
        texts = [f'name="{field}"\r\n\r\n{value}' for field, value in form.fields.items()]
        texts.append('name="file"; filename="a"\r\n\r\nPenstock tries whether forms are taken.')
        parts = [f"--{boundary}\r\nContent-Disposition: form-data; {text}\r\n" for text in texts]
        body = f"{''.join(parts)}--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        # The form has a signature of its own.
        stranger = Client(self._shared.place, Chain(anonymous=True), self._shared.options.tries)
        calls = self._shared.calls
        try:
            await stranger.call(Call("POST", "", (), headers, body, len(body)))
            await calls.head(name)
        except Refused:
            # Even what fails in passing: some break at what they do not know, again and again.
            return False
        finally:
            await stranger.close()
            with suppress(Refused, Broken):  # whose answer was lost may have stored it
                await calls.delete(name)
        return True
