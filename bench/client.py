"""The load generator: the same for every server, in a process of its own.

Reads one job as JSON from standard input, prints ``{"seconds", "bytes"}``.
"""

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.connection import Connection, opened, write

Job = dict[str, Any]


def fetch(job: Job, keep: int) -> int:
    """The whole body of one URL; a GET, or a POST of the job's ``body``."""
    with Connection(job["port"], keep) as connection:
        if "body" in job:
            return connection.post(job["path"], job["body"].encode())
        return connection.get(job["path"])


def ranges(job: Job, keep: int) -> int:
    """Range after range of one file on one kept connection."""
    taken = 0
    with Connection(job["port"], keep) as connection:
        for start in range(0, job["size"], job["step"]):
            last = min(start + job["step"], job["size"]) - 1
            taken += connection.get(job["path"], f"Range: bytes={start}-{last}\r\n")
    return taken


def coded(job: Job, keep: int) -> int:
    """One path, or range of it, after the other in gzip, on one kept connection."""
    taken = 0
    with Connection(job["port"], keep) as connection:
        for path, span in job["asks"]:
            wanted = f"Range: bytes={span}\r\n" if span else ""
            taken += connection.get(path, f"Accept-Encoding: gzip\r\n{wanted}")
    return taken


def upload(job: Job, _keep: int) -> int:
    """One file as the raw body of a PUT."""
    with opened(job["file"]) as fd, Connection(job["port"]) as connection:
        return connection.put(job["path"], fd, job["size"])


def tus(job: Job, keep: int) -> int:
    """One file as a tus upload in PATCHes of ``step`` bytes; what is kept is its URL's path."""
    with opened(job["file"]) as fd, Connection(job["port"]) as connection:
        path = connection.create(job["path"], job["key"], job["size"])
        offset = 0
        while offset < job["size"]:
            stop = min(offset + job["step"], job["size"])
            connection.begin_patch(path, offset, stop - offset)
            connection.send(fd, offset, stop)
            offset = connection.end_patch()
            if offset != stop:
                raise RuntimeError(f"the server says {offset} where {stop} is right")
    if keep >= 0:
        write(keep, path.encode())
    return offset


def puts(job: Job, _keep: int) -> int:
    """File after file, each of ``size`` bytes and to a path of its own, on one connection."""
    with Connection(job["port"]) as connection:
        for one in job["files"]:
            with opened(one["file"]) as fd:
                connection.put(one["path"], fd, job["size"])
    return len(job["files"]) * int(job["size"])


def gets(job: Job, keep: int) -> int:
    """One path after the other on one connection."""
    with Connection(job["port"], keep) as connection:
        return sum(connection.get(one["path"]) for one in job["files"])


KINDS = {
    "fetch": fetch,
    "ranges": ranges,
    "coded": coded,
    "upload": upload,
    "tus": tus,
    "puts": puts,
    "gets": gets,
}


def run(job: Job) -> dict[str, float]:
    """Do the job on as many connections at once as it says.

    Or has ``bodies``, or ``shares`` of the files: one for each.
    """
    work = KINDS[job["kind"]]
    keep = os.open(job["keep"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC) if job.get("keep") else -1
    jobs = [{**job, "body": body} for body in job.get("bodies", ())]
    jobs += [{**job, "shares": (), "files": share} for share in job.get("shares", ())]
    jobs = jobs or [job] * job.get("connections", 1)
    with ThreadPoolExecutor(len(jobs)) as pool:
        started = time.perf_counter()
        counts = list(pool.map(lambda one: work(one, keep), jobs))
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "bytes": sum(counts)}


if __name__ == "__main__":
    json.dump(run(json.load(sys.stdin)), sys.stdout)
