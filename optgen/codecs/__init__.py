"""Codecs: how one stored quantity lives in memory, for each backend. The file name is the registry."""

from __future__ import annotations

from typing import Protocol

from optgen.ir import Var


class Codec(Protocol):
    """What a module of this folder defines; every function but `supports` returns code."""

    def supports(self, var: Var) -> str:
        """Empty if the codec can hold the quantity, else the reason why it cannot."""

    def numpy_alloc(self, like: str, value: str) -> str:
        """A new store of the shape of the array `like`, every element `value`."""

    def numpy_load(self, at: str) -> str:
        """The array that the store `at` holds."""

    def numpy_store(self, value: str, dtype: str, borrowed: bool) -> str:
        """The store that holds an array; a copy if it is borrowed from the caller."""

    def triton_load(self, stream: str) -> str:
        """A block of a stream, in the compute dtype."""

    def triton_store(self, stream: str, value: str) -> str:
        """The statement that writes a block of a stream."""
