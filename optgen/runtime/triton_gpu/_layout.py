"""Layout: which tensors the kernels can take, and how their elements lie in memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import triton
import triton.language as tl
from torch import Tensor

TYPES = {torch.float32: tl.float32, torch.float64: tl.float64, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}

CLASSES = {Tensor, torch.nn.Parameter}


def available(device: torch.device) -> bool:
    """Whether kernels run on this device: a GPU, or any device under Triton's interpreter."""
    return bool(triton.knobs.runtime.interpret) or device.type == "cuda"


def supports(
    param: Tensor, moving: Sequence[Tensor], states: Sequence[Tensor | None], single: Sequence[bool] = ()
) -> str:
    """Empty if the kernels can step this parameter, else what stands in the way.

    moving: its gradient and inputs. single: for each state whether it is one number for the whole tensor; none is if
    nothing is said.
    """
    kinds = zip(states, single or [False] * len(states), strict=True)
    stored = [(param, param.shape), *((x, () if one else param.shape) for x, one in kinds if x is not None)]
    for tensor, shape in (*stored, *((x, param.shape) for x in moving)):
        if type(tensor) not in CLASSES:
            return f"a {type(tensor).__name__}, which is a subclass of Tensor"
        if tensor.layout is not torch.strided:
            return f"a tensor of layout {tensor.layout}"
        if tensor.dtype not in TYPES:
            return f"a tensor of {tensor.dtype}"
        if tensor.device != param.device or not available(tensor.device):
            return f"a tensor on {tensor.device}"
        if tensor.shape != shape:
            return f"a tensor of shape {tuple(tensor.shape)} beside a parameter of shape {tuple(param.shape)}"
    if not is_dense(param):
        return "a parameter whose elements do not fill one stretch of memory"
    if any(tensor.is_neg() or (shape == param.shape and not same_order(param, tensor)) for tensor, shape in stored):
        return "a state that lies in memory otherwise than its parameter"
    return ""


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
