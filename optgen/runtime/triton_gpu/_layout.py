"""Layout: which tensors the kernels can take, and how their elements lie in memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

from ._formats import dtype_of, elements
from ._matrices import shape_of

TYPES = {torch.float32: tl.float32, torch.float64: tl.float64, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}

CLASSES = {Tensor, torch.nn.Parameter}


def available(device: torch.device) -> bool:
    """Whether kernels run on this device: a GPU, or any device under Triton's interpreter."""
    return bool(triton.knobs.runtime.interpret) or device.type == "cuda"


def supports(
    param: Tensor, moving: Sequence[Tensor], states: Sequence[Tensor | None], kinds: Sequence[str] = ()
) -> str:
    """Empty if the kernels can step this parameter, else what stands in the way.

    moving: its gradient and inputs. kinds: of the states; each has a number for each element if nothing is said.
    """
    of = zip(states, kinds or ["element"] * len(states), strict=True)
    kept = [(x, _shape(param, kind), kind) for x, kind in of if x is not None]
    for tensor, shape, kind in (*((x, param.shape, "element") for x in (param, *moving)), *kept):
        if type(tensor) not in CLASSES:
            return f"a {type(tensor).__name__}, which is a subclass of Tensor"
        if tensor.layout is not torch.strided:
            return f"a tensor of layout {tensor.layout}"
        if tensor.dtype not in ([dtype_of(kind)] if elements(kind) else TYPES):
            return f"a tensor of {tensor.dtype}"
        if tensor.device != param.device or not available(tensor.device):
            return f"a tensor on {tensor.device}"
        if tensor.shape != shape:
            return f"a tensor of shape {tuple(tensor.shape)} beside a parameter of shape {tuple(param.shape)}"
    if not is_dense(param):
        return "a parameter whose elements do not fill one stretch of memory"
    if param.is_neg() or any(x.is_neg() or not _lies_beside(param, x, kind) for x, _, kind in kept):
        return "a state that lies in memory otherwise than its parameter"
    return ""


def _shape(param: Tensor, kind: str) -> Sequence[int]:
    """The shape of a state of a kind."""
    if kind == "tensor":
        return ()
    if kind in ("row", "col", "matrix"):
        return shape_of(param.shape, kind)
    return (-(-param.numel() // elements(kind)),) if elements(kind) > 1 else param.shape


def _lies_beside(param: Tensor, state: Tensor, kind: str) -> bool:
    """Whether its numbers follow the parameter's elements, rows, columns or matrices. Two codes in a byte follow the
    order of the indices."""
    if kind in ("row", "col", "matrix"):
        return state.is_contiguous()
    if elements(kind) > 1:
        return state.is_contiguous() and (elements(kind) > 2 or param.is_contiguous())
    return kind == "tensor" or same_order(param, state)


def supports_number(number: Tensor, device: torch.device) -> bool:
    """Whether a prologue can advance this step count, or this state that is one number."""
    return number.device == device and number.numel() == 1 and number.dtype in (torch.float32, torch.float64)


def is_dense(tensor: Tensor) -> bool:
    """Whether the elements fill one stretch of memory, each place once, in whatever order of the axes."""
    expected = 1
    for stride, size in sorted(
        (stride, size) for stride, size in zip(tensor.stride(), tensor.shape, strict=True) if size != 1
    ):
        if stride != expected and tensor.numel():
            return False
        expected *= size
    return True


def same_order(a: Tensor, b: Tensor) -> bool:
    """Whether equal places in memory hold equal indices. The stride of an axis of one element means nothing."""
    return a.numel() == 0 or all(
        s == t for s, t, size in zip(a.stride(), b.stride(), a.shape, strict=True) if size != 1
    )
