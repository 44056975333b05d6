"""Every benchmark by its name."""

from bench.cases import clients, codings, downloads, tus, uploads, urls, workers, zips
from bench.cases.clients import Downloads
from bench.rounds import Benchmark

BENCHMARKS: dict[str, Benchmark | Downloads] = {
    **{
        benchmark.name: benchmark
        for room in (downloads, workers, codings, uploads, tus, zips, urls)
        for benchmark in room.BENCHMARKS
    },
    **{benchmark.name: benchmark for benchmark in clients.BENCHMARKS},
}
