"""What one run of Locust is told, and what it tells: plain data, as JSON between two processes."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from load.stages import Stage

SCENARIOS = {
    "zip": "ZIPs of files of another server by POST /api/download, as stream-download is loaded",
    "uploads": "files put at once, and by tus with a break in the middle; each is got back",
    "ranges": "parts of one large file",
    "archives": "a folder made into a ZIP inside the store, and got",
    "slow": "files read slowly",
    "leave": "downloads, ZIPs and uploads that are left in the middle",
    "mix": "all of them at once",
}


@dataclass(frozen=True)
class Sample:
    """A file that is transferred: here at ``path``, at the origin at ``url``, in the server at
    ``key``.
    """

    path: str
    url: str
    key: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        return Path(self.path).name


@dataclass(frozen=True)
class Job:
    """One scenario on one server.

    ``prefix`` is the folder of the server that everything is put into. Each user waits ``pause``
    seconds between two transfers, gives a connection up that says nothing for ``timeout``, and has
    ``grace`` to end what it began when users become fewer. ``rate`` is that of slow readers, in
    bytes a second. ``rest`` is how long nobody asks anything, in seconds, between the warm-up and
    the stages.
    """

    scenario: str
    url: str
    token: str
    prefix: str
    files: tuple[Sample, ...]
    large: Sample
    warm_up: tuple[Stage, ...]
    stages: tuple[Stage, ...]
    tick: float
    pause: float
    rest: float
    timeout: float
    grace: float
    rate: int
    scratch: str
    seed: int

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        told = json.loads(text)
        told["files"] = tuple(Sample(**one) for one in told["files"])
        told["large"] = Sample(**told["large"])
        for name in ("warm_up", "stages"):
            told[name] = tuple(Stage(*one) for one in told[name])
        return cls(**told)


@dataclass(frozen=True)
class Transfer:
    """One transfer that has ended: times in seconds (``started`` since the epoch), file content in
    bytes. ``wrong``: it looked like a success, and its bytes are not those that were put.
    """

    kind: str
    phase: str
    started: float
    seconds: float
    first_byte: float
    content: int
    error: str
    wrong: bool


@dataclass(frozen=True)
class Mark:
    """A part of the run begins: ``warm-up``, ``rest``, ``run``, ``after``, in seconds since the
    epoch; or, of ``users``, their number changes.
    """

    name: str
    at: float
    users: int
