"""Tests in this folder run Triton's interpreter, in a process of their own: tests/test_interpreted.py starts it."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
import torch

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
collect_ignore_glob = [] if INTERPRETED else ["test_*.py"]


@pytest.fixture(autouse=True)
def casts_as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter truncates to bfloat16, where a GPU rounds to nearest even, and at times takes it for an int."""
    from triton.language import bfloat16
    from triton.runtime.interpreter import InterpreterBuilder, TensorHandle

    theirs = InterpreterBuilder.cast_impl

    def cast(self: Any, source: Any, target: Any) -> Any:
        old, new = source.dtype.scalar, target.scalar
        if bfloat16 not in (old, new) or old == new:
            return theirs(self, source, target)
        bits = torch.from_numpy(np.array(source.data))
        values = bits.view(torch.bfloat16) if old == bfloat16 else bits
        kind = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32, "fp64": torch.float64}[new.name]
        made = values.to(kind)
        return TensorHandle((made.view(torch.uint16) if new == bfloat16 else made).numpy(), new)

    monkeypatch.setattr(InterpreterBuilder, "cast_impl", cast)
