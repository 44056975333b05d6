"""Where the commands of a page run.

A scratch folder with the files that pages name, the programs of this environment, free ports in the
place of those that pages name, and a server unless the page starts one itself.
"""

import os
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.docs.pages import BACKGROUND, NOT_RUN, ROOT, Block, commands, name

_PORTS = (8080, 8081, 8082, 8100, 8888, 3000, 9000, 9001, 9002, 8201, 8202)
"""The ports that pages name. Each is another, free one when the page is run: the only thing that is
not run as it stands there."""

SECONDS = 300
"""That a page may take, on a machine that is busy with other tests as well."""

_FILES = {
    "photo.jpg": 300_000,
    "notes.txt": 5_000,
    "film.mp4": 3_000_000,
    "film.mkv": 3_000_000,
    "long.mkv": 12_000_000,
    "photos/a.jpg": 200_000,
    "photos/b.jpg": 250_000,
    "photos/2024/a.jpg": 150_000,
    "penstock-data/files/photos/2024/a.jpg": 150_000,
    "penstock-data/files/photos/2024/b.jpg": 2_000_000,
    "penstock-data/files/films/film.mkv": 3_000_000,
}


class Failed(AssertionError):
    """A command of a page failed."""


class Stage:
    """One page's surroundings; ``close`` ends all that the page has started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = dict(zip(_PORTS, _free(len(_PORTS)), strict=True))
        self._home = folder / "home"
        self._work = folder / "work"
        self._process: subprocess.Popen[bytes] | None = None
        for key, size in _FILES.items():
            _fill(self._work / key, size)
        self._home.mkdir()
        # Without this curl calls an answer of 404 a success.
        (self._home / ".curlrc").write_text("fail\nsilent\nshow-error\n")

    def run(self, blocks: Sequence[Block]) -> str:
        """Run the blocks in one shell; answers what they printed.

        :raises Failed: when a command fails, with what it printed.
        """
        serves = not any(block.marker == BACKGROUND for block in blocks)
        script = "\n".join(
            [
                "set -e",
                *([_in_background(0, "penstock serve", "is listening on")] if serves else []),
                *map(self._command, blocks),
                "",
            ]
        )
        (self._folder / "script").write_text(script)
        with (self._folder / "printed").open("wb") as printed:
            self._process = subprocess.Popen(
                ["bash", self._folder / "script"],
                cwd=self._work,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self._outcome(self._process)

    def close(self) -> None:
        """End whatever still runs."""
        if self._process is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self._process.pid, number)
                except ProcessLookupError:
                    return
                self._process.wait()

    def _outcome(self, process: subprocess.Popen[bytes]) -> str:
        try:
            ended = f"exit code {process.wait(SECONDS)}"
        except subprocess.TimeoutExpired:
            ended = f"not done after {SECONDS} s"
        self.close()
        printed = (self._folder / "printed").read_text(errors="replace")
        if ended != "exit code 0":
            raise Failed(f"{ended}\n{printed[-8000:]}")
        return printed

    def _command(self, block: Block) -> str:
        text = self.rewritten(block.text)
        says = f"echo '@@ line {block.line}'"
        if block.language == "python":
            program = self._folder / f"line-{block.line}.py"
            program.write_text(text)
            runner = Path(__file__).with_name("run_python.py")
            return f"{says}\n{shlex.join([sys.executable, str(runner), str(program)])}"
        if block.marker == BACKGROUND:
            return f"{says}\n{_in_background(block.line, text, block.said)}"
        return f"{says}\n{text}"

    def rewritten(self, text: str) -> str:
        """A page's text with ports that are free here."""
        numbers = "|".join(map(str, self._ports))
        return re.sub(rf"(?<![\d.])({numbers})(?!\d)", lambda m: str(self._ports[int(m[1])]), text)

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PENSTOCK_", "AWS_"))}
        here = os.path.dirname(sys.executable)
        return {
            **kept,
            "PATH": f"{here}:{kept['PATH']}",
            "HOME": str(self._home),
            "CURL_HOME": str(self._home),
            "TMPDIR": str(self._home),
            "VIRTUAL_ENV": os.path.dirname(here),
            "PYTHONUNBUFFERED": "1",
            "NO_COLOR": "1",
            "COLUMNS": "120",
            "PENSTOCK_PORT": str(self._ports[8080]),
            "PENSTOCK_SERVER": f"http://127.0.0.1:{self._ports[8080]}",
            "PENSTOCK_RELAY_PORT": str(self._ports[8888]),
            "PENSTOCK_SHUTDOWN_TIMEOUT": "1",
            "PENSTOCK_SOURCE": str(ROOT),
        }


def perform(page: Path, stage: Stage) -> None:
    """Run what can be run of a page, and see that no block was left out."""
    run = [block for block in commands(page) if block.marker != NOT_RUN]
    if not run:
        reasons = {block.said for block in commands(page)}
        told = "; ".join(sorted(reasons))
        pytest.skip(f"{name(page)}: none of {len(commands(page))} blocks: {told}")

    printed = stage.run(run)

    assert printed.count("@@ line ") == len(run)


def _in_background(number: int, text: str, ready: str) -> str:
    """Shell that runs ``text`` in a shell of its own and waits until it has printed ``ready``."""
    name = f"../background-{number}"
    return "\n".join(
        [
            f"cat >{name}.sh <<'END OF BLOCK'\n{text}\nEND OF BLOCK",
            f"bash -e {name}.sh >{name}.log 2>&1 &",
            f"until grep -qse {shlex.quote(ready)} {name}.log; do",
            f"  kill -0 $! 2>/dev/null || {{ cat {name}.log; exit 1; }}",
            "  sleep 0.1",
            "done",
            f"cat {name}.log",
        ]
    )


def _free(count: int) -> list[int]:
    """So many ports that nobody listens on."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


def _fill(path: Path, size: int) -> None:
    """Text that is no repetition, the same in every run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(random.Random(path.name).randbytes(size // 2).hex())
