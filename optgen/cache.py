"""Cache: generated modules in a folder of the user's, keyed by content and importable in any later process.

The folder is private (0700). An entry is written aside and renamed, so no process sees half of one; its text is
compared with what was generated before it is imported. Where the folder cannot be used, a private temporary one takes
its place.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
import warnings
from collections.abc import Mapping
from importlib import import_module, invalidate_caches
from pathlib import Path
from shutil import rmtree
from types import ModuleType

import optgen._built
from optgen.errors import OptgenError

Files = Mapping[str, str]


def import_built(files: Files, module: str) -> ModuleType:
    """Import `module` of a set of generated files, written to the cache if they are not there yet."""
    key = "k" + hashlib.sha256(repr(sorted(files.items())).encode()).hexdigest()[:24]
    name = f"optgen._built.{key}.{module}"
    if name not in sys.modules:
        _place(files, key)
        invalidate_caches()
    return import_module(name)


def _place(files: Files, key: str) -> None:
    """Make sure that a folder on the package's path holds the entry."""
    for folder in optgen._built.__path__:
        if _is_private(Path(folder)) and _holds(Path(folder) / key, files):
            return
    cache = optgen._built.folder()
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(cache):
            raise PermissionError(f"{cache} can be written by others")
        _write(files, cache, key)
    except OSError as error:
        _elsewhere(files, key, error)


def _write(files: Files, cache: Path, key: str) -> None:
    aside = Path(tempfile.mkdtemp(prefix=".", dir=cache))
    try:
        for name, text in files.items():
            path = aside / key / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        try:
            (aside / key).rename(cache / key)
        except OSError:
            if not _holds(cache / key, files):  # what lies there is no whole entry: not another process's work
                (cache / key).rename(aside / "bad")
                (aside / key).rename(cache / key)
    finally:
        rmtree(aside, ignore_errors=True)


def _elsewhere(files: Files, key: str, error: OSError) -> None:
    try:
        private = Path(tempfile.mkdtemp(prefix="optgen-"))
        _write(files, private, key)
    except OSError as second:
        raise OptgenError(
            f"no folder for generated code can be written: {error}; {second}\n"
            "hint: free some disk space, or set XDG_CACHE_HOME to a folder of yours"
        ) from None
    warnings.warn(
        f"the cache cannot be used ({error}); generated code is kept in {private} for this process", stacklevel=4
    )
    optgen._built.__path__.insert(0, str(private))


def _holds(entry: Path, files: Files) -> bool:
    try:
        return all((entry / name).read_text(encoding="utf-8") == text for name, text in files.items())
    except (OSError, UnicodeDecodeError):
        return False


def _is_private(folder: Path) -> bool:
    """Whether only this user can write there."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return found.st_uid == os.getuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
