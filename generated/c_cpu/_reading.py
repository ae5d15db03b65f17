"""Reading: where tensors lie in memory and how, many in one call.

Asking each from Python takes longer than a step. Torch describes them to a few lines of C by DLPack's exchange API, and
tells by its C interface whether they have moved.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from ._compiler import NoKernel
from ._library import load

_WORD = ctypes.sizeof(ctypes.c_void_p)
_SOURCE = Path(__file__).with_name("_tensors.c")


class Known(ctypes.Structure):
    """Tensors as they were: `struct known` of _tensors.c. addresses: of each, which is what may be asked of it."""

    _fields_ = (
        ("_objects", ctypes.py_object),
        *((name, ctypes.c_void_p) for name in ("_at", "_words_at")),
        *((name, ctypes.c_int64) for name in ("_count", "_room")),
    )

    def __init__(self, tensors: list[Tensor], keep: bool) -> None:
        """keep: whether the tensors are to stay alive, so that `are_as_before` can be asked."""
        self.addresses = array("q", map(Tensor.data_ptr, tensors))
        self.words = array("q", bytes(8 * sum(2 + 2 * tensor.dim() for tensor in tensors)))
        at, words_at = self.addresses.buffer_info()[0], self.words.buffer_info()[0]
        super().__init__(tensors if keep else None, at, words_at, len(tensors), len(self.words))
        self.is_told = self._read(tensors, True, False)

    def are_as_before(self, tensors: list[Tensor]) -> bool:
        """Whether these are the same tensors, at the same addresses."""
        return self.is_told and self._read(tensors, False, False)

    def are_alike(self, tensors: list[Tensor]) -> bool:
        """Whether these have the dtypes and strides of those before. If so, `addresses` are theirs from now on."""
        return self.is_told and self._read(tensors, False, True)

    def _read(self, tensors: list[Tensor], is_new: bool, has_moved: bool) -> bool:
        reader = _reader()
        return reader is not None and len(tensors) == self._count and bool(reader(tensors, self, is_new, has_moved))


class _ExchangeApi(ctypes.Structure):
    """struct DLPackExchangeAPI of DLPack 1."""

    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        *((name, ctypes.c_void_p) for name in "previous allocate export_managed import_managed export stream".split()),
    )


class _Python(ctypes.Structure):
    """struct python of _tensors.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("item", "describe", "forget_error", "address")),
        ("inner", ctypes.c_int64),
    )


@cache
def _reader() -> Callable[..., int] | None:
    """The function of _tensors.c, which is given all but what it calls; None where there is none."""
    exchange = getattr(Tensor, "__dlpack_c_exchange_api__", None)
    if exchange is None:
        return None
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    api = _ExchangeApi.from_address(pointer(exchange, b"dlpack_exchange_api"))
    try:
        function = load(_SOURCE, (), "read_tensors")
    except NoKernel:
        return None
    if api.major != 1 or not api.export:
        return None
    python = ctypes.pythonapi
    inner = _inner()
    address = None if inner is None else _torch_function("aoti_torch_get_data_ptr")
    called = _Python(_address(python.PyList_GetItem), api.export, _address(python.PyErr_Clear), address, inner or 0)
    kinds = ctypes.py_object, ctypes.POINTER(Known), ctypes.c_int, ctypes.c_int
    under_lock = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Python), *kinds)(_address(function))
    return lambda *rest: under_lock(called, *rest)


def _inner() -> int | None:
    """Where in the object of a tensor torch keeps what it calls a tensor in C; None if that is nowhere."""
    found: set[int | None] = set()
    for tensor in (torch.empty(1), torch.empty(2), torch.nn.Parameter(torch.empty(3))):
        words = (ctypes.c_void_p * (type(tensor).__basicsize__ // _WORD)).from_address(id(tensor))
        found.add(next((_WORD * k for k, word in enumerate(words) if word == tensor._cdata), None))
    return found.pop() if len(found) == 1 else None


def _torch_function(name: str) -> int | None:
    """The address of a function of torch's C interface, None where there is none."""
    for path in sorted((Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*")):
        try:
            return _address(getattr(ctypes.CDLL(str(path)), name))
        except (OSError, AttributeError):
            continue
    return None


def _address(function: object) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]  # a function of a library
