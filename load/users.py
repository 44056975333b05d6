"""Those who use the server: one class for each thing they do, all of which check what they get."""

import json
import os
import random
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from itertools import count
from typing import IO, ClassVar

import gevent
from locust import User, task

from load import zips
from load.job import Job, Sample
from load.wire import PIECE, Failed, Wire, Wrong, digest, file_path, metadata, path_of, pieces, same

_TUS = {"Tus-Resumable": "1.0.0"}
_numbers = count()


@dataclass
class Tally:
    """What one transfer has moved: bytes of content, and when the first of them came."""

    content: int = 0
    first_byte: float = 0.0
    ended: float = 0.0

    def add(self, count: int) -> None:
        self.content += count

    def begun(self, since: float) -> None:
        self.first_byte = self.first_byte or time.perf_counter() - since

    def end(self) -> None:
        """The last byte has come; what follows is for us to do."""
        self.ended = time.perf_counter()


class Transferring(User):
    """What all of them have in common: a connection, a pause, and the tally of each transfer."""

    abstract = True
    job: ClassVar[Job]
    slow: ClassVar[bool] = False

    def on_start(self) -> None:
        self.random = random.Random(f"{self.job.seed}-{next(_numbers)}")
        self.wire = Wire(self.job.url, self.job.token, self.job.timeout, slow=self.slow)

    def on_stop(self) -> None:
        self.wire.close()

    def wait_time(self) -> float:
        return self.job.pause

    @contextmanager
    def timed(self, kind: str) -> Iterator[Tally]:
        """One transfer from the request to the last byte, as Locust counts it."""
        tally = Tally()
        began, at = time.perf_counter(), time.time()
        error: Exception | None = None
        try:
            yield tally
        except (OSError, HTTPException, Failed, Wrong) as trouble:
            error = trouble
            self.wire.close()
        self.environment.events.request.fire(
            request_type=kind,
            name=kind,
            response_time=((tally.ended or time.perf_counter()) - began) * 1000,
            response_length=tally.content,
            exception=error,
            context={"started": at, "first_byte": tally.first_byte},
        )

    def new_key(self) -> str:
        """A key that no other transfer has."""
        return f"{self.job.prefix}/{uuid.uuid4().hex}.bin"

    def take(self, sample: Sample, key: str, tally: Tally) -> None:
        """Get a file whole, and hold it against what was put."""
        since = time.perf_counter()
        answer = self.wire.ask("GET", file_path(key), 200)
        tally.begun(since)
        same(digest(pieces(answer), tally.add), sample.sha256, key)

    def delete(self, key: str) -> None:
        self.wire.ask("DELETE", file_path(key), 200, 204).read()

    def check_zip(self, answer: HTTPResponse, wanted: dict[str, str], tally: Tally) -> None:
        """Take a ZIP, then hold it against the digests of its members.

        That is done in a thread: other users would wait for it, and so would their figures.
        """
        with self._spooled(answer) as file:
            tally.end()
            tally.add(gevent.get_hub().threadpool.apply(zips.check, (file, wanted)))

    @contextmanager
    def _spooled(self, answer: HTTPResponse) -> Iterator[IO[bytes]]:
        """The body in a file without a name: the directory of a ZIP is at its end."""
        with tempfile.TemporaryFile(dir=self.job.scratch) as file:
            for piece in pieces(answer):
                file.write(piece)
            file.seek(0)
            yield file

    def post_urls(self) -> HTTPResponse:
        """Ask for the ZIP of all files of the origin."""
        self.wire.send(
            "POST",
            "/api/download",
            {"Content-Type": "application/json"},
            _urls(self.job.files),
        )
        answer = self.wire.answer(200)
        if answer.getheader("Content-Type") != "application/zip":
            raise Wrong(f"Content-Type {answer.getheader('Content-Type')}")
        return answer


class ZipsOfUrls(Transferring):
    """ZIPs of files of another server: the one scenario of stream-download."""

    @task
    def zip(self) -> None:
        with self.timed("zip") as tally:
            since = time.perf_counter()
            answer = self.post_urls()
            tally.begun(since)
            wanted = {sample.name: sample.sha256 for sample in self.job.files}
            self.check_zip(answer, wanted, tally)


