"""What goes wrong on the way to another server, sorted by whether another try may mend it."""

import os
import socket
import ssl

import aiohttp

from penstock.errors import PenstockError, RemoteRefused, SourceFailed
from penstock.remote.guard import AddressRefused
from penstock.remote.urls import redacted

# Later the same request may succeed. Other answers of 500 and more count as well, but these two:
# what is not implemented, and what HTTP version is not spoken, stays so.
_PASSING = frozenset({408, 425, 429})
_LASTING = frozenset({501, 505})


class Trouble(Exception):
    """A failure that may pass. ``error`` is what it comes to if it does not.

    ``pause`` is how many seconds the server wants to be left alone, if it said so.
    """

    def __init__(self, error: SourceFailed, pause: float | None = None) -> None:
        super().__init__(error.detail)
        self.error = error
        self.pause = pause
        error.passing, error.pause = True, pause


def failure(url: str, reason: str) -> SourceFailed:
    """A remote file cannot be had; ``reason`` is a few words that follow "cannot be read:"."""
    return SourceFailed(f"{redacted(url)} cannot be read: {reason}", reason=reason)


def unresumable(url: str, reason: str, trouble: Trouble | None = None) -> SourceFailed:
    """As :func:`failure`, where what came must be asked for again from its first byte on."""
    error = failure(url, reason)
    error.resumable = False
    if trouble is not None:
        error.passing, error.pause = True, trouble.pause
    return error


def refusal(url: str, reason: str, advice: str = "") -> RemoteRefused:
    """A remote file is where we must not go; ``reason`` follows the URL, ``advice`` that."""
    text = f"{redacted(url)} {reason}"
    return RemoteRefused(f"{text}; {advice}" if advice else text, reason=reason)


def may_pass(status: int) -> bool:
    """Whether an answer with this status is worth another try."""
    return status in _PASSING or (status >= 500 and status not in _LASTING)


def sorted_out(url: str, error: Exception) -> Trouble | PenstockError:
    """What an error of the HTTP library comes to."""
    if isinstance(error, aiohttp.InvalidURL):
        return refusal(url, "must name its host, or its address in the usual form")
    if isinstance(error, aiohttp.ClientConnectorError):
        return _unconnected(url, error.os_error)
    if isinstance(error, TimeoutError):
        return Trouble(failure(url, "its server does not answer in time"))
    if isinstance(error, aiohttp.ClientPayloadError):
        return Trouble(failure(url, "the answer was cut short"))
    if isinstance(error, aiohttp.ClientResponseError):
        return Trouble(failure(url, "the answer is not HTTP"))
    return Trouble(failure(url, "the connection broke"))


def _unconnected(url: str, error: OSError) -> Trouble | PenstockError:
    if isinstance(error, AddressRefused):
        return refusal(url, str(error), "the operator may name it in PENSTOCK_REMOTE_ALLOW")
    if isinstance(error, ssl.CertificateError | ssl.SSLError):
        return failure(url, "its server's certificate or TLS cannot be trusted")
    if isinstance(error, socket.gaierror):
        unknown = failure(url, "its host is not known")
        return Trouble(unknown) if error.errno == socket.EAI_AGAIN else unknown
    why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "no connection"
    return Trouble(failure(url, f"its server cannot be reached ({why})"))
