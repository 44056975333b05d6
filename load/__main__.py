"""Load a server as stream-download was loaded, and in six more ways; every byte is checked.

    python -m load                   ZIPs of URLs: 30 s to 10 users, 1 min, 30 s to 20, 1 min, down
    python -m load zip --short       the same in five seconds; proves that it works
    python -m load all               every scenario in turn; --list names them
    python -m load mix --url http://files.example:8080 --token TOKEN --origin 192.0.2.7

Without ``--url`` a server is started with its defaults, and ended afterwards. One that runs
elsewhere is told by ``--remote-allow`` that it may fetch from this machine, whose address is
``--origin``; nothing else should use it meanwhile.

Before the stages all users come once, so that what the server makes once is made; after a rest in
which its memory, descriptors, threads and tasks are noted, the stages follow, and then it has to
come back to what was noted. 95 of 100 transfers take less than 30 s, and fewer than a tenth fail:
those are the thresholds of stream-download. Not one wrong byte is ours. The exit code is 1 where
one of them does not hold.

Figures, thresholds and a picture are written to ``--results`` (load/results).
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from load import runner
from load.job import SCENARIOS
from load.sample import size

RESULTS = Path(__file__).with_name("results")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line names; answers the exit code."""
    options = _options(arguments)
    if options.list:
        print("\n".join(f"{name:10}{meaning}" for name, meaning in SCENARIOS.items()))
        return 0
    options.results.mkdir(parents=True, exist_ok=True)
    target = runner.Target(options.url, options.token, options.origin)
    held = True
    for name in options.names:
        _say(f"{name}: {SCENARIOS[name]}")
        stem = options.results / f"{time.strftime('%Y%m%d-%H%M%S')}-{name}"
        with tempfile.TemporaryDirectory(prefix="penstock-load-", dir=options.dir) as folder:
            run = runner.Run(name, options.effort, target, Path(folder))
            report = run.report(stem, options.seed)
        print(report.text(), flush=True)
        _say(f"written to {stem}.json, .md and .svg")
        held &= report.holds
    return 0 if held else 1


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m load", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME", help="scenarios; zip if none, or all")
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--short", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--url", default="", help="a server that runs already")
    parser.add_argument(
        "--token",
        default=os.environ.get("PENSTOCK_TOKEN", ""),
        help="that it asks for (default: $PENSTOCK_TOKEN)",
    )
    parser.add_argument(
        "--origin", default="127.0.0.1", help="address of this machine, as that server reaches it"
    )
    parser.add_argument("--size", type=size, help="of each of the ten files (4MiB)")
    parser.add_argument("--seed", type=int, default=0, help="other files, other choices")
    parser.add_argument("--dir", help="where the files go (default: the temporary folder)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the report goes")
    options = parser.parse_args(arguments)
    options.names = options.names or ["zip"]
    if "all" in options.names:
        options.names = list(SCENARIOS)
    if unknown := set(options.names) - set(SCENARIOS):
        parser.error(f"no scenario is called {', '.join(sorted(unknown))}: {', '.join(SCENARIOS)}")
    options.effort = runner.SHORT if options.short else runner.FULL
    if options.size is not None:
        options.effort = replace(options.effort, size=options.size)
    return options


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
