"""The host: its disks, its clock, its limits, and what is installed."""

import ctypes
import os
import resource
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from penstock.doctor.findings import Finding, State, ok, warning

_FEW: Final = 10_000
"""Files that can still be made, below which it is told."""

_NOT_A_DISK: Final = {
    "tmpfs": "it is in memory: nothing in it survives a restart of the host",
    "ramfs": "it is in memory: nothing in it survives a restart of the host",
    "overlay": "it is the layer of a container, and goes with it; mount a volume there",
    "nfs": "locks and fsync over NFS are as good as its server; an SQLite catalog must not be on "
    "it, and only one host may use it",
    "nfs4": "locks and fsync over NFS are as good as its server; an SQLite catalog must not be on "
    "it, and only one host may use it",
    "cifs": "it does not keep POSIX locks and renames; use a local disk, or a store in S3",
    "smb3": "it does not keep POSIX locks and renames; use a local disk, or a store in S3",
    "9p": "it does not keep POSIX locks and renames; use a local disk, or a store in S3",
    "vboxsf": "it does not keep POSIX locks and renames; use a local disk, or a store in S3",
}
"""File systems that are not what a server's data should be on, and why."""

_EXTRAS: Final = {
    "compress": (("brotli",), "text is sent in gzip only"),
    "postgres": (("psycopg",), "the catalog can be SQLite only"),
    "profile": (("memray",), "no profiles are made"),
    "s3": (("botocore",), "files cannot be kept in S3"),
    "traces": (("opentelemetry",), "no traces are sent"),
}
"""The modules of each extra, and what is done without it."""

_STATUS_AT: Final = 40
_UNSYNCHRONISED: Final = 0x40
"""Where ``struct timex`` has its status on 64-bit Linux, and its STA_UNSYNC (adjtimex(2))."""


def look_at_disk(path: Path) -> list[Finding]:
    """The disk that a folder is on: space, inodes, kind. Blocks."""
    there = path.absolute()
    while not os.path.exists(there) and there != there.parent:
        there = there.parent
    found = os.statvfs(there)
    findings = []
    if found.f_files and found.f_favail < _FEW:
        findings.append(
            warning(
                f"inodes in {path}",
                f"only {found.f_favail:,} more files can be made, however much space is free",
            )
        )
    kind = file_system(there)
    why = _NOT_A_DISK.get(kind, "")
    name = f"file system of {path}"
    findings.append(warning(name, f"{kind}: {why}") if why else ok(name, kind or "not told"))
    return findings


def file_system(path: Path, mounts: Path = Path("/proc/self/mountinfo")) -> str:
    """The kind of the file system that a path is in, as the kernel calls it; empty if untold."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
    except OSError:
        return ""
    real, best, kind = os.path.realpath(path), -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        point = before.split()[4].encode().decode("unicode_escape")  # \\040 is a space
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, kind = len(point), after.split()[0]
    return kind


def look_at_clock(*, matters: bool) -> Finding:
    """Whether something keeps the host's clock right; ``matters``: others read it, too."""
    name = "this host's clock"
    synchronised = _synchronised()
    if synchronised is None:
        return ok(name, "it is not told whether NTP keeps it right")
    if synchronised:
        return ok(name, "NTP keeps it right")
    if matters:
        return warning(name, "nothing keeps it right; run chrony or systemd-timesyncd")
    return ok(name, "nothing is known to keep it right, and nobody else depends on it")


def _synchronised() -> bool | None:
    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "adjtimex") or ctypes.sizeof(ctypes.c_long) != 8:
        return None
    told = (ctypes.c_char * 512)()
    if library.adjtimex(told) < 0:
        return None
    status = int.from_bytes(bytes(told)[_STATUS_AT : _STATUS_AT + 4], "little")
    return not status & _UNSYNCHRONISED


def look_at_limits(max_transfers: int) -> Finding:
    """Whether as many files may be open as the transfers need: up to four for each."""
    name = "open files"
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 4 * max_transfers + 256
    text = "as many as wanted" if most == resource.RLIM_INFINITY else f"{most:,} for a process"
    if most != resource.RLIM_INFINITY and most < needed:
        return warning(
            name,
            f"{text}, and {max_transfers:,} transfers may need {needed:,}: raise LimitNOFILE= or "
            "ulimit -n, or lower max_transfers",
        )
    return ok(name, text)


def look_at_extras() -> list[Finding]:
    """What is installed beside the program itself."""
    return [_extra(name, modules, without) for name, (modules, without) in _EXTRAS.items()]


def _extra(name: str, modules: tuple[str, ...], without: str) -> Finding:
    if all(find_spec(module) for module in modules):
        return ok(f"extra {name}", "installed")
    told = f"no: {without}; pip install 'penstock[{name}]' brings it"
    return Finding(f"extra {name}", State.ABSENT, told)
