"""Workshop: rules to modules in one folder whose runtime is written once, much faster than a cache entry for each."""

from __future__ import annotations

import itertools
import sys
from dataclasses import replace
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType

from optgen.build import build, write
from optgen.dsl import Rule

FOLDERS = {"numpy": "numpy_ref", "torch": "pytorch"}


class Workshop:
    """Builds each rule under a name of its own into one package."""

    def __init__(self, folder: Path, fused: bool = False) -> None:
        self.out = folder / f"built_{id(self):x}"
        self.numbers = itertools.count(1)
        self.fused = fused
        sys.path.insert(0, str(folder))

    def build(self, rule: Rule) -> dict[str, ModuleType]:
        """The modules of the rule: numpy and torch; with `fused`, the torch module finds its kernels."""
        named = replace(rule, name=f"Drawn{next(self.numbers)}")
        files = build([named], ["numpy", "torch", *(["triton"] if self.fused else [])]).files
        new = [name for name in files if "_" not in Path(name).name or not (self.out / name).exists()]
        write({name: files[name] for name in new}, self.out)
        invalidate_caches()
        stem = named.name.lower()
        return {name: import_module(f"{self.out.name}.{folder}.{stem}") for name, folder in FOLDERS.items()}
