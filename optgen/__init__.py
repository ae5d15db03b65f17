"""optgen: optimizer update rules, compiled from the equations of their papers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from optgen.build import compile as compile
    from optgen.build import optimizer as optimizer
    from optgen.dsl import *

__version__ = "0.1.0"

_COMPILER = ("compile", "optimizer")


def __getattr__(name: str) -> Any:
    # The prebuilt classes must import without SymPy, so the language is loaded when it is first asked for.
    if name.startswith("__"):
        raise AttributeError(name)
    module = import_module("optgen.build" if name in _COMPILER else "optgen.dsl")
    try:
        return getattr(module, name)
    except AttributeError:
        raise AttributeError(f"module 'optgen' has no attribute {name!r}") from None
