"""Passwords of shares, as they are kept: scrypt (RFC 7914) with a salt of their own."""

import asyncio
import hashlib
import hmac
import os
import unicodedata
from collections import OrderedDict

from penstock.threads import in_thread, to_the_end

_SALT = 16
_N = 2**14
"""With ``r`` 8 a hash takes 16 MiB and about 50 ms."""
_AT_ONCE = 2
_KNOWN = 1000


def _octets(password: str) -> bytes:
    """Letters that look alike are alike."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def _scrypt(password: bytes, salt: bytes) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=_N, r=8, p=1, dklen=32)


async def _sealed(password: bytes, salt: bytes) -> bytes:
    """Who leaves keeps his slot until the thread is done, or leaving would make more of them."""
    return await to_the_end(in_thread(_scrypt, password, salt))


class Seals:
    """Seals passwords, and opens them; a few at a time, whatever is asked.

    Right ones are known for as long as this process runs (as a keyed digest): a download in many
    ranges sends its password with each.
    """

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._secret = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()

    async def seal(self, password: str) -> bytes:
        """What to keep of a password."""
        salt = os.urandom(_SALT)
        async with self._slots:
            return salt + await _sealed(_octets(password), salt)

    async def opens(self, sealed: bytes, password: str) -> bool:
        """Whether it is the password."""
        octets = _octets(password)
        known = hmac.digest(self._secret, sealed + octets, "sha256")
        if known in self._right:
            self._right.move_to_end(known)
            return True
        salt, digest = sealed[:_SALT], sealed[_SALT:]
        async with self._slots:
            found = await _sealed(octets, salt)
        if not hmac.compare_digest(found, digest):
            return False
        self._right[known] = None
        while len(self._right) > _KNOWN:
            self._right.popitem(last=False)
        return True
