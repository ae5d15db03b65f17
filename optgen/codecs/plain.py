"""Plain: one floating-point number for each element, in the dtype that the user's tensors have at run time."""

from __future__ import annotations

from optgen.ir import Var


def supports(var: Var) -> str:
    """Every quantity can be held so."""
    return ""


def numpy_alloc(like: str, value: str) -> str:
    """An array like another, filled with a value."""
    return f"np.zeros_like({like})" if value in ("0", "0.0") else f"np.full_like({like}, {value})"


def numpy_load(at: str) -> str:
    """The stored array itself."""
    return at


def numpy_store(value: str, dtype: str, borrowed: bool) -> str:
    """The array, in the dtype of the store."""
    return f"np.{'array' if borrowed else 'asarray'}({value}, {dtype})"


def triton_load(stream: str) -> str:
    """A block of a stream of numbers, widened to the compute dtype."""
    return f"load({stream}_at, at, left, tail, BLOCK, VEC, COMPUTE)"


def triton_store(stream: str, value: str) -> str:
    """A block of a stream of numbers, rounded to the stream's dtype."""
    return f"store({stream}_at, {value}, at, left, tail, BLOCK, VEC)"
