"""What an answer means that is not the one hoped for."""

from penstock.errors import SourceChanged, SourceFailed
from penstock.remote.answer import Answer
from penstock.remote.fields import retry_after
from penstock.remote.trouble import Trouble, failure, may_pass
from penstock.remote.urls import redacted


def failed(answer: Answer) -> Trouble | SourceFailed:
    """The error that an answer of another status than 200 and 206 stands for."""
    error = failure(answer.url, f"HTTP {answer.status}")
    if may_pass(answer.status):
        return Trouble(error, retry_after(answer.headers.get("Retry-After")))
    return error


def changed(url: str, how: str) -> SourceChanged:
    """The file is not the one that was found at first; ``how`` follows the URL."""
    return SourceChanged(f"{redacted(url)} {how}", reason=how)


def check_coding(answer: Answer) -> None:
    """:raises SourceFailed: the bytes are encoded, which would be other bytes than the file's."""
    coding = answer.headers.get("Content-Encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise failure(answer.url, f"it comes encoded ({coding[:20]}) although not asked for so")
