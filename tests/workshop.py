"""Workshop: rules to modules in one folder whose runtime is written once, much faster than a cache entry for each."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType

from optgen.build import build, write
from optgen.dsl import Rule

SHOPS = itertools.count(1)  # a name of its own for each, since Python keeps what it has imported
FOLDERS = {"numpy": "numpy_ref", "torch": "pytorch"}


class Workshop:
    """Builds each rule under a name of its own into one package."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / f"built_{next(SHOPS)}"
        self.numbers = itertools.count(1)
        sys.path.insert(0, str(folder))

    def build(self, rule: Rule, backends: Sequence[str] = ("numpy", "torch")) -> dict[str, ModuleType]:
        """The modules of the rule for NumPy and PyTorch; the other backends are reached through the latter."""
        named = replace(rule, name=f"Drawn{next(self.numbers)}", source="")
        files = build([named], backends).files
        write({name: text for name, text in files.items() if self._is_new(name)}, self.out)
        invalidate_caches()
        stem = named.name.lower()
        return {name: import_module(f"{self.out.name}.{part}.{stem}") for name, part in FOLDERS.items()}

    def _is_new(self, name: str) -> bool:
        return "_" not in Path(name).name or not (self.out / name).exists()
