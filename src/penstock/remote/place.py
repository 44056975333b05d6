"""Where the reading of a remote file has come to, and what may follow there."""

from penstock.octets.ranges import Span, parse_content_range
from penstock.remote.answer import Answer
from penstock.remote.file import RemoteFile
from penstock.remote.trouble import Trouble, failure, unresumable
from penstock.remote.verdict import changed, check_coding, failed


class Place:
    """An offset in one version of a file, at which nothing is accepted but that version's bytes.

    The version is what ``file`` tells; what it does not tell, the answer adds that brings the
    first byte.
    """

    def __init__(self, file: RemoteFile, start: int, stop: int | None) -> None:
        self.offset = start
        self._start = start
        self._stop = stop
        self._file = file
        self._learned = file
        self._until: int | None = None
        self._at_end = False

    @property
    def is_done(self) -> bool:
        """Whether everything that was asked for is there."""
        wanted = self._known.size if self._stop is None else self._stop
        return self._at_end or (wanted is not None and self.offset >= wanted)

    @property
    def wants_more(self) -> bool:
        """Whether to go on with this answer: to its end, unless only its beginning matters."""
        return self._is_to_the_end or not self.is_done

    @property
    def headers(self) -> dict[str, str]:
        """How to ask for what follows, of this version and no other (RFC 9110 §13.1)."""
        headers = self._known.validators
        if self._asks_for_a_part:
            last = "" if self._stop is None else self._stop - 1
            headers["Range"] = f"bytes={self.offset}-{last}"
        return headers

    def enter(self, answer: Answer) -> None:
        """Look at the head of an answer before its body is taken.

        :raises SourceChanged: it is of another version.
        :raises SourceFailed: its body is not what was asked for.
        :raises Trouble: another try may bring one that is.
        """
        if answer.status == 412:
            raise changed(answer.url, "has changed since it was first asked for")
        if answer.status == 416:
            raise changed(answer.url, "is shorter than it was")
        if answer.status not in (200, 206):
            raise failed(answer)
        check_coding(answer)
        told = self._file.described(answer.status, answer.headers)
        if self._known.contradicts(told):
            raise changed(answer.url, "has changed since it was first asked for")
        self._learned = self._known.completed(told)
        self._until = self._part(answer).stop if answer.status == 206 else self._whole(answer)

    def take(self, data: bytes) -> bytes:
        """Step over bytes that came; answers those of them that were asked for.

        :raises SourceChanged: there are more than there can be.
        """
        if self._until is not None and self.offset + len(data) > self._until:
            raise changed(self._file.url, "is longer than it was")
        if self._stop is not None:
            data = data[: self._stop - self.offset]
        self.offset += len(data)
        return data

    def leave(self, answer: Answer) -> None:
        """The body came to an end of its own.

        :raises SourceChanged: too early.
        :raises Trouble: too early, and perhaps not meant as the end.
        """
        if self._until is not None and self.offset < self._until:
            if answer.is_chunked:
                raise changed(answer.url, "is shorter than it was")
            raise Trouble(failure(answer.url, "the answer was cut short"))
        self._at_end = self._stop is None and self._known.size is None

    def require_resumable(self, trouble: Trouble) -> None:
        """Whether another answer can go on from here without mixing versions.

        :raises SourceFailed: it cannot.
        """
        if self.offset == self._start or self._known.resumable:
            return
        reason = f"{trouble.error.extra['reason']}, and it cannot be resumed"
        raise unresumable(self._file.url, reason, trouble) from trouble

    @property
    def _known(self) -> RemoteFile:
        """The version; one that was answered without bringing a byte binds nobody."""
        return self._file if self.offset == self._start else self._learned

    @property
    def _is_to_the_end(self) -> bool:
        return self._stop is None or self._stop == self._file.size

    @property
    def _asks_for_a_part(self) -> bool:
        return self.offset > 0 or not self._is_to_the_end

    def _part(self, answer: Answer) -> Span:
        told = parse_content_range(answer.headers.get("Content-Range", ""))
        if (
            told is None
            or told[0].start != self.offset
            or not self._asks_for_a_part
            or (self._stop is not None and told[0].stop > self._stop)
        ):
            raise failure(answer.url, "its server sends another part than was asked for")
        return told[0]

    def _whole(self, answer: Answer) -> int | None:
        """The size of a body that begins at 0, as far as it is known."""
        if self.offset:
            raise unresumable(answer.url, "its server does not send parts of it")
        if self._learned.size is None and not answer.is_chunked:
            raise failure(answer.url, "the answer does not say where it ends")
        return self._learned.size
