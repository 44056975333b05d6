"""What ``strace`` writes, summed up."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

IN_KERNEL = ("sendfile", "splice", "copy_file_range")
"""Move bytes that the program never sees."""

_IN = ("read", "pread64", "readv", "preadv", "preadv2", "recvfrom", "recvmsg")
_OUT = ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg")
THROUGH_US = (*_IN, *_OUT)
"""Copy bytes to or from the program."""

SYNCS = ("fsync", "fdatasync", "sync_file_range", "syncfs")
_OTHERS = ("openat", "openat2", "newfstatat", "statx", "fstat", "close", "renameat2", "rename")
_ARRIVALS = ("accept", "accept4")

OPTIONS = ["-f", "--seccomp-bpf", "-qqq", "-y", "-s", "0", "-e", "signal=none"]
_TRACED = (*IN_KERNEL, *THROUGH_US, *SYNCS, *_OTHERS, *_ARRIVALS)
COMMAND = [
    "strace",
    "-D",  # the tracer is no parent: signals and exit codes are the program's own
    *OPTIONS,
    "-e",
    "trace=" + ",".join(f"?{name}" for name in _TRACED),
]
"""Before ``-o FILE PROGRAM …``. The question mark allows calls that a machine does not have."""

_LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. \w+ resumed>)?(?P<text>.*)\n?")
_CALL = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+|\?)(?P<rest>.*)")
_UNFINISHED = " <unfinished ...>"
_SOCKET = re.compile(r"<(socket:\[\d+\]|TCP[^>]*->[^>]*)>")


@dataclass
class Trace:
    """The calls that concern our callers and the files below ``data``, the catalog's apart.

    Reads lines as they come; what a line left open is ended by a later one.
    """

    data: str
    catalog: str
    calls: int = 0
    through_us: int = 0
    in_kernel: int = 0
    syncs: int = 0
    catalog_syncs: int = 0
    _callers: set[str] = field(default_factory=set)
    _begun: dict[str, str] = field(default_factory=dict)

    def read(self, lines: Iterable[str]) -> None:
        for call in self._whole(lines):
            if match := _CALL.match(call):
                result = int(match["result"]) if match["result"] != "?" else -1
                self._count(match["name"], match["arguments"], result, match["rest"])

    def _count(self, name: str, arguments: str, result: int, rest: str) -> None:
        if name in _ARRIVALS:
            self._callers.update(_SOCKET.findall(rest))
        elif self.catalog in arguments:
            self.catalog_syncs += name in SYNCS
        elif self.data in arguments or not self._callers.isdisjoint(_SOCKET.findall(arguments)):
            self.calls += 1
            self.syncs += name in SYNCS
            if name in IN_KERNEL:
                self.in_kernel += max(result, 0)
            elif name in THROUGH_US:
                self.through_us += max(result, 0)

    def _whole(self, lines: Iterable[str]) -> Iterator[str]:
        """Calls that another thread interrupted are put together."""
        for line in lines:
            match = _LINE.fullmatch(line)
            if match is None:
                continue
            thread, text = match["thread"], self._begun.pop(match["thread"], "") + match["text"]
            if text.endswith(_UNFINISHED):
                self._begun[thread] = text.removesuffix(_UNFINISHED)
            else:
                yield text
