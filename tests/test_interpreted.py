"""Each test file of tests/interpreted passes in a process that interprets Triton kernels instead of compiling them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "interpreted"
CHOSEN = {"test_random_rules": "once_came_out", "test_triton_time": "not eager"}  # eager steps need no interpreter


@pytest.mark.parametrize("path", sorted(FOLDER.glob("test_*.py")), ids=lambda path: path.stem)
def test_the_file_passes_under_the_interpreter(path: Path) -> None:
    passes(path, *(["-k", CHOSEN[path.stem]] if path.stem in CHOSEN else []))


@pytest.mark.slow
def test_random_rules_agree_on_every_backend() -> None:
    count = os.environ.get("RANDOM_RULES", "40")  # three seconds each; more before a release
    passes(FOLDER / "test_random_rules.py", "-k", "not once_came_out", RANDOM_RULES=count)


def passes(path: Path, *options: str, **settings: str) -> None:
    """Asserts that a file passes in a process that interprets kernels. options: of pytest."""
    environment = {**os.environ, "TRITON_INTERPRET": "1", **settings}
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *options, str(path)]
    done = subprocess.run(command, env=environment, cwd=FOLDER.parents[1], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
