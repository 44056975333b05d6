"""Compare Penstock with other servers: CPU, wall time and memory.

    python -m bench                        everything at full size: 1 GiB, 5 rounds
    python -m bench file ranges            only these; --list names all
    python -m bench --size 256MiB --runs 9 smaller and more often
    python -m bench --quick                tiny: proves that the benchmarks themselves work
    python -m bench tus-kills --kills 200  what becomes of uploads when the server is killed
    python -m bench jobs                   what becomes of jobs when workers are killed and frozen
    python -m bench upload-crowd --uploads 5000 --seconds 60
    python -m bench cluster --runs 3       storage nodes, a folder, parts in sequence

Every benchmark starts its servers afresh, checks one answer of each by its hash, and then measures
them in turn (A B C A B C …), so that a busy moment of the machine hits all alike. The client is
the same for all and runs in a process of its own. Files are warm in the page cache. The cases
``downloads…`` compare clients instead, from start to end of the command.

- *CPU s/GiB*: user and system time of the server's (client's) processes for 1 GiB of file content.
- *MiB/s*: file content by wall time at the client.
- *peak RSS*: the most memory held since the server (client) started, in MB of 10^6 bytes.
- *size ÷ content*: of deflated ZIPs.

Files go to a folder below ``--dir`` (the system's temporary folder), which is removed afterwards.
The report is printed and written to ``--results`` (bench/results) as Markdown and JSON. A peer
that is not installed is left out, and that is said. Ours is one process with threads; nginx has
one worker process, Go its default GOMAXPROCS; the CPU time of the whole program is counted. In the
cases ``workers…`` ours has one and two worker processes, and nginx two.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import ByteSize, TypeAdapter

from bench import crowd, flatness, jobs, kills, relay, table, takeover, upload_crowd
from bench.cases import BENCHMARKS, archives, cluster
from bench.corpus import Corpus
from bench.effort import QUICK, Effort
from bench.measure import machine
from bench.peers.server import PeerMissing

# What is no comparison of rounds: each has a way of its own to run and to be told.
_OTHERS = {
    room.NAME: room
    for room in (takeover, kills, flatness, crowd, upload_crowd, jobs, relay, archives, cluster)
}
NAMES = (*BENCHMARKS, *_OTHERS)
RESULTS = Path(__file__).with_name("results")
_EFFORTS: tuple[tuple[str, type, str], ...] = (
    ("runs", int, "rounds"),
    ("patience", float, "seconds after which tus-resume gives a server up"),
    ("kills", int, "of each server in tus-kills; of workers in jobs, but no more than 19"),
    ("uploads", int, "at once in upload-crowd"),
    ("seconds", float, "that each of them takes"),
    ("files", int, "of 100 KiB in cluster"),
)
_SIZES: TypeAdapter[ByteSize] = TypeAdapter(ByteSize)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks that the command line names."""
    options = _options(arguments)
    if options.list:
        print("\n".join(NAMES))
        return
    options.results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="penstock-bench-", dir=options.dir) as folder:
        _run(options, Corpus(Path(folder), options.size))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run; all if none")
    parser.add_argument("--list", action="store_true", help="name the benchmarks")
    parser.add_argument("--size", type=_SIZES.validate_python, default="1GiB", help="of the file")
    for name, kind, meaning in _EFFORTS:
        default = getattr(Effort, name)
        explained = f"{meaning} (default: {default})"
        parser.add_argument(f"--{name}", type=kind, default=default, help=explained)
    parser.add_argument("--dir", help="where the files go (default: the temporary folder)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the report goes")
    parser.add_argument("--quick", action="store_true", help="8 MiB, one round, few of all else")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no benchmark is called {', '.join(sorted(unknown))}: {', '.join(NAMES)}")
    options.names = options.names or NAMES
    options.effort = Effort(**{name: getattr(options, name) for name, _, _ in _EFFORTS})
    if options.quick:
        options.size, options.effort = ByteSize(8 << 20), QUICK
    return options


def _run(options: argparse.Namespace, corpus: Corpus) -> None:
    about = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **machine()}
    texts = [f"# Penstock and its peers\n\n{_sentence(about)}\n"]
    documents: list[dict[str, object]] = []
    stem = options.results / time.strftime("%Y%m%d-%H%M%S")
    for name in options.names:
        try:
            text, document = _measured(name, corpus, options.effort)
        except PeerMissing as missing:
            _say(f"without {name}: {missing}")
            continue
        print(text, flush=True)
        texts.append(text)
        documents.append(document)
        # After each one: a run that is broken off keeps what it has.
        stem.with_suffix(".md").write_text("\n".join(texts))
        stem.with_suffix(".json").write_text(
            json.dumps({"about": about, "benchmarks": documents}, indent=1)
        )
    _say(f"written to {stem}.md and .json")


def _measured(name: str, corpus: Corpus, effort: Effort) -> tuple[str, dict[str, object]]:
    """One measurement for people and as data.

    :raises PeerMissing: something that it needs is not installed.
    """
    if (room := _OTHERS.get(name)) is not None:
        found = room.run(corpus, effort, _say)
        return room.comparison(found), room.document(found)
    benchmark = BENCHMARKS[name]
    results = benchmark.run(corpus, effort.runs, _say)
    return table.comparison(benchmark, results), table.document(benchmark, results)


def _sentence(about: dict[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in about.items())


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
