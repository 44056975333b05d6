"""Credentials from the standard chain: variables, files, SSO, web identity, container, instance.

The chain is botocore's. It blocks, on files and on the network, so it is asked in a thread.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

from penstock.errors import MissingExtra, PenstockError
from penstock.stores.s3.signing import Credentials
from penstock.threads import in_thread

_LOOK_AGAIN: Final = 60.0
"""Seconds after which it is seen whether credentials that expire were renewed; botocore renews
them ten minutes before they do."""


class Chain:
    """The credentials of this process, renewed before they expire.

    :raises MissingExtra: botocore is not installed.
    """

    def __init__(self, given: Credentials | None = None, *, anonymous: bool = False) -> None:
        try:
            from botocore.session import Session
        except ImportError:
            raise MissingExtra("a store in S3", "s3") from None
        self._session: Any = Session()
        self._source: Any = None
        self._now = None if anonymous else given
        self._lasting = given is not None or anonymous
        self._looked = 0.0
        self._asking = asyncio.Lock()

    @property
    def profile(self) -> Mapping[str, str]:
        """The chosen profile's section of the configuration file; its strings. Blocks."""
        from botocore.exceptions import BotoCoreError, ProfileNotFound

        try:
            section = self._session.get_scoped_config()
        except ProfileNotFound as error:
            raise PenstockError(f"{error}; set AWS_PROFILE to one that there is") from None
        except BotoCoreError as error:
            raise PenstockError(f"the AWS configuration cannot be read: {error}") from None
        return {name: value for name, value in section.items() if isinstance(value, str)}

    async def get(self) -> Credentials | None:
        """What to sign with now; ``None`` if requests are anonymous.

        :raises PenstockError: the chain has no credentials.
        """
        if not self._are_fresh():
            async with self._asking:
                if not self._are_fresh():
                    self._now = await in_thread(self._frozen)
                    self._looked = time.monotonic()
        return self._now

    def _are_fresh(self) -> bool:
        if self._lasting:
            return True
        return self._now is not None and time.monotonic() - self._looked < _LOOK_AGAIN

    def _frozen(self) -> Credentials:
        from botocore.exceptions import BotoCoreError

        try:
            self._source = self._source or self._session.get_credentials()
            frozen = self._source and self._source.get_frozen_credentials()
        except BotoCoreError as error:
            raise PenstockError(f"the S3 credentials cannot be had: {error}") from error
        if not frozen or not frozen.access_key:
            raise PenstockError(
                "there are no S3 credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "or PENSTOCK_S3_ANONYMOUS=true for a public bucket"
            )
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)
