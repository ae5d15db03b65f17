"""Needs: what a test asks of the machine; where that is absent, the test is skipped and named after it.

All but a GPU is installed with the tests, on Linux. What is asked of a GPU is asked without one by the twins that
test_gpu.py names.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"  # whether kernels are, on tensors of the CPU
C_COMPILER = next((found for found in map(shutil.which, ("cc", "gcc", "clang")) if found), "")
# A clang is installed with the tests, in Zig. It builds its own libraries once, which a cache of a test's would lose.
ZIG = shlex.join([sys.executable, "-m", "ziglang", "cc"]) if find_spec("ziglang") else ""
os.environ.setdefault("ZIG_GLOBAL_CACHE_DIR", str(Path.home() / ".cache" / "zig"))
COMPILERS = {"gcc": shutil.which("gcc") or "", "clang": shutil.which("clang") or ZIG}  # a command, as CC takes it
a_c_compiler = pytest.mark.skipif(not C_COMPILER, reason="no C compiler is installed: neither cc nor gcc nor clang")
linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells what a process has loaded")
triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed; it exists for Linux only")
bitsandbytes = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU that torch.cuda can use")


def compiler(name: str) -> pytest.MarkDecorator:
    """For a test that runs gcc or clang."""
    return pytest.mark.skipif(not COMPILERS[name], reason=f"{name} is not installed")


def memory_of_a_gpu(size: int) -> None:
    """Called by a test that takes so many bytes of a GPU."""
    if torch.cuda.mem_get_info()[0] < 1.1 * size:
        pytest.skip(f"takes {size / 2**30:.0f} GiB of a GPU's memory, and needs a tenth of it to spare")


def memory(size: int) -> None:
    """Called by a test that takes so many bytes."""
    told = Path("/proc/meminfo")
    free = re.search(r"MemAvailable: +(\d+)", told.read_text(encoding="utf-8")) if told.is_file() else None
    if free is None or int(free[1]) * 1024 < 1.5 * size:
        pytest.skip(f"takes {size / 2**30:.0f} GiB of memory, and needs half as much to spare")