class Uploads(Transferring):
    """Files that are put at once, or by tus with a break in the middle; each is got back."""

    @task
    def put(self) -> None:
        sample, key = self.random.choice(self.job.files), self.new_key()
        with self.timed("put") as tally:
            fields = {"Content-Length": str(sample.size)}
            body = _span(sample, 0, sample.size, tally)
            self.wire.ask("PUT", file_path(key), 201, fields=fields, body=body).read()
        self._get_back(sample, key)

    @task
    def resume(self) -> None:
        sample, key = self.random.choice(self.job.files), self.new_key()
        with self.timed("tus resumed") as tally:
            upload = self._create(sample, key)
            self._break_off(upload, sample, tally)
            self._finish(upload, sample, tally)
        self._get_back(sample, key)

    def _create(self, sample: Sample, key: str) -> str:
        fields = {
            **_TUS,
            "Upload-Length": str(sample.size),
            "Upload-Metadata": metadata(filename=key),
        }
        answer = self.wire.ask("POST", "/v1/uploads", 201, fields=fields, body=b"")
        answer.read()
        return path_of(answer.headers["Location"])

    def _break_off(self, upload: str, sample: Sample, tally: Tally) -> None:
        """Announce all of it, and leave after a part."""
        sent = self.random.randrange(1, sample.size)
        body = _then_leave(_span(sample, 0, sent, tally))
        try:
            self.wire.send("PATCH", upload, _patching(0, sample.size), body)
        except _Left:
            self.wire.close()

    def _finish(self, upload: str, sample: Sample, tally: Tally) -> None:
        """Go on at the offset that the server tells."""
        answer = self.wire.ask("HEAD", upload, 200, fields=_TUS)
        answer.read()
        offset = int(answer.headers["Upload-Offset"])
        if offset > tally.content:
            raise Wrong(f"the server has {offset:,} bytes, and {tally.content:,} were sent")
        tally.content = offset
        self.wire.ask(
            "PATCH",
            upload,
            204,
            fields=_patching(offset, sample.size - offset),
            body=_span(sample, offset, sample.size, tally),
        ).read()

    def _get_back(self, sample: Sample, key: str) -> None:
        with self.timed("get back") as tally:
            self.take(sample, key, tally)
            self.delete(key)


class Ranges(Transferring):
    """Parts of one large file."""

    @task
    def range(self) -> None:
        large = self.job.large
        start = self.random.randrange(large.size)
        stop = min(large.size, start + self.random.randrange(1, 4 * PIECE))
        form = f"{start}-{stop - 1}"
        if self.random.random() < 0.2:  # as who resumes, and as who wants the end
            stop = large.size
            form = self.random.choice((f"{start}-", f"-{stop - start}"))
        with self.timed("range") as tally:
            since = time.perf_counter()
            fields = {"Range": f"bytes={form}"}
            answer = self.wire.ask("GET", file_path(large.key), 206, fields=fields)
            tally.begun(since)
            told = f"bytes {start}-{stop - 1}/{large.size}"
            if answer.getheader("Content-Range") != told:
                raise Wrong(f"Content-Range {answer.getheader('Content-Range')}, not {told}")
            _hold_against(pieces(answer), large, start, stop, tally)


class Archives(Transferring):
    """Folders made into a ZIP inside the store, which is then got."""

    @task
    def archive(self) -> None:
        key = f"{self.job.prefix}-archives/{uuid.uuid4().hex}.zip"
        folder = self.job.files[0].key.rpartition("/")[0]
        with self.timed("archive") as tally:
            begun = self.wire.ask_json(
                "POST", "/v1/archives", 200, 202, told={"prefix": f"{folder}/", "key": key}
            )
            self._wait_for(begun["id"])
            since = time.perf_counter()
            answer = self.wire.ask("GET", file_path(key), 200)
            tally.begun(since)
            top = folder.rpartition("/")[2]
            wanted = {f"{top}/{sample.name}": sample.sha256 for sample in self.job.files}
            self.check_zip(answer, wanted, tally)
            self.delete(key)

    def _wait_for(self, name: str) -> None:
        deadline = time.monotonic() + self.job.timeout
        while time.monotonic() < deadline:
            stands = self.wire.ask_json("GET", f"/v1/archives/{name}", 200)
            if stands["state"] == "done":
                return
            if stands["state"] in ("failed", "cancelled"):
                raise Failed(f"the archive has {stands['state']}: {stands['error']}")
            gevent.sleep(0.2)
        raise Failed(f"the archive was not done after {self.job.timeout:g} s")


