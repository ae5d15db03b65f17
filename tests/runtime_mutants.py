"""Mutants of the PyTorch runtime: seeded faults, each of which a test must catch.

`python tests/runtime_mutants.py` copies the tree aside, makes one replacement at a time there, runs the tests that are
about it, and prints the first that fails. It exits with 1 if a fault survives, or no longer fits the code.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREE = ("optgen", "rules", "generated", "tests", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A replacement in a file of the runtime, and the test files that are to catch it."""

    fault: str
    file: str
    old: str
    new: str
    tests: str


MUTANTS = (
    Mutant("the count advances without a gradient", "_runtime.py",
           "if grad is None or (only is not None and id(param) not in only):",
           "if grad is None and 'step' in self.state.get(param, {}):\n                self.state[param]['step'] += 1\n"
           "            if grad is None or (only is not None and id(param) not in only):", "test_checkpoint_matrix.py"),
    Mutant("a loaded state shares storage", "_checkpoints.py",
           "value.value.detach().clone().to(param.device)", "value.value.detach().to(param.device)",
           "test_torch_checkpoints.py"),
    Mutant("names are not matched", "_checkpoints.py",
           "if names and old_names and names != old_names and len(names) == len(old[\"params\"]):",
           "if False:", "test_checkpoint_matrix.py"),
    Mutant("a state of another shape loads", "_checkpoints.py",
           "if not tensor or tuple(value.shape) != shape:", "if not tensor:", "test_checkpoint_matrix.py"),
    Mutant("maximize is ignored", "_step.py",
           "grad = -grad if one.group.get(\"maximize\") else grad\n    one.new", "one.new", "test_optimizer_info.py"),
    Mutant("the closure runs without gradients", "_runtime.py",
           "with torch.enable_grad():\n                    loss = closure()",
           "with torch.no_grad():\n                    loss = closure()", "test_optimizer_info.py"),
    Mutant("an overflow is stepped", "_runtime.py",
           "if found_inf is None or not found_inf.item():", "if True:", "test_amp.py"),
    Mutant("a learning rate that is a tensor is not looked at", "_hypers.py",
           "if not (unread and any(", "if not (any(", "test_faults.py"),
    Mutant("a half-precision parameter is computed in its own dtype", "_step.py",
           "torch.float64 if self.param.dtype == torch.float64 else torch.float32", "self.param.dtype",
           "test_faults.py"),
    Mutant("an overlapping parameter is taken", "_faults.py",
           "if stride < reach:", "if False:", "test_faults.py"),
    Mutant("a schedule does not see what another scheduler did", "_schedules.py",
           "if not isinstance(rate, Tensor) and rate == base * before:", "if not isinstance(rate, Tensor):",
           "test_schedules.py"),
    Mutant("a state of whole numbers is written into", "_faults.py",
           "x.is_complex() if param.is_complex() else x.is_floating_point()", "True", "test_faults.py"),
)


def copied(folder: Path) -> None:
    """The tree, with the packages that an installation maps into place where an import finds them without one."""
    for name in TREE:
        source = ROOT / name
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", "_generated", "_rules")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    for name in ("generated", "rules"):
        (folder / f"optgen/_{name}").symlink_to(folder / name)


def caught(tree: Path, mutant: Mutant) -> str:
    """The first test that fails, empty if none does. Both copies of the runtime are changed, then put back."""
    paths = [tree / "optgen/runtime/pytorch" / mutant.file, tree / "generated/pytorch" / mutant.file]
    before = paths[0].read_text(encoding="utf-8")
    if before.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.fault}: {mutant.old!r} stands {before.count(mutant.old)} times in {mutant.file}")
    for path in paths:
        path.write_text(before.replace(mutant.old, mutant.new), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider", f"tests/{mutant.tests}"]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    finally:
        for path in paths:
            path.write_text(before, encoding="utf-8")
    failed = re.search(r"^(?:FAILED|ERROR) tests/(.+?)(?: - .*)?$", done.stdout, re.M)
    return failed[1] if failed else "" if done.returncode == 0 else done.stdout[-300:]


def main() -> int:
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copied(tree)
        where = "import optgen._generated.pytorch as p; print(*p.__path__)"
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        found = subprocess.run([sys.executable, "-c", where], cwd=tree, env=environment, capture_output=True, text=True)
        assert str(tree) in found.stdout, f"the tests would import another tree: {found.stdout}{found.stderr}"
        for mutant in MUTANTS:
            test = caught(tree, mutant)
            survived += not test
            print(f"{mutant.fault:55} {test or 'SURVIVED'}", flush=True)
    print(f"{len(MUTANTS) - survived} of {len(MUTANTS)} caught")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
