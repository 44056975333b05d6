"""Every error Penstock raises on purpose, as one tree.

PenstockError
├── BadRequest               400  the request is not understood
│   ├── BadKey               400  a key that cannot name a file, with the reason
│   ├── BodyIncomplete       400  fewer bytes came than were announced
│   ├── DigestMismatch       400  the bytes are not the ones the digest speaks of
│   └── LengthMismatch       400  an upload was told another length before
├── LoginNeeded              401  there is no token and no login, or a wrong one
├── Forbidden                403  the token is not good for this, or another web site's page asks
│   └── RemoteRefused        403  a remote URL leads where this server must not go
├── NotFound                 404  no such file, selection or page
│   ├── ShareGone            410  a share link that has expired, or was used as often as it may be
│   └── UploadGone           410  the upload was there, and is no more
├── MethodNotAllowed         405
├── Stalled                  408  the other side stopped sending
├── KeyConflict              409  a folder stands where the file should go, or the reverse
├── OffsetMismatch           409  the bytes sent do not begin where the upload stands
├── WrongState               409  a job has ended, or has not: what is asked cannot be done with it
├── Cancelled                409  what was waited for was ended by somebody
├── PreconditionFailed       412  If-Match or If-None-Match says no
├── UnsupportedVersion       412  another version of the upload protocol
├── TooLarge                 413  over a limit that the operator has set
│   └── LengthExceeded       413  more bytes than the upload was told to have
├── UnsupportedMediaType     415
├── RangeNotSatisfiable      416
├── ExpectationFailed        417
├── Superseded               423  another request goes on with the same upload
├── SourceFailed             424  a remote file cannot be had
├── TooManyAttempts          429  too many wrong passwords or tokens came from one address
├── TooManyRequests          429  a token's requests come faster than they may
├── ChecksumMismatch         460  the bytes of one request are not those of its checksum (tus)
├── SourceChanged            500  a file changed while it was being sent
├── MissingExtra             500  an optional dependency is not installed
├── CannotListen             500  the address is taken or not ours
├── Busy                     503  at a limit of concurrency, or shutting down
├── ServerUnavailable        503  the client cannot reach the server
├── HttpTooOld               505  the answer needs HTTP/1.1
└── StorageFull              507  no space left

Each class carries ``code`` (stable, for programs), ``status`` (HTTP), ``exit_code`` (console)
and ``retryable`` (the same request may succeed later). ``detail`` is for people and says what
to do; ``extra`` holds further members of the problem document (RFC 9457 §3.2).
"""

from collections.abc import Iterator, Mapping
from enum import IntEnum
from functools import cache
from typing import ClassVar


class Exit(IntEnum):
    """Exit codes of the console commands. An unknown code means failure."""

    OK = 0
    FAILED = 1
    USAGE = 2
    PARTIAL = 3
    NOT_FOUND = 4
    TEMPORARY = 5
    REFUSED = 6
    MISMATCH = 7
    INTERRUPTED = 130


