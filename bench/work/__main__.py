"""``python -m bench.work``: a table; the exit code is 1 where there is more work than allowed.

``--renew`` writes the counts of today into ``baseline.json``.
"""

import sys
import tempfile
from argparse import ArgumentParser
from pathlib import Path

from bench.work.baseline import compare, read, renew, table
from bench.work.counted import NoTrace, check_strace, count


def main() -> int:
    parser = ArgumentParser("bench.work", description="Counts work; compares it with the baseline.")
    parser.add_argument("--renew", action="store_true", help="let today's counts be the baseline")
    asked = parser.parse_args()
    if asked.renew:
        try:
            check_strace()
        except NoTrace as why:
            print(f"a baseline has to have all counts: {why}", file=sys.stderr)
            return 1
    with tempfile.TemporaryDirectory(prefix="penstock-work-") as folder:
        counts = count(Path(folder), lambda text: print(text, file=sys.stderr))
    if asked.renew:
        renew(counts)
    rows = compare(counts, read())
    print(table(rows))
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
