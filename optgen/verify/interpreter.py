"""Interpreter: Triton's kernels on the CPU, in a process of their own, with bfloat16 rounded as a GPU does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch

from optgen.errors import OptgenError
from optgen.verify.report import Row, Verdict

Progress = Callable[[int, int, str], None]


def verify_in_interpreter(name_or_path: str | Path, progress: Progress | None = None) -> list[Row]:
    """The rows of the triton backend for a built-in rule or a rule file, from a child with TRITON_INTERPRET=1.

    Raises OptgenError if the child fails.
    """
    command = [sys.executable, "-m", "optgen.testing", str(name_or_path)]
    package = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(part for part in (package, os.environ.get("PYTHONPATH")) if part)
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": path}
    rows: list[Row] = []
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        for line in cast(IO[str], child.stdout):
            message = json.loads(line)
            if "progress" in message and progress is not None:
                progress(*message["progress"])
            rows += [read_row(row) for row in message.get("rows", [])]
    if child.returncode:
        raise OptgenError(f"verifying {name_or_path} under Triton's interpreter failed with status {child.returncode}")
    return rows


def write_row(row: Row) -> dict[str, Any]:
    """The row as JSON holds it."""
    return {**asdict(row), "verdict": row.verdict.name}


def read_row(written: dict[str, Any]) -> Row:
    """The row that `write_row` wrote."""
    return Row(**{**written, "verdict": Verdict[written["verdict"]]})


@contextmanager
def rounded_as_on_a_gpu() -> Iterator[None]:
    """Within this context the interpreter rounds to bfloat16 to nearest even; by itself it truncates."""
    interpreter: Any = import_module("triton.runtime.interpreter")
    language: Any = import_module("triton.language")
    own = interpreter._convert_float

    def convert(values: Any, source: Any, target: Any, rounding: Any) -> Any:
        if (source, target) == (language.float32, language.bfloat16):
            narrow = torch.from_numpy(np.ascontiguousarray(values)).to(torch.bfloat16)
            return narrow.view(torch.int16).numpy().view(np.uint16)
        if (source, target) == (language.bfloat16, language.float32):
            return values.astype(np.uint32) << 16
        return own(values, source, target, rounding)

    interpreter._convert_float = convert
    try:
        yield
    finally:
        interpreter._convert_float = own
