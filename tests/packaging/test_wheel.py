"""What is released: the wheel and the sdist, used where the repository is not."""

import os
import shutil
import subprocess
import sys
import tarfile
import urllib.request
from pathlib import Path

import aiohttp
import pytest
import sqlalchemy

import penstock
from tools.release_check import missing_in

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    """What it prints; it must succeed."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), **variables}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, and the wheel that is built of it."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    run(*command, folder=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    [wheel] = dist.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; only its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder, folder=folder)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    run(*pip, "--no-deps", "--no-index", wheel, folder=folder)
    dependencies = {str(Path(module.__file__ or "").parents[1]) for module in (aiohttp, sqlalchemy)}
    [packages] = folder.glob("lib/python*/site-packages")
    # The paths alone: no file in them that leads to the repository is read.
    (packages / "dependencies.pth").write_text("\n".join(dependencies))
    told = run(python, "-c", "import penstock; print(penstock.__file__)", folder=folder)
    assert told.startswith(str(packages))
    return folder


def test_every_file_of_the_package_is_in_the_wheel(wheel: Path) -> None:
    assert list(missing_in(wheel)) == []


def test_the_sdist_has_what_tests_and_documents_need_and_nothing_else(dist: Path) -> None:
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    tops = {name.partition("/")[0] for name in names}
    assert {"src", "tests", "docs", "deploy", "bench", "tools", "man", "Makefile"} <= tops
    assert {"pyproject.toml", "constraints.txt", "LICENSE", "CHANGELOG.md"} <= tops
    assert "tests/install-tools" in names
    assert not tops & {"seeds", "dist", ".venv", "penstock-data", "site", "node_modules"}


def test_its_metadata_is_what_an_index_takes(dist: Path) -> None:
    files = [*map(str, dist.iterdir())]
    run(sys.executable, "-m", "twine", "check", "--strict", *files, folder=dist)


def test_it_tells_its_version(installed: Path) -> None:
    for command in (("penstock",), ("python", "-m", "penstock")):
        told = run(installed / "bin" / command[0], *command[1:], "--version", folder=installed)
        assert told == f"penstock {penstock.__version__}\n"


def test_it_serves_far_from_the_repository(installed: Path, tmp_path: Path) -> None:
    penstock_ = installed / "bin" / "penstock"
    server = subprocess.Popen(
        [penstock_, "serve", "--port", "0", "--data", "here"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    try:
        url = server.stdout.readline().split()[-1]
        (tmp_path / "file").write_bytes(b"hello")
        client = {"folder": tmp_path, "PENSTOCK_SERVER": url}
        run(penstock_, "put", "file", **client)  # type: ignore[arg-type]
        run(penstock_, "get", "file", "-o", "copy", **client)  # type: ignore[arg-type]
        sizes = {path: len(fetched(url + path)) for path in ("/", "/docs", "/static/app.css")}
        contract = fetched(url + "/openapi.yaml")
    finally:
        server.terminate()
        server.wait(timeout=60)
        server.stdout.close()

    assert (tmp_path / "copy").read_bytes() == b"hello"
    assert min(sizes.values()) > 500
    assert contract.startswith(b"openapi: ")
    assert (tmp_path / "here" / "catalog.sqlite").exists()  # the migrations are inside too


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        found: bytes = answer.read()
        return found


def test_man_finds_its_pages(installed: Path) -> None:
    pages = installed / "share" / "man" / "man1"
    assert (pages / "penstock.1").exists()
    if shutil.which("man") is None:
        pytest.skip("man is not installed")

    told = run("man", "penstock-serve", folder=installed, MANPATH=str(pages.parent))

    assert "penstock serve [OPTIONS]" in " ".join(told.split())


@pytest.mark.parametrize(("program", "words"), [("uvx", ["--from"]), ("pipx", ["run", "--spec"])])
def test_it_runs_without_being_installed(wheel: Path, program: str, words: list[str]) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    command = [program, *words, str(wheel), "penstock", "--version"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240)
    if ran.returncode and "network" in ran.stderr.lower():
        pytest.skip("the dependencies cannot be fetched: no network")

    assert ran.stdout == f"penstock {penstock.__version__}\n", ran.stderr
