"""Where generated modules are imported from: the user's cache, as a package, so that pickles find their classes."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """The user's cache folder for generated code."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "optgen" / "built"


__path__ = [str(folder())]
