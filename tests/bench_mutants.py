"""Mutants of the benchmarks: figures that come out wrong, which a test must catch. `python tests/bench_mutants.py`."""

from __future__ import annotations

import sys
from functools import partial

from mutation import Mutant, main

Faulty = partial(Mutant, home="bench")
MUTANTS = (
    Faulty("the bytes of a step are those of its states", "workloads.py",
           "_, moved = bytes_per_element", "moved, _ = bytes_per_element", "test_bench.py bytes"),
    Faulty("a gradient is counted twice", "workloads.py",
           "total += 2 * param.nbytes + param.grad.nbytes", "total += 2 * param.nbytes + 2 * param.grad.nbytes",
           "test_bench.py bytes"),
    Faulty("each candidate makes all of its steps before the next", "timing.py",
           "    for _ in range(rounds):\n        for run, before, mine in zip(runs, prepare, samples, strict=True):\n",
           "    for run, before, mine in zip(runs, prepare, samples, strict=True):\n        for _ in range(rounds):\n",
           "test_bench.py turns"),
    Faulty("no run is prepared", "timing.py", "    before()\n", "    pass\n", "test_bench.py turns"),
    Faulty("the first of some steps is the sample", "timing.py",
           "median(getattr(one, field.name) for one in samples)", "getattr(samples[0], field.name)",
           "test_bench.py median"),
    Faulty("a ratio is that of two medians", "timing.py",
           "return median(a / b for a, b in zip(times, others, strict=True))", "return median(times) / median(others)",
           "test_bench.py ratios"),
    Faulty("a part of the bandwidth is that of the fastest steps", "measure.py",
           "floor / device", "floor / low", "test_bench.py figures"),
    Faulty("the time that a caller waits is that of the step", "measure.py",
           "median(sample.host for sample in mine)", "median(sample.step for sample in mine)",
           "test_bench.py would_on_a_gpu"),
)

if __name__ == "__main__":
    sys.exit(main(MUTANTS))