class SlowReaders(Transferring):
    """Files taken slowly: what the server holds for one of them it holds for long."""

    slow = True

    @task
    def read_slowly(self) -> None:
        sample = self.random.choice(self.job.files)
        with self.timed("slow") as tally:
            since = time.perf_counter()
            answer = self.wire.ask("GET", file_path(sample.key), 200)
            tally.begun(since)
            same(digest(self._slowly(answer), tally.add), sample.sha256, sample.key)

    def _slowly(self, answer: HTTPResponse) -> Iterator[bytes]:
        step = max(1, min(PIECE, self.job.rate // 8))
        for piece in pieces(answer, step):
            yield piece
            gevent.sleep(len(piece) / self.job.rate)


class Leavers(Transferring):
    """Those who close the connection in the middle. What came until then is right nevertheless."""

    @task
    def leave_a_file(self) -> None:
        large = self.job.large
        with self.timed("leave a file") as tally:
            answer = self.wire.ask("GET", file_path(large.key), 200)
            enough = self.random.randrange(1, large.size)
            taken = _until(pieces(answer), enough)
            _hold_against(taken, large, 0, large.size, tally, whole=False)
            self.wire.close()

    @task
    def leave_a_zip(self) -> None:
        with self.timed("leave a ZIP") as tally:
            answer = self.post_urls()
            enough = self.random.randrange(1, sum(sample.size for sample in self.job.files))
            for piece in _until(pieces(answer), enough):
                if tally.content == 0 and not piece.startswith(b"PK\x03\x04"):
                    raise Wrong(f"a ZIP that begins with {piece[:4]!r}")
                tally.add(len(piece))
            self.wire.close()

    @task
    def leave_an_upload(self) -> None:
        sample, key = self.random.choice(self.job.files), self.new_key()
        with self.timed("leave an upload") as tally:
            sent = self.random.randrange(sample.size)
            body = _then_leave(_span(sample, 0, sent, tally))
            try:
                fields = {"Content-Length": str(sample.size)}
                self.wire.send("PUT", file_path(key), fields, body)
            except _Left:
                self.wire.close()
            # Nothing is shown before it is whole; so there is nothing now, and nothing later.
            self.wire.ask("GET", file_path(key), 404).read()


class _Left(Exception):
    """A body ends here, and with it the connection."""


def _then_leave(body: Iterator[bytes]) -> Iterator[bytes]:
    yield from body
    raise _Left


def _until(parts: Iterator[bytes], enough: int) -> Iterator[bytes]:
    taken = 0
    for piece in parts:
        yield piece
        taken += len(piece)
        if taken >= enough:
            return


def _span(sample: Sample, start: int, stop: int, tally: Tally | None = None) -> Iterator[bytes]:
    """The bytes of a file from ``start`` to before ``stop``."""
    with open(sample.path, "rb") as file:
        file.seek(start)
        while start < stop:
            piece = file.read(min(PIECE, stop - start))
            start += len(piece)
            yield piece
            if tally is not None:
                tally.add(len(piece))


def _hold_against(
    parts: Iterator[bytes],
    sample: Sample,
    start: int,
    stop: int,
    tally: Tally,
    *,
    whole: bool = True,
) -> None:
    """Compare what comes, byte by byte, with a file from ``start`` to before ``stop``.

    :raises Wrong: a byte is another one, or there are too many; or too few, if ``whole``.
    """
    at = start
    with open(sample.path, "rb") as file:
        for piece in parts:
            if os.pread(file.fileno(), len(piece), at) != piece:
                raise Wrong(f"{sample.key}: other bytes between {at:,} and {at + len(piece):,}")
            at += len(piece)
            tally.add(len(piece))
    if at > stop or (whole and at != stop):
        raise Wrong(f"{sample.key}: {at - start:,} bytes came, not {stop - start:,}")


def _patching(offset: int, length: int) -> dict[str, str]:
    return {
        **_TUS,
        "Upload-Offset": str(offset),
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": str(length),
    }


def _urls(files: tuple[Sample, ...]) -> bytes:
    return json.dumps({"urls": [sample.url for sample in files]}).encode()


USERS: dict[str, tuple[type[Transferring], ...]] = {
    "zip": (ZipsOfUrls,),
    "uploads": (Uploads,),
    "ranges": (Ranges,),
    "archives": (Archives,),
    "slow": (SlowReaders,),
    "leave": (Leavers,),
    "mix": (ZipsOfUrls, Uploads, Ranges, Archives, SlowReaders, Leavers),
}
