"""Reading: where tensors lie in memory and how: in one call, if C can be compiled and the sibling folder is there."""

from __future__ import annotations

import operator
from array import array
from typing import Any

from torch import Tensor

try:
    from ..c_cpu._reading import Known as Compiled
except ImportError:  # this folder stands alone
    Compiled = None  # type: ignore[assignment, misc]

_dtype_of = operator.attrgetter("dtype")


class Plain:
    """Tensors as they were, each asked by itself. addresses: of each."""

    def __init__(self, tensors: list[Tensor], keep: bool) -> None:
        """keep: whether the tensors are to stay alive, so that `are_as_before` can be asked."""
        self._tensors = tensors if keep else []
        self._kinds = _kinds_of(tensors)
        self._places = [*map(Tensor.data_ptr, tensors)]
        self.addresses = array("q", self._places)

    def are_as_before(self, tensors: list[Tensor]) -> bool:
        """Whether these are the same tensors, at the same addresses."""
        same = len(tensors) == len(self._tensors) and all(map(operator.is_, tensors, self._tensors))
        return same and self._places == [*map(Tensor.data_ptr, tensors)]

    def are_alike(self, tensors: list[Tensor]) -> bool:
        """Whether these have the dtypes and strides of those before. If so, `addresses` are theirs from now on."""
        if self._kinds != _kinds_of(tensors):
            return False
        places = [*map(Tensor.data_ptr, tensors)]
        if places != self._places:
            self._places, self.addresses = places, array("q", places)
        return True


Known = Any  # Compiled or Plain


def know(tensors: list[Tensor], keep: bool) -> Known:
    """What is known of tensors."""
    found = None if Compiled is None else Compiled(tensors, keep)
    return found if found is not None and found.is_told else Plain(tensors, keep)


def _kinds_of(tensors: list[Tensor]) -> tuple[list[Any], ...]:
    """All that a launch depends on but the address: dtype, and order in memory where it is not the plain one."""
    plain = [*map(Tensor.is_contiguous, tensors)]
    pairs = zip(tensors, plain, strict=True)
    others = [] if all(plain) else [x.stride() for x, is_plain in pairs if not is_plain]
    return [*map(_dtype_of, tensors)], plain, others
