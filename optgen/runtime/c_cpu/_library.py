"""Library: compiled steps in a folder of the user's, each compiled once and checked whenever it is loaded.

An entry is a folder named after all that it depends on: source, definitions, compiler, flags and processor. It holds
the shared object and its SHA-256. It is written aside and renamed, so nobody sees half of one; one process compiles it
while others wait, but not for ever. Where the folder cannot be used, what was compiled serves this process only.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import re
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import copyfile, rmtree

from . import _compiler
from ._compiler import INSTALL, Compiler, NoKernel

Step = Callable[[object], int]
_WAIT = 30.0  # seconds for another process to finish the same file


@dataclass(frozen=True, slots=True)
class _Job:
    compiler: Compiler
    flags: tuple[str, ...]
    source: Path

    @property
    def key(self) -> str:
        """A name that no other job has."""
        headers = sorted(self.source.parent.glob("_*.h"))
        texts = [path.read_text(encoding="utf-8") for path in (self.source, *headers)]
        parts = [*texts, *self.compiler.command, self.compiler.version, *self.flags, _compiler.processor()]
        return f"{self.source.stem}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"


def folder() -> Path:
    """The user's cache folder for compiled steps."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "optgen" / "c_cpu"


def load(source: Path, definitions: Sequence[str], function: str = "step") -> Step:
    """A function of a C file, compiled with -D definitions. Raises NoKernel where that is not possible."""
    found = _load(source, tuple(definitions), function, os.environ.get("CC", ""))
    if isinstance(found, str):
        raise NoKernel(found)
    return found


@cache
def _load(source: Path, definitions: tuple[str, ...], function: str, cc: str) -> Step | str:
    """The function, or what is in its way: a failure is remembered too, for a step must not wait for it each time."""
    assert all(re.fullmatch(r"[A-Za-z]\w*=\w+", text, re.ASCII) for text in definitions), definitions
    complaint = ""
    try:
        compiler = _compiler.find()
        for flags in _compiler.flag_sets(compiler):
            library, told = _opened(_Job(compiler, (*flags, *(f"-D{text}" for text in definitions)), source))
            if library:
                if _compiler.is_serial(flags):
                    _warn_once(f"{compiler.command[0]} has no OpenMP, so fused steps run on one thread: {INSTALL}")
                found: Step = getattr(library, function)
                return found
            complaint = complaint or told
    except (OSError, NoKernel) as error:
        return str(error)
    return f"{' '.join(compiler.command)} cannot compile {source.name}: {complaint[-2000:]}\n{INSTALL}"


def _opened(job: _Job) -> tuple[ctypes.CDLL | None, str]:
    """The library of a job, from the cache if that can be; else None and what the compiler said."""
    key = job.key
    try:
        cached = _private_folder() / key
    except (OSError, RuntimeError) as error:
        _warn_once(f"the cache cannot be used ({error}); fused steps are compiled for this process only")
        return _compiled(job, None)
    if _is_whole(cached):
        return ctypes.CDLL(str(cached / "step.so")), ""
    with _locked(cached.with_name(f"{key}.lock")) as is_mine:
        if _is_whole(cached):
            return ctypes.CDLL(str(cached / "step.so")), ""
        return _compiled(job, cached if is_mine else None)


def _compiled(job: _Job, entry: Path | None) -> tuple[ctypes.CDLL | None, str]:
    with tempfile.TemporaryDirectory(prefix="optgen-", ignore_cleanup_errors=True) as aside:
        target = Path(aside) / "step.so"
        told = _compiler.compile(job.compiler, job.flags, job.source, target)
        if told:
            return None, told
        if entry:
            try:
                _keep(target, entry)
                return ctypes.CDLL(str(entry / "step.so")), ""
            except OSError as error:
                _warn_once(f"the cache cannot be used ({error}); fused steps are compiled for this process only")
        return ctypes.CDLL(str(target)), ""  # it stays loaded when its file is gone


def _keep(target: Path, entry: Path) -> None:
    """Put a shared object into the cache. The lock is held."""
    aside = entry.with_name(f".{entry.name}")
    rmtree(aside, ignore_errors=True)  # of a process that was killed here
    try:
        aside.mkdir(mode=0o700)
        copyfile(target, aside / "step.so")
        (aside / "sha256").write_text(_digest(target), encoding="ascii")
        if entry.exists():  # what is there is not whole
            rmtree(entry)
        aside.rename(entry)
    finally:
        rmtree(aside, ignore_errors=True)


def _is_whole(entry: Path) -> bool:
    try:
        return (entry / "sha256").read_text(encoding="ascii") == _digest(entry / "step.so")
    except (OSError, UnicodeDecodeError):
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _private_folder() -> Path:
    """The cache folder, which only this user can write to. Raises OSError, or RuntimeError for a user without home."""
    path = folder()
    path.parent.parent.mkdir(parents=True, exist_ok=True)
    for each in (path.parent, path):
        each.mkdir(mode=0o700, exist_ok=True)
        found = each.stat()
        if found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError(f"{each} can be written by others")
    return path


@contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Holds the lock of an entry, and says whether it does: not where another process keeps it for too long."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield False
        return
    try:
        yield _lock(file)
    finally:
        os.close(file)


def _lock(file: int) -> bool:
    end = time.monotonic() + _WAIT
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        except OSError:  # a file system without locks
            return False
        else:
            return True


@cache
def _warn_once(text: str) -> None:
    warnings.warn(text, stacklevel=2)
