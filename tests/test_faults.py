"""Every row of the table of faults, for every class, eager, fused where that runs, and NumPy: none silently wrong."""

from __future__ import annotations

from typing import Any

import pytest
from every_class import fuses
from faults import CLASSES, EXACT, IN_NUMPY, NUMPY_ROWS, TORCH_ROWS, Torch, arrays_of

every = pytest.mark.parametrize("cls", CLASSES, ids=[cls.__name__ for cls in CLASSES])
REFUSED = {
    "gradient of another shape": "ValueError",
    "state of another shape, dtype or device": "ValueError",
    "expanded or overlapping parameter": "ValueError",
    "integer parameter": "ValueError",
    "lr is NaN, text, None, negative": "ValueError",
    "checkpoint lacks a key or is another rule's": "ValueError",
}


@every
@pytest.mark.parametrize("row", TORCH_ROWS)
def test_a_torch_step_is_exact_or_refused(row: str, cls: Any) -> None:
    for fused in (False, *([True] if fuses(cls) else [])):
        outcome = TORCH_ROWS[row](Torch(cls, fused))
        if row == "sparse gradient":
            assert outcome == (EXACT if cls.rule.sparse else "RuntimeError")
        elif row == "duplicate parameter":
            assert outcome == "UserWarning, as torch"
        else:
            assert outcome == REFUSED.get(row, EXACT)


@pytest.mark.parametrize("cls", IN_NUMPY, ids=[cls.__name__ for cls in IN_NUMPY])
@pytest.mark.parametrize("row", NUMPY_ROWS)
def test_a_numpy_step_is_exact_or_refused(row: str, cls: Any) -> None:
    wanted = {**REFUSED, "half precision, tiny gradients": "ValueError", "sparse gradient": "ValueError"}
    assert NUMPY_ROWS[row](arrays_of(cls)) == wanted.get(row, EXACT)
