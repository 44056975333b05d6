"""The console command ``penstock``.

Starting it costs click only; each command brings what it needs when it runs.
"""

import sys

from penstock import __version__


def main() -> None:
    """Run the command that ``sys.argv`` names and exit with its code."""
    if sys.argv[1:] == ["--version"]:  # asked for by scripts, so it is spared even click
        sys.stdout.write(f"penstock {__version__}\n")
        return
    from penstock.cli.root import run

    sys.exit(run(sys.argv[1:]))
