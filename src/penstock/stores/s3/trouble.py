"""What an S3 server refuses or fails at, sorted by what can be done about it."""

from typing import Final

from penstock.errors import (
    BadKey,
    Busy,
    NotFound,
    PenstockError,
    PreconditionFailed,
    ServerUnavailable,
    SourceChanged,
    StorageFull,
    TooLarge,
)

SLOW: Final = frozenset({"SlowDown", "Throttling", "ThrottlingException", "TooManyRequests"})
_PASSING: Final = frozenset(
    {"InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted",
     "ConditionalRequestConflict", "BadDigest", "IncompleteBody", "XAmzContentChecksumMismatch"}
) | SLOW  # fmt: skip
_LASTING_STATUS: Final = frozenset({501, 505, 507})
_PASSING_STATUS: Final = frozenset({408, 425, 429})
_REFUSED: Final = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
     "RequestTimeTooSkewed", "AuthorizationHeaderMalformed", "AccountProblem"}
)  # fmt: skip


class Refused(Exception):
    """An answer that is not what was asked for; ``code`` is S3's, ``""`` if there is none."""

    def __init__(self, status: int, code: str = "", message: str = "") -> None:
        super().__init__(f"{status} {code}: {message}" if code else str(status))
        self.status = status
        self.code = code

    @property
    def slow(self) -> bool:
        """Whether the server asks for fewer requests."""
        return self.status in (429, 503) or self.code in SLOW

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later."""
        if self.code in _PASSING or self.status in _PASSING_STATUS:
            return True
        return self.status >= 500 and self.status not in _LASTING_STATUS

    @property
    def absent(self) -> bool:
        """Whether there is no such object."""
        return self.code == "NoSuchKey" or (self.status == 404 and not self.code)


class Broken(Exception):
    """The connection, or what came over it, is not to be had as it should be; it may pass."""


def sorted_out(error: Refused | Broken, key: str) -> PenstockError:
    """What it comes to for whoever asked for ``key``; nothing of the server's inside is told."""
    if isinstance(error, Broken):
        return ServerUnavailable(f"the S3 store cannot be reached ({error}); try again later")
    if error.absent:
        return NotFound(f"nothing is stored at {key!r}", key=key)
    if error.status == 412:
        return PreconditionFailed(f"{key!r} is another version than the condition allows", key=key)
    if error.slow:
        return Busy("the S3 store asks for fewer requests; try again later")
    return _of_code(error, key)


def _of_code(error: Refused, key: str) -> PenstockError:
    if error.code in _REFUSED or error.status in (401, 403):
        reason = error.code or error.status
        return PenstockError(
            f"the S3 store refuses access ({reason}); check its credentials, policy and clock"
        )
    if error.code == "NoSuchBucket":
        return PenstockError("the bucket does not exist; create it or name another one")
    if error.code == "EntityTooLarge":
        return TooLarge("the file is larger than the S3 store takes")
    if error.code in ("QuotaExceeded", "InsufficientStorage") or error.status == 507:
        return StorageFull("the S3 store has no space left; nothing was stored")
    if error.code in ("KeyTooLongError", "InvalidURI", "InvalidObjectName"):
        return BadKey(f"the S3 store does not take the key {key!r} ({error.code}); choose another")
    if 300 <= error.status < 400:
        return PenstockError("the bucket is in another region; set AWS_REGION to that one")
    text = f"the S3 store answered {error.status}{f' {error.code}' if error.code else ''}"
    return ServerUnavailable(text) if error.passing else PenstockError(text)


def changed(key: str) -> SourceChanged:
    """The object is not the version that is being read any more."""
    return SourceChanged(f"{key!r} changed since this transfer began; start it again")
