"""Has the wheel bring the manual pages, which are made of the commands (tools/manual.py).

An sdist has them ready. A wheel that is built of a checkout, where the commands do not run because
nothing is installed (``pip install .``), comes without them, and that is said.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Manual(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self._made = ""
        if version == "editable":
            return
        pages = Path(self.root, "man")
        if not pages.is_dir():
            self._made = tempfile.mkdtemp(prefix="penstock-man-")
            pages = Path(self._made)
            if not self._make(pages):
                return
        if self.target_name == "sdist":
            build_data["force_include"][str(pages)] = "man"
        else:
            build_data["shared_data"][str(pages)] = "share/man/man1"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        shutil.rmtree(self._made, ignore_errors=True)

    def _make(self, pages: Path) -> bool:
        command = [sys.executable, "-m", "tools.manual", str(pages)]
        environment = {**os.environ, "PYTHONPATH": str(Path(self.root, "src"))}
        made = subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True, check=False
        )
        if made.returncode:
            last = made.stderr.strip().splitlines()[-1:]
            self.app.display_warning(f"without manual pages: {' '.join(last)}")
        return not made.returncode
