"""Layout: how the elements of a tensor lie in memory, and how those of another are found in the same order."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor


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


def view(param: Tensor, grad: Tensor) -> list[int]:
    """How the gradient of a dense parameter is read in the parameter's order: the number of axes, then the length of
    each, then the gradient's stride along each, outermost first. Axes that the gradient steps through as one are one.
    """
    axes = [
        (stride, size, along)
        for stride, size, along in zip(param.stride(), param.shape, grad.stride(), strict=True)
        if size != 1
    ]
    lengths: list[int] = []
    strides: list[int] = []
    for _, size, along in sorted(axes, reverse=True):
        if lengths and strides[-1] == along * size:
            lengths[-1] *= size
            strides[-1] = along
        else:
            lengths.append(size)
            strides.append(along)
    return [len(lengths), *lengths, *strides]


def shared(tensors: Sequence[Tensor]) -> set[int]:
    """Which of these dense tensors share memory, be it through others, with one that comes before them."""
    stretches = [(t.data_ptr(), t.data_ptr() + t.numel() * t.element_size(), k) for k, t in enumerate(tensors)]
    found: set[int] = set()
    reach, earliest = 0, -1
    for start, end, k in sorted(stretch for stretch in stretches if stretch[0] < stretch[1]):
        if start < reach:
            found.add(max(k, earliest))
            earliest = min(k, earliest)
        else:
            earliest = k
        reach = max(reach, end)
    return found
