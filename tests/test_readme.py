"""Every command, snippet and claimed line of code in the README is what it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line) for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
SNIPPETS = [text for kind, text in BLOCKS if kind == "python"]


def test_every_block_is_of_a_kind_that_is_run() -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "python", "toml"}  # the table's is tried in test_cli.py
    assert {command[0] for command in COMMANDS} == {"make", "optgen", ".ci/run"}


def test_the_table_quotes_the_rule_and_the_kernel() -> None:
    pairs = re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", README, re.MULTILINE)
    assert len(pairs) == 5
    rule = (ROOT / "rules/adamw.py").read_text(encoding="utf-8")
    kernel = (ROOT / "generated/triton_gpu/adamw.py").read_text(encoding="utf-8")
    for equation, line in pairs:
        assert equation in rule, equation
        assert re.search(rf"^ +{re.escape(line)}$", kernel, re.MULTILINE), line


@pytest.mark.parametrize("target", sorted({command[1] for command in COMMANDS if command[0] == "make"}))
def test_make_knows_its_targets(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_files_and_modules_that_the_text_names_exist() -> None:
    paths = re.findall(r"`([\w.]+/[\w./]*)`", README)
    made = {"demo/loss.png", ".venv"}
    assert [path for path in paths if path not in made and not (ROOT / path.replace("/x.py", "")).exists()] == []
    assert all(find_spec(name) for name in re.findall(r"python -m (\S+?)`", README))


@pytest.mark.slow
def test_a_reader_can_follow_it_from_top_to_bottom(tmp_path: Path) -> None:
    """The optgen commands and the snippets in their order, in an empty folder. The rule's text becomes its file."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    for kind, text in BLOCKS:
        if kind == "python" and text.startswith('"""SignMom.'):
            (tmp_path / "signmom.py").write_text(text, encoding="utf-8")
            continue
        if kind == "toml":
            assert tomllib.loads(text)["tool"]["optgen"]["storage"]
            continue
        commands = [shlex.split(line) for line in text.splitlines()] if kind == "sh" else [["python", "-c", text]]
        for name, *arguments in commands:
            if name in ("optgen", "python"):
                command = [sys.executable, *(["-m", "optgen"] if name == "optgen" else []), *arguments]
                done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True,
                                      check=False)
                assert done.returncode == 0, f"{text}\n{done.stdout}{done.stderr}"
    assert (tmp_path / "optimizers/triton_gpu/signmom.py").is_file()
