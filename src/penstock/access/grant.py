"""Who asks, and what they may do."""

from dataclasses import dataclass
from enum import StrEnum

from penstock.errors import Forbidden


class Scope(StrEnum):
    """What a token is good for. None of them holds another, but ``admin``, which holds them all."""

    READ = "read"
    """List files and get them, also as a ZIP."""
    WRITE = "write"
    """Put files, remove them, and have them pulled from other servers."""
    ARCHIVE = "archive"
    """Have archives made, and look after jobs."""
    ADMIN = "admin"
    """Everything: also tokens, lanes, storage nodes, the audit log and profiles."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one request may do, and on whose behalf.

    ``prefix`` is empty, or a folder with its last slash, outside which nothing is seen or changed.
    """

    actor: str
    """For the audit log: ``token:ID``, ``login``, ``share:ID``; ``anyone`` where access is off."""
    name: str
    """For people: the name of the token."""
    scopes: frozenset[Scope]
    prefix: str = ""
    creates_only: bool = False
    """Puts files where there are none; sees and replaces none."""
    expires: float | None = None
    """Seconds since 1970."""
    request_rate: float | None = None
    """Requests per second."""
    byte_rate: int | None = None
    """Bytes per second of all its transfers together."""

    def allows(self, scope: Scope) -> bool:
        """Whether it is good for this."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def check_scope(self, scope: Scope, *, whole: bool = False) -> None:
        """Let pass what it is good for; ``whole``: only if it is bound to no folder.

        :raises Forbidden: it is not good for this.
        """
        if not self.allows(scope):
            raise Forbidden(f"this needs a token with the scope {scope}")
        if whole and self.prefix:
            raise Forbidden("this needs a token that is bound to no folder")

    def covers(self, prefix: str) -> bool:
        """Whether all keys that start with ``prefix``, or the one key, are its own."""
        return prefix.startswith(self.prefix)

    def check_key(self, key: str) -> str:
        """Answers the key, or the prefix, if it is within the folder.

        :raises Forbidden: it is not.
        """
        if not self.covers(key):
            raise Forbidden(f"this token is good for what is below {self.prefix} only")
        return key

    @property
    def owner(self) -> str | None:
        """Whose jobs it sees: those begun for its folder; ``None``: all."""
        return self.prefix or None


ANYONE = Grant("anyone", "", frozenset({Scope.ADMIN}))
"""Everybody, where access is off."""
