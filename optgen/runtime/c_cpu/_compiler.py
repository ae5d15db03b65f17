"""Compiler: which C compiler this machine has, what it is told, and how it is called."""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

INSTALL = "install gcc (Debian, Ubuntu: apt-get install gcc; Fedora: dnf install gcc), or name a C compiler in CC"
_PATIENCE = 120.0  # seconds for one file; it takes a fraction of one

# No -ffast-math: its reordering and its carelessness about NaN are not wanted. Without errno and traps, roots and
# quotients can be vectorised. Contraction to multiply-add gained nothing measurable, and without it a step gives the
# same bits as NumPy.
_ALWAYS = "-std=c99 -O3 -fno-math-errno -fno-trapping-math -ffp-contract=off -fPIC -shared".split()


class NoKernel(RuntimeError):
    """A step that cannot be compiled or loaded here. The message says why, and what helps."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """A command that compiles C, and what it calls itself."""

    command: tuple[str, ...]
    version: str


def find() -> Compiler:
    """The compiler that CC names, else the first of cc, gcc and clang. Raises NoKernel if there is none."""
    return _find(os.environ.get("CC", ""))


@cache
def _find(wish: str) -> Compiler:
    try:
        words = shlex.split(wish)
    except ValueError as error:
        raise NoKernel(f"CC is {wish!r}, which is no command ({error}): {INSTALL}") from None
    for command in [words] if words else [["cc"], ["gcc"], ["clang"]]:
        path = shutil.which(command[0])
        if path:
            version = _run([path, *command[1:], "--version"])
            if version.returncode == 0:
                return Compiler((path, *command[1:]), version.stdout)
    raise NoKernel(f"there is no C compiler ({'CC is ' + wish if words else 'no cc, gcc or clang'}): {INSTALL}")


def compile(compiler: Compiler, flags: Sequence[str], source: Path, target: Path) -> str:
    """Compile a file to a shared object. Empty if that worked, else what the compiler said."""
    libraries = [flag for flag in flags if flag.startswith("/")]
    options = [flag for flag in flags if not flag.startswith("/")]
    done = _run([*compiler.command, *options, "-o", str(target), str(source), *libraries, "-lm"])
    worked = done.returncode == 0 and target.is_file()
    return "" if worked else done.stderr.strip() or f"it ended with status {done.returncode}"


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def flag_sets(compiler: Compiler) -> Iterator[tuple[str, ...]]:
    """Flags from the best to the plainest; a compiler need not know them all. The last ones give one thread."""
    native = ["-march=native"]
    if platform.machine().lower() in ("x86_64", "amd64"):
        native += ["-mprefer-vector-width=512"]  # gcc would stay at 256 bits on some processors, which is slower here
    for parallel in (_parallel(compiler), ["-fopenmp-simd"]):
        for tuned in (native, []):
            yield (*_ALWAYS, *tuned, *parallel)


def is_serial(flags: Sequence[str]) -> bool:
    """Whether what these flags compile runs on one thread."""
    return "-fopenmp-simd" in flags and "-DGOMP" not in flags


def _parallel(compiler: Compiler) -> list[str]:
    """Flags for OpenMP in the pool of threads that torch has. Another runtime would start a second pool beside that,
    which costs milliseconds; where the compiler would link one, its code enters torch's by hand."""
    loaded = openmp_runtimes()
    is_found_by_name = bool(loaded) and Path(loaded[0]).name == "libgomp.so.1"  # some wheels rename theirs
    by_hand = bool(loaded) and ("clang" in compiler.version or not is_found_by_name)
    return ["-fopenmp-simd", "-DGOMP", loaded[0]] if by_hand else ["-fopenmp"]


def openmp_runtimes() -> list[str]:
    """The OpenMP runtimes in this process, that of torch first. Empty where the system does not tell."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    found = dict.fromkeys(re.findall(r"(/\S.*/lib[gi]?omp5?[-.][^/\n]*)$", maps, re.MULTILINE))
    return sorted(found, key=lambda path: "/torch/lib/" not in path)


@cache
def processor() -> str:
    """The model and the features of the processor, which -march=native compiles for."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            first = [line for line in iter(lines.readline, "\n") if line]
    except OSError:
        first = []
    told = [line for line in first if re.match(r"(model name|flags|Features|CPU (part|implementer|variant))\s*:", line)]
    return "".join(told) or f"{platform.machine()} {platform.processor()}"
