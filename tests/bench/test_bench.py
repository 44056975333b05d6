"""The benchmarks themselves, at a tiny size, so that they still run when they are wanted."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from bench import crowd, flatness, kills, relay, takeover, upload_crowd
from bench.__main__ import main
from bench.cases import BENCHMARKS, archives, cluster
from bench.measure import cpu_seconds, peak_rss
from bench.peers.clusters import Cluster, Folder, Sequential
from bench.table import spread

TINY = ["--size", "1MiB", "--runs", "1"]
# Each differs from another one by numbers alone.
_ALIKE = {"deflate-1000", "deflate-20000", "urls-1000", "tus", "downloads-nginx", "workers-file"}


@pytest.mark.timeout(300)  # the first one may have to compile Go's standard library
@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in _ALIKE])
def test_a_benchmark_runs_and_every_server_answers_rightly(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([name, *TINY, "--dir", str(tmp_path), "--results", str(tmp_path)])

    said = capsys.readouterr()
    if f"without {name}: " in said.err:
        pytest.skip(said.err.strip())
    (report,) = tmp_path.glob("*.json")
    (benchmark,) = json.loads(report.read_text())["benchmarks"]
    assert benchmark["results"][0]["server"].startswith("penstock")
    for result in benchmark["results"]:
        assert min(*result["cpu_seconds"], *result["seconds"], result["peak_rss"]) > 0
        assert f"| {result['server']} |" in said.out
    if "without" in said.err:
        pytest.skip(said.err.strip())


def test_memory_does_not_grow_with_the_size(tmp_path: Path) -> None:
    main([flatness.NAME, "--size", "16MiB", "--dir", str(tmp_path), "--results", str(tmp_path)])

    (report,) = tmp_path.glob("*.json")
    (benchmark,) = json.loads(report.read_text())["benchmarks"]
    for growth in benchmark["results"]:
        assert growth["large"] == 64 * growth["small"] == 64 << 20
        assert growth["large_rss"] - growth["small_rss"] < 16 << 20, growth


def test_memory_grows_neither_with_the_urls_nor_much_with_the_clients(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([crowd.NAME, "--size", "32MiB", "--dir", str(tmp_path), "--results", str(tmp_path)])

    if "without" in (said := capsys.readouterr().err):
        pytest.skip(said.strip())
    (report,) = tmp_path.glob("*.json")
    (benchmark,) = json.loads(report.read_text())["benchmarks"]
    few, many, crowded = (peak["rss"] for peak in benchmark["results"])
    assert benchmark["results"][-1]["clients"] == 20
    # What is read ahead for one client, not what all its URLs have.
    assert many - few < 16 << 20
    assert crowded - few < 20 * (16 << 20)


@pytest.mark.timeout(300)  # the peers may have to be fetched
def test_a_silent_upload_is_resumed_and_what_does_not_let_go_is_given_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *peers = measured(takeover.NAME, tmp_path, "--patience", "8")

    (resumed,) = first["rounds"]
    assert first["server"] == "penstock"
    assert resumed["told"] == first["sent"]
    assert resumed["head"] < resumed["done"] < 8
    assert not any(one["wrong"] for server in (first, *peers) for one in server["rounds"])
    skip_without_peers(capsys)


@pytest.mark.timeout(300)
def test_uploads_through_kills_end_right_or_are_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *peers = measured(kills.NAME, tmp_path, "--kills", "4")

    assert first["server"] == "penstock"
    assert (first["wrong_files"], first["lost"], first["taken_back"]) == (0, 0, 0)
    assert {server["kills"] for server in (first, *peers)} == {4}
    assert all(server["uploads"] + server["lost"] > 2 for server in (first, *peers))
    skip_without_peers(capsys)


def test_a_crowd_of_slow_uploads_ends_with_every_byte(tmp_path: Path) -> None:
    (crowd,) = measured(upload_crowd.NAME, tmp_path, "--uploads", "30", "--seconds", "1")

    assert crowd["errors"] == []
    assert crowd["right"] == 30
    assert crowd["peak_rss"] >= max(sample["rss"] for sample in crowd["samples"])


def test_a_crowd_before_a_relay_causes_one_fetch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *peers = measured(relay.NAME, tmp_path)

    assert first["server"] == "penstock relay"
    assert [one["fetches"] for one in first["cold"]] == [1]
    assert [one["fetches"] for one in first["warm"]] == [0]
    assert all(server["cold"] and server["peak_rss"] for server in (first, *peers))
    skip_without_peers(capsys)


def test_folders_in_s3_become_zips_in_s3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([archives.NAME, *TINY, "--dir", str(tmp_path), "--results", str(tmp_path)])

    if f"without {archives.NAME}: " in (said := capsys.readouterr().err):
        pytest.skip(said.strip())
    (report,) = tmp_path.glob("*.json")
    (benchmark,) = json.loads(report.read_text())["benchmarks"]
    ours = [one for one in benchmark["results"] if one["program"] == "penstock"]
    assert [one["folder"] for one in ours] == ["large", "small", "mixed"]
    for result in benchmark["results"]:
        assert min(*result["seconds"], *result["cpu_seconds"], result["peak_rss"]) > 0
        assert result["sent"] > 0
    if "without" in said:
        pytest.skip(said.strip())


@pytest.mark.timeout(240)
def test_files_on_storage_nodes_come_back_whatever_keeps_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systems = (Cluster(2, 2), Folder(), Sequential(2))
    monkeypatch.setattr(cluster, "SYSTEMS", systems)

    results = measured(cluster.NAME, tmp_path, "--files", "20")

    assert {one["system"] for one in results} == {system.name for system in systems}
    assert len(results) == 4 * len(systems)
    for one in results:
        assert min(*one["seconds"], *one["gateway_cpu"], one["gateway_rss"]) > 0
        assert (one["node_rss"] > 0) == ("node" in one["system"])


def measured(name: str, folder: Path, *options: str) -> list[Any]:
    """The results of one benchmark at a tiny size."""
    main([name, *TINY, *options, "--dir", str(folder), "--results", str(folder)])
    (report,) = folder.glob("*.json")
    (benchmark,) = json.loads(report.read_text())["benchmarks"]
    results: list[Any] = benchmark["results"]
    return results


def skip_without_peers(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours has passed; say which could not be compared."""
    if "without" in (said := capsys.readouterr().err):
        pytest.skip(said.strip())


def test_the_kernel_tells_what_a_process_costs() -> None:
    before = cpu_seconds(os.getpid())
    sum(range(3_000_000))

    assert cpu_seconds(os.getpid()) - before > 0.01
    assert peak_rss(os.getpid()) > 10_000_000


def test_a_spread_names_the_middle_and_both_ends() -> None:
    assert spread([3.0, 1.0, 2.0], ".1f") == "2.0 (1.0–3.0)"
