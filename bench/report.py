"""Report: what was measured, and on what, as JSON and as tables."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from bench.measure import Result

RESULTS = Path(__file__).parent / "results"
HEADINGS = (
    "", "ms", "quartiles", "device ms", "of bandwidth", "over ours", "host us/tensor", "largest alloc", "compile s"
)  # fmt: skip
TIMED = ("torch", "numpy", "triton", "lion-pytorch", "pytorch-optimizer", "torch-optimi", "bitsandbytes", "torchao")


def machine() -> dict[str, Any]:
    """The processor, as far as it matters for speed."""
    path = Path("/proc/cpuinfo")
    told = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    model = re.search(r"^model name\s*: (.*)$", told, re.MULTILINE)
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "avx512": " avx512f" in told,
    }


def versions() -> dict[str, str]:
    """Of Python and of what is timed."""
    found = {"python": platform.python_version()}
    for name in TIMED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def document(results: Sequence[Result], compile_s: Mapping[str, float], **settings: Any) -> dict[str, Any]:
    """All of a run. compile_s: for each rule the seconds from its source to its first fused step."""
    return {
        "machine": machine(),
        "versions": versions(),
        "threads": torch.get_num_threads(),
        **settings,
        "compile_s": dict(compile_s),
        "results": [asdict(result) for result in results],
    }


def write(told: Mapping[str, Any], path: Path) -> None:
    """Write a run to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def table(result: Result) -> Table:
    """One case."""
    title = (
        f"{result.rule} {result.dtype}, {result.title}: {result.bytes / 1e6:.1f} MB a step, "
        f"bandwidth {result.bandwidth:.1f} GB/s"
    )
    shown = Table(title=title, title_justify="left")
    for heading in HEADINGS:
        shown.add_column(heading, justify="right" if heading else "left")
    for one in result.measured:
        low, high = one.quartiles_ms
        shown.add_row(
            one.candidate,
            f"{one.median_ms:.3f}",
            f"{low:.3f} to {high:.3f}",
            f"{one.device_ms:.3f}",
            f"{one.fraction:.2f}",
            f"{one.over_ours:.2f}",
            f"{one.host_us_per_tensor:.2f}",
            f"{one.allocated / 1e6:.2f} MB",
            "" if one.first_step_s is None else f"{one.first_step_s:.1f}",
        )
    return shown


def show(console: Console, result: Result) -> None:
    """Print one case, and who could not take part."""
    console.print(table(result))
    for label, reason in result.refused.items():
        console.print(f"{label} is left out: {reason}", highlight=False, markup=False)