class PenstockError(Exception):
    """An error whose text may be shown to whoever made the request."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    exit_code: ClassVar[Exit] = Exit.FAILED
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra: Mapping[str, object] = extra


def error_class(code: str) -> type[PenstockError]:
    """The class whose ``code`` this is; :class:`PenstockError` for a code nobody has."""
    return _by_code().get(code, PenstockError)


@cache
def _by_code() -> Mapping[str, type[PenstockError]]:
    return {kind.code: kind for kind in _tree(PenstockError) if kind is not MissingExtra}


def _tree(root: type[PenstockError]) -> Iterator[type[PenstockError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)


class BadRequest(PenstockError):
    code = "bad-request"
    status = 400
    exit_code = Exit.USAGE


class BadKey(BadRequest):
    code = "bad-key"


class BodyIncomplete(BadRequest):
    code = "body-incomplete"
    exit_code = Exit.TEMPORARY
    retryable = True


class DigestMismatch(BadRequest):
    code = "digest-mismatch"
    exit_code = Exit.MISMATCH


class LengthMismatch(BadRequest):
    code = "inconsistent-length"


class LoginNeeded(PenstockError):
    code = "login-needed"
    status = 401
    exit_code = Exit.REFUSED


class Forbidden(PenstockError):
    code = "forbidden"
    status = 403
    exit_code = Exit.REFUSED


class RemoteRefused(Forbidden):
    code = "remote-refused"


class NotFound(PenstockError):
    code = "not-found"
    status = 404
    exit_code = Exit.NOT_FOUND


class ShareGone(NotFound):
    code = "share-gone"
    status = 410
    exit_code = Exit.REFUSED


class UploadGone(NotFound):
    code = "upload-gone"
    status = 410


class MethodNotAllowed(PenstockError):
    code = "method-not-allowed"
    status = 405


class Stalled(PenstockError):
    code = "stalled"
    status = 408
    exit_code = Exit.TEMPORARY
    retryable = True


class KeyConflict(PenstockError):
    code = "key-conflict"
    status = 409
    exit_code = Exit.REFUSED


class OffsetMismatch(PenstockError):
    code = "offset-mismatch"
    status = 409
    exit_code = Exit.TEMPORARY
    retryable = True


class WrongState(PenstockError):
    code = "wrong-state"
    status = 409
    exit_code = Exit.REFUSED


class Cancelled(PenstockError):
    code = "cancelled"
    status = 409
    exit_code = Exit.REFUSED


class PreconditionFailed(PenstockError):
    code = "precondition-failed"
    status = 412
    exit_code = Exit.REFUSED


class TooLarge(PenstockError):
    code = "too-large"
    status = 413
    exit_code = Exit.REFUSED


class LengthExceeded(TooLarge):
    code = "length-exceeded"


class UnsupportedVersion(PenstockError):
    code = "unsupported-version"
    status = 412
    exit_code = Exit.REFUSED


class UnsupportedMediaType(PenstockError):
    code = "unsupported-media-type"
    status = 415
    exit_code = Exit.USAGE


class RangeNotSatisfiable(PenstockError):
    code = "range-not-satisfiable"
    status = 416


class ExpectationFailed(PenstockError):
    code = "expectation-failed"
    status = 417


class Superseded(PenstockError):
    code = "superseded"
    status = 423
    exit_code = Exit.TEMPORARY
    retryable = True


class SourceFailed(PenstockError):
    """``passing``: the source is in trouble that may pass by itself; ``pause`` is how many seconds
    it wants to be left alone. Not ``resumable``: what came of it cannot be gone on with."""

    code = "source-failed"
    status = 424
    exit_code = Exit.TEMPORARY
    retryable = True
    passing = False
    pause: float | None = None
    resumable = True


class TooManyAttempts(PenstockError):
    code = "too-many-attempts"
    status = 429
    exit_code = Exit.TEMPORARY
    retryable = True


class TooManyRequests(PenstockError):
    code = "too-many-requests"
    status = 429
    exit_code = Exit.TEMPORARY
    retryable = True


class ChecksumMismatch(PenstockError):
    code = "checksum-mismatch"
    status = 460
    exit_code = Exit.TEMPORARY
    retryable = True


class SourceChanged(PenstockError):
    code = "source-changed"
    exit_code = Exit.TEMPORARY
    retryable = True


class MissingExtra(PenstockError):
    """An optional dependency is absent; the text names the extra that brings it."""

    code = "missing-extra"

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra {extra!r}: pip install 'penstock[{extra}]'")


class CannotListen(PenstockError):
    code = "cannot-listen"


class Busy(PenstockError):
    code = "busy"
    status = 503
    exit_code = Exit.TEMPORARY
    retryable = True


class ServerUnavailable(PenstockError):
    code = "unavailable"
    status = 503
    exit_code = Exit.TEMPORARY
    retryable = True


class HttpTooOld(PenstockError):
    code = "http-too-old"
    status = 505
    exit_code = Exit.REFUSED


class StorageFull(PenstockError):
    code = "storage-full"
    status = 507
    exit_code = Exit.REFUSED
