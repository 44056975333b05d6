"""Every benchmark by its name."""

from bench.cases import downloads, uploads, zips
from bench.rounds import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    benchmark.name: benchmark
    for benchmark in (*downloads.BENCHMARKS, *uploads.BENCHMARKS, *zips.BENCHMARKS)
}
