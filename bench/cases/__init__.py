"""Every benchmark by its name."""

from bench.cases import codings, downloads, tus, uploads, urls, zips
from bench.rounds import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for room in (downloads, codings, uploads, tus, zips, urls)
    for benchmark in room.BENCHMARKS
}
