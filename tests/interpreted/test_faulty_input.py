"""The table of faults for fused classes, whose kernels the interpreter runs: exact or refused, none silently wrong."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from every_class import fuses, stored_in
from faults import CLASSES, EXACT, TORCH_ROWS, Torch
from test_faults import REFUSED

FEW = ("AdamW", "SGD", "NAdam", "Adan")  # rows in which only the launcher has a part need no more
FUSED = [cls for cls in CLASSES if fuses(cls)]  # the others have no kernels: reductions and products


def test_every_elementwise_class_has_kernels() -> None:
    elementwise = [cls for cls in CLASSES if cls.rule.elementwise and "param=" not in stored_in(cls)]
    assert {*FEW} <= {cls.__name__ for cls in FUSED}
    assert [cls.__name__ for cls in elementwise if cls not in FUSED] == []


@pytest.mark.parametrize("row", TORCH_ROWS)
def test_a_fused_step_is_exact_or_refused(row: str) -> None:
    inside = row in (
        "NaN or Inf gradient",
        "half precision, tiny gradients",
        "0-d and zero-element tensors",
    )
    for cls in FUSED:
        if inside or cls.__name__ in FEW:
            assert TORCH_ROWS[row](Torch(cls, fused=True)) == _wanted(row, cls)


def _wanted(row: str, cls: Any) -> str:
    if row == "sparse gradient":
        return EXACT if cls.rule.sparse else "RuntimeError"
    return "UserWarning, as torch" if row == "duplicate parameter" else REFUSED.get(row, EXACT)
