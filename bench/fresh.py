"""Time from a rule's source to its first fused step, where no cache has seen it: `python -m bench.fresh RULE`.

It prints the seconds, those of imports aside. Meant to run in a process of its own, with an empty XDG_CACHE_HOME.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
import torch._dynamo  # which every optimizer of torch imports when it is first made

from optgen.build import backend, backend_names, optimizer

RULES = Path(__file__).resolve().parents[1] / "rules"


def seconds(source: Path, device: str) -> float:
    """Compile the rule in a file to a class and let it step one parameter."""
    for name in backend_names():
        backend(name)
    param = torch.nn.Parameter(torch.ones(1000, device=device))
    param.grad = torch.ones_like(param)
    start = time.perf_counter()
    cls = optimizer(source)
    cls([{"params": [param], "fused": True}]).step()
    if device != "cpu":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def apart(rule: str, device: str = "cpu") -> float:
    """The same in a process of its own, with empty caches. Raises RuntimeError with what it said if it fails."""
    with tempfile.TemporaryDirectory() as empty:
        told = {"XDG_CACHE_HOME": empty, "TRITON_CACHE_DIR": f"{empty}/triton"}
        command = [sys.executable, "-m", __spec__.name, rule, device]
        done = subprocess.run(command, env={**os.environ, **told}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{rule} could not be compiled: {done.stderr.strip()}")
    return float(done.stdout)


if __name__ == "__main__":
    print(seconds(RULES / f"{sys.argv[1]}.py", sys.argv[2]))
