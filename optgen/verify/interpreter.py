"""Interpreter: Triton's kernels on the CPU, in a process of their own, with bfloat16 rounded as a GPU does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch

from optgen.errors import OptgenError
from optgen.verify.report import Row, Verdict

KINDS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32, "fp64": torch.float64}
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
def interpreting() -> Iterator[None]:
    """Within this context the interpreter casts bfloat16 as a GPU does, to nearest even, in half the time.

    By itself it truncates, and at times takes the bits for an integer. What took the other half: patching the language
    anew in each call of a kernel's function by another, and looking for overflow, which a GPU does not.
    """
    interpreter: Any = import_module("triton.runtime.interpreter")
    kind, builder = interpreter.InterpreterBuilder, interpreter.interpreter_builder
    mended = (
        (kind, "cast_impl", _rounding(interpreter, kind.cast_impl)),
        (interpreter, "_patch_lang", _once_a_launch(interpreter._patch_lang)),
        (builder, "options", replace(builder.options, sanitize_overflow=False)),
    )
    with ExitStack() as stack:
        for owner, name, value in mended:
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield


def _rounding(interpreter: Any, own: Any) -> Any:
    narrow: Any = import_module("triton.language").bfloat16

    def cast_to(self: Any, source: Any, target: Any) -> Any:
        old, new = source.dtype.scalar, target.scalar
        if narrow not in (old, new) or old == new:
            return own(self, source, target)
        given = torch.from_numpy(np.array(source.data))
        values = given.view(torch.bfloat16) if old == narrow else given
        made = values.to(KINDS[new.name])
        bits = made.view(torch.uint16) if new == narrow else made
        return interpreter.TensorHandle(bits.numpy(), new)

    return cast_to


def _once_a_launch(own: Any) -> Any:
    """Patches what a function of a kernel names of the language, unless the launch that is under way did so."""
    language: Any = import_module("triton.language")
    patched: list[Any] = []  # modules

    def patch(fn: Any) -> Any:
        named = [module for module in (language, language.core) if any(x is module for x in fn.__globals__.values())]
        if patched and all(module in patched for module in named):
            return None  # a call, which restores nothing
        scope, is_launch = own(fn), not patched
        patched.extend(named)
        if is_launch and scope is not None:
            restore = scope.restore

            def restored() -> None:
                patched.clear()
                restore()

            scope.restore = restored
        return scope

    return patch
