"""What a server has cost so far, read from the kernel; nothing runs inside the server."""

import os
import time
from pathlib import Path

_WHOLE_PROCESS = 2  # CPUCLOCK_SCHED of the kernel: every thread, those that ended included


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children.

    Read from each process's CPU clock (``clock_getcpuclockid``): the same count as in
    ``/proc/PID/stat``, in nanoseconds instead of ticks of 10 ms.
    """
    return sum(time.clock_gettime_ns(~member << 3 | _WHOLE_PROCESS) for member in tree(pid)) / 1e9


def peak_rss(pid: int) -> int:
    """The most memory, in bytes, that a process and its children ever held (``VmHWM``)."""
    return sum(_status(member, "VmHWM") for member in tree(pid))


def rss(pid: int) -> int:
    """The memory, in bytes, that a process and its children hold now (``VmRSS``)."""
    return sum(_status(member, "VmRSS") for member in tree(pid))


def descriptors(pid: int) -> int:
    """How many files and sockets a process holds open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in tree(int(child)))]


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def machine() -> dict[str, object]:
    """What the numbers depend on beyond the programs."""
    cpus = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "kernel": os.uname().release,
        "cpu": cpus[0] if cpus else os.uname().machine,
        "cpus": os.cpu_count(),
        "load": [round(value, 2) for value in os.getloadavg()],
    }
