"""Skipped tests: only what a machine lacks is a reason, and what a GPU would show is asked without one too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import test_gpu

TESTS = Path(__file__).parent
SKIPS = re.compile(r"\b(mark\.(skip|skipif|xfail)|pytest\.(skip|xfail|importorskip))\b")
OWN = {"needs.py", Path(__file__).name}
FILES = sorted(p for p in (*TESTS.glob("*.py"), *TESTS.glob("interpreted/*.py")) if p.name not in OWN)


def defined_in(path: Path) -> set[str]:
    return {*re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)}


def test_every_test_on_a_gpu_names_a_twin() -> None:
    assert defined_in(Path(test_gpu.__file__)) == test_gpu.TWINS.keys()


@pytest.mark.parametrize("twin", test_gpu.TWINS.values())
def test_a_twin_runs_without_a_gpu(twin: str) -> None:
    file, name = twin.split("::")
    text = (TESTS / file).read_text(encoding="utf-8")
    assert name in defined_in(TESTS / file)
    assert not re.search(r"needs\.(gpu|memory_of_a_gpu)\b|mark\.gpu\b", text)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_test_is_skipped_by_its_needs_alone(path: Path) -> None:
    """A file that cannot be read without Triton says so before it imports what asks for it."""
    found = [match[0] for match in SKIPS.finditer(path.read_text(encoding="utf-8"))]
    assert found == (["pytest.importorskip"] if path.name == "test_gpu_static.py" else [])
