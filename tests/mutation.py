"""Mutation: the tree is copied aside, one replacement at a time is made there, and a test has to fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREE = ("optgen", "rules", "generated", "bench", "tests", "pyproject.toml")


@dataclass(frozen=True, slots=True)
class Mutant:
    """A replacement in a file, and the test file that is to catch it, after it the tests of it to run.

    file: its path in the folder `home`.
    """

    fault: str
    file: str
    old: str
    new: str
    test: str
    home: str = "optgen"

    def misfit(self, text: str) -> str:
        """Why the replacement cannot be made in the file's text, or nothing."""
        count = text.count(self.old)
        return "" if count == 1 else f"{self.fault}: {self.old!r} stands {count} times in {self.file}"


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
    """The first test that fails, empty if none does. A runtime's file is changed in generated/, too.

    Raises SystemExit if the mutant does not fit the code.
    """
    paths = [tree / mutant.home / mutant.file]
    before = paths[0].read_text(encoding="utf-8")
    if mutant.misfit(before):
        raise SystemExit(mutant.misfit(before))
    copy = tree / "generated" / mutant.file.removeprefix("runtime/")
    paths += [copy] if mutant.file.startswith("runtime/") and copy.is_file() else []
    for path in paths:
        path.write_text(before.replace(mutant.old, mutant.new), encoding="utf-8")
    file, *chosen = mutant.test.split(" ", 1)
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--tb=no", "-p", "no:cacheprovider", f"tests/{file}"]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {"HYPOTHESIS_PROFILE": "unshrunk", **({"TRITON_INTERPRET": "1"} if "interpreted" in file else {})}
    command += ["-k", chosen[0]] if chosen else []
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    finally:
        for path in paths:
            path.write_text(before, encoding="utf-8")
    failed = re.search(r"^(?:FAILED|ERROR) (?:tests/)?(.+?)(?: - .*)?$", done.stdout, re.M)
    return failed[1] if failed else "" if done.returncode == 0 else done.stdout[-300:]


def main(mutants: Sequence[Mutant]) -> int:
    """Tries each mutant and prints the first test that fails. 1 if one survives."""
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        copied(tree)
        where = "import optgen._generated.pytorch as p; print(*p.__path__)"
        environment = {**os.environ, "PYTHONPATH": str(tree)}
        found = subprocess.run([sys.executable, "-c", where], cwd=tree, env=environment, capture_output=True, text=True)
        assert str(tree) in found.stdout, f"the tests would import another tree: {found.stdout}{found.stderr}"
        for mutant in mutants:
            test = caught(tree, mutant)
            survived += not test
            print(f"{mutant.fault:62} {test or 'SURVIVED'}", flush=True)
    print(f"{len(mutants) - survived} of {len(mutants)} caught")
    return int(survived > 0)
