"""What a user has after pip install: a wheel that works without the checkout, from any folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what the wheel installs. Built from a copy, so that the checkout gets no build folder."""
    copy, wheels, folder = (tmp_path_factory.mktemp(name) for name in ("copy", "wheels", "site"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("optgen", "rules", "generated"):
        shutil.copytree(ROOT / name, copy / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    apart = ["--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "wheel", *apart, "--wheel-dir", str(wheels), str(copy)], check=True)
    (wheel,) = wheels.glob("optgen-*.whl")
    subprocess.run([*pip, "install", "--no-deps", "--target", str(folder), str(wheel)], check=True)
    return folder


def python(site: Path, folder: Path, *arguments: str) -> str:
    """What Python prints in a folder of its own, where only the installed package is on the path."""
    environment = {**os.environ, "PYTHONPATH": str(site), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, text=True, capture_output=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_one_name_is_installed_at_the_top(site: Path) -> None:
    assert {path.name for path in site.iterdir() if path.suffix != ".dist-info"} == {"optgen", "bin"}
    assert (site / "optgen/py.typed").is_file()


def test_prebuilt_classes_import_from_the_wheel_without_the_compiler(site: Path, tmp_path: Path) -> None:
    printed = python(site, tmp_path, "-c", (
        "import sys, torch; before = set(sys.modules)\n"
        "from optgen.optim import AdamW; from optgen.schedules import WarmupCosine\n"
        "print(sys.modules['optgen'].__file__)\n"
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before} & {'sympy', 'jinja2'}))\n"
        "p = torch.nn.Parameter(torch.ones(2)); p.grad = torch.ones(2); AdamW([p]).step(); print(float(p[0]) < 1)"))
    assert printed.splitlines() == [str(site / "optgen/__init__.py"), "[]", "True"]


def test_the_command_line_works_on_built_in_names_and_on_a_users_file(site: Path, tmp_path: Path) -> None:
    assert "adamw" in python(site, tmp_path, "-m", "optgen", "list")
    python(site, tmp_path, "-m", "optgen", "new", "mine")
    python(site, tmp_path, "-m", "optgen", "build", "mine.py", "adamw", "--out", "made")
    assert (tmp_path / "made/triton_gpu/mine.py").is_file()
    checked_in = (ROOT / "generated/numpy_ref/adamw.py").read_text(encoding="utf-8")
    assert (tmp_path / "made/numpy_ref/adamw.py").read_text(encoding="utf-8") == checked_in
    printed = python(site, tmp_path, "-c", "import optgen; print(optgen.optimizer('mine.py').__name__)")
    assert printed == "Mine\n"
