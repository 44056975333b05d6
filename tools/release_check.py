"""Whether this checkout can be released: ``make release-check``.

Each check is a line; the exit code is 1 if one fails. ``--now`` leaves out what holds only at the
moment of a release: that nothing is uncommitted, and that the changelog has a section of the
version.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

import penstock

ROOT = Path(__file__).resolve().parents[1]
_STATIC = "src/penstock/server/static"


def tree_is_clean() -> str:
    """Nothing is uncommitted."""
    return _output(["git", "status", "--porcelain"]).strip()


def changelog_is_closed() -> str:
    """The first section of CHANGELOG.md is that of the version, with its day."""
    first = re.search(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    told = first[1] if first else "nothing"
    wanted = rf"\[?{re.escape(penstock.__version__)}\]? - \d{{4}}-\d\d-\d\d"
    return "" if re.fullmatch(wanted, told) else f"it is {told!r}"


def versions_agree() -> str:
    """openapi.yaml has the version of penstock.__version__, which is a release's."""
    contract = yaml.safe_load((ROOT / "src/penstock/server/openapi.yaml").read_text())
    told = contract["info"]["version"]
    if not re.fullmatch(r"\d+\.\d+\.\d+", penstock.__version__):
        return f"{penstock.__version__} is no version of a release"
    return "" if told == penstock.__version__ else f"{told} is not {penstock.__version__}"


def constraints_are_exact() -> str:
    """constraints.txt names one version of each package, and has every dependency."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {_name(line) for line in lines}
    vague = [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.!+]+", line)]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *_extras(project)]
    return ", ".join([*vague, *sorted({_name(one) for one in wanted} - pinned)])


def licenses_are_shipped() -> str:
    """Every folder of other people's files has its license beside them."""
    folders = [path for path in (ROOT / _STATIC).iterdir() if path.is_dir() and path.name != "js"]
    return ", ".join(path.name for path in folders if not (path / "LICENSE").is_file())


def wheel_is_sound() -> str:
    """sdist and wheel can be built, their metadata is valid, manual pages and assets are inside."""
    with tempfile.TemporaryDirectory(prefix="penstock-dist-") as folder:
        built = _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, "."])
        if built.returncode:
            return built.stdout[-500:] + built.stderr[-500:]
        files = sorted(map(str, Path(folder).iterdir()))
        checked = _run([sys.executable, "-m", "twine", "check", "--strict", *files])
        if checked.returncode:
            return checked.stdout
        [wheel] = Path(folder).glob("*.whl")
        return ", ".join(missing_in(wheel))


def missing_in(wheel: Path) -> Iterator[str]:
    """What every wheel has to have, and this one has not."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = ROOT / "src"
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package).as_posix()
        is_ours = path.is_file() and path.suffix != ".pyc" and "/." not in name
        if is_ours and name not in names:
            yield name
    for page in ("penstock.1", "penstock-serve.1"):
        if not any(name.endswith(f"/share/man/man1/{page}") for name in names):
            yield page
    for path in (ROOT / _STATIC).glob("*/LICENSE"):
        if not any(name.endswith(f"licenses/{path.relative_to(ROOT)}") for name in names):
            yield str(path.relative_to(ROOT))


Check = Callable[[], str]
"""Answers what is wrong; empty if it holds."""

ALWAYS: tuple[Check, ...] = (
    versions_agree,
    constraints_are_exact,
    licenses_are_shipped,
    wheel_is_sound,
)
AT_RELEASE: tuple[Check, ...] = (tree_is_clean, changelog_is_closed)


def main(arguments: list[str]) -> int:
    """Run the checks; answers the exit code."""
    failed = False
    for check in ALWAYS if arguments == ["--now"] else (*AT_RELEASE, *ALWAYS):
        wrong = check()
        failed |= bool(wrong)
        promise = (check.__doc__ or "").splitlines()[0]
        print(f"{'FAILS' if wrong else 'holds'}  {promise}")
        if wrong:
            print("       " + wrong.replace("\n", "\n       "))
    return int(failed)


def _extras(project: dict[str, dict[str, list[str]]]) -> Iterator[str]:
    for name, wanted in project["optional-dependencies"].items():
        if name != "all":
            yield from wanted


def _name(requirement: str) -> str:
    """PEP 503's, which is the same for all spellings."""
    found = re.match(r"[\w.-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0] if found else "").lower()


def _output(command: list[str]) -> str:
    ran = _run(command)
    return ran.stdout if ran.returncode == 0 else ran.stderr or "it fails"


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
