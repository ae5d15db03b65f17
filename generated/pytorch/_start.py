"""Start: states before the first step."""

from __future__ import annotations

import torch
from torch import Tensor

from ._checkpoints import Group, on_device
from ._rule import State, per_element, per_tensor
from ._storage import computed, real


def new_state(kind: State, param: Tensor, grad: Tensor, group: Group) -> list[Tensor]:
    """The parts of a state before the first step."""
    if kind.host:
        device = param.device if on_device(group) else None
        return [torch.zeros((), dtype=torch.float64, device=device).fill_(kind.init)]  # type: ignore[arg-type]  # a number
    start = 0.0 if callable(kind.init) else kind.init
    if kind.format is not None:
        made = kind.format.start(kind.shape(real(param).shape), real(param), start)
    else:
        dtype = (None if param.is_complex() else group.get("state_dtype")) or param.dtype
        if kind.shape is per_element:
            made = [torch.zeros_like(param, dtype=dtype, memory_format=torch.preserve_format)]
        else:
            dtype = computed(dtype) if kind.shape is per_tensor else dtype  # of one number all digits cost nothing
            made = [torch.zeros(kind.shape(param.shape), dtype=dtype, device=param.device)]
        if isinstance(start, Tensor) or start != 0:
            real(made[0]).fill_(start)
    if callable(kind.init):
        real(made[0]).copy_(kind.init(real(param), -grad if group.get("maximize") else grad))
    return made
