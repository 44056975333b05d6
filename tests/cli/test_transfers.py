"""put, get, ls, rm and zip as a person uses them."""

import os
import zipfile
from pathlib import Path

from tests.cli.running import Cli, kinds


def test_a_file_there_and_back(penstock: Cli, film: Path) -> None:
    put = penstock("put", "film.mkv", "--to", "films/a film.mkv")
    got = penstock("get", "films/a film.mkv", "-o", "copy.mkv")

    assert (put.code, put.lines, put.err) == (0, ["films/a film.mkv  4.0 MiB"], "")
    assert (got.code, got.lines, got.err) == (0, ["copy.mkv  4.0 MiB"], "")
    assert (penstock.folder / "copy.mkv").read_bytes() == film.read_bytes()


def test_names_follow_the_source(penstock: Cli, film: Path) -> None:
    assert penstock("put", film).lines == ["film.mkv  4.0 MiB"]
    assert penstock("put", film, "--to", "x/").lines == ["x/film.mkv  4.0 MiB"]
    film.unlink()

    assert penstock("get", "x/film.mkv").lines == ["film.mkv  4.0 MiB"]
    assert penstock("get", "x/film.mkv", "-o", "new/").lines == ["new/film.mkv  4.0 MiB"]
    assert os.path.getsize(penstock.folder / "new" / "film.mkv") == (4 << 20) + 17


def test_standard_input_and_output(penstock: Cli) -> None:
    data = os.urandom(3_000_000)

    put = penstock("put", "-", "--to", "piped", stdin=data)
    got = penstock("get", "piped", "-o", "-")

    assert (put.code, got.code) == (0, 0)
    assert got.out == data


def test_a_regular_file_as_standard_input(penstock: Cli, film: Path) -> None:
    with film.open("rb") as stdin:
        assert penstock.start("put", "-", "--to", "redirected", stdin=stdin).wait(30) == 0

    assert penstock("get", "redirected", "-o", "-").out == film.read_bytes()


def test_a_folder_there_and_back(penstock: Cli) -> None:
    names = ["a b.txt", "ü%?#.txt", "sub/c.txt"]
    for name in names:
        path = penstock.folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)

    put = penstock("put", "photos/", "--to", "trips")
    got = penstock("get", "trips/photos/", "-o", "copy")

    assert sorted(put.lines[:-1]) == sorted(
        f"trips/photos/{name}  {len(name.encode())} B" for name in names
    )
    assert put.lines[-1].startswith("3 files, 25 B in ")
    assert got.code == 0
    assert [(penstock.folder / "copy/photos" / name).read_text() for name in names] == names

    again = penstock("put", "photos/", "--to", "trips")
    assert again.lines[-1].endswith(", 3 already there")


def test_several_sources_and_several_keys(penstock: Cli) -> None:
    for name in ("one", "two"):
        (penstock.folder / name).write_text(name)

    put = penstock("put", "one", "two", "--to", "several")
    got = penstock("get", "several/one", "several/two", "-o", "both")

    assert (put.code, got.code) == (0, 0)
    assert (penstock.folder / "both" / "two").read_text() == "two"


def test_listing(penstock: Cli) -> None:
    for key in ("ls/b", "ls/a/deep", "ls/c"):
        penstock("put", "-", "--to", key, stdin=b"12345")

    assert penstock("ls", "ls/").lines == ["ls/a/", "ls/b", "ls/c"]
    assert penstock("ls", "ls/", "-r").lines == ["ls/a/deep", "ls/b", "ls/c"]
    long = penstock("ls", "ls/b", "-l")
    assert long.lines[0].split()[:2] == ["5", "B"]
    assert long.lines[0].endswith("  ls/b")


def test_removing(penstock: Cli) -> None:
    for key in ("rm/a", "rm/b/c", "rm-other"):
        penstock("put", "-", "--to", key, stdin=b"x")

    refused = penstock("rm", "rm/")
    removed = penstock("rm", "-r", "rm/", "rm-other")

    assert (refused.code, removed.code) == (2, 0)
    assert "-r" in refused.err
    assert sorted(removed.lines) == ["rm-other  removed", "rm/a  removed", "rm/b/c  removed"]
    assert penstock("ls", "rm").code == 4


def unzipped(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_a_zip(penstock: Cli) -> None:
    for key in ("z/in/one", "z/in/two", "z/three"):
        penstock("put", "-", "--to", key, stdin=key.encode())

    named = penstock("zip", "z/in/")
    chosen = penstock("zip", "z/in/one", "z/three", "-o", "chosen.zip")
    piped = penstock("zip", "z/in/", "-o", "-")

    assert named.lines[0].startswith("in.zip  ")
    assert named.lines[0].endswith("  2 files")
    assert unzipped(penstock.folder / "in.zip") == {"in/one": b"z/in/one", "in/two": b"z/in/two"}
    assert chosen.code == 0
    assert sorted(unzipped(penstock.folder / "chosen.zip")) == ["in/one", "three"]
    assert piped.out == (penstock.folder / "in.zip").read_bytes()


def test_quiet_says_nothing(penstock: Cli, film: Path) -> None:
    ran = penstock("put", film, "--to", "quiet", "-q")

    assert (ran.code, ran.out, ran.err) == (0, b"", "")


def test_json_lines_of_each_command(penstock: Cli, film: Path) -> None:
    put = penstock("put", film, "--to", "json/film.mkv", "--json").messages
    got = penstock("get", "json/film.mkv", "-o", "copy", "--json").messages
    listed = penstock("ls", "json", "--json").messages
    files = penstock("ls", "json", "-r", "--json").messages
    zipped = penstock("zip", "json/", "-o", "x.zip", "--json").messages
    removed = penstock("rm", "json/film.mkv", "--json").messages

    assert kinds(put) == ["stored", "summary"]
    assert kinds(got) == ["fetched", "summary"]
    assert kinds(listed) == ["folder", "summary"]
    assert kinds(files) == ["file", "summary"]
    assert kinds(zipped) == ["zip", "summary"]
    assert kinds(removed) == ["removed", "summary"]
    assert put[0]["sha256"] == got[0]["sha256"] == files[0]["sha256"]
    assert put[0]["etag"] == files[0]["etag"]
    assert (put[0]["source"], got[0]["target"]) == (str(film), "copy")
    assert put[0]["skipped"] is False
    assert put[-1]["bytes"] == got[-1]["bytes"] == film.stat().st_size
    assert (zipped[0]["entries"], zipped[0]["renamed"]) == (1, [])


def test_the_rate_limit_holds(penstock: Cli, film: Path) -> None:
    penstock("put", film, "--to", "limited")

    got = penstock("get", "limited", "-o", "limited", "--limit-rate", "2M", "--json")

    assert 1.5 < got.messages[-1]["seconds"] < 10


def test_output_that_nobody_reads_is_no_crash(penstock: Cli) -> None:
    penstock("put", "-", "--to", "unread", stdin=bytes(3_000_000))
    reading, writing = os.pipe()
    os.close(reading)

    process = penstock.start("get", "unread", "-o", "-", stdout=writing, stderr=-1)
    os.close(writing)
    _, error = process.communicate(timeout=30)

    assert (process.returncode, error) == (1, b"")
