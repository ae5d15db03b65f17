"""User errors: every bad rule file under tests/errors gives its whole message, and following the hint mends it.

tests/errors/X.py is built by `optgen build X.py`, or by the command in its first line, if that is a comment that starts
with `# optgen`; FILE there stands for the file. The whole message must equal tests/errors/X.txt. After a change of
messages run `pytest tests/test_errors.py --update`, which writes these files anew, and read the difference as a user
would: it must say where, what is wrong in the user's own words, and how to mend it. tests/mended.py follows each hint.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import command
from mended import MENDED, mend

from optgen.build import backend_names, build
from optgen.dsl.load import built_in_names
from optgen.errors import OptgenError

FOLDER = Path(__file__).parent / "errors"
FILES = sorted(path.stem for path in FOLDER.glob("*.py"))
MARK = "# optgen "

# What goes wrong before a file is read, or without one.
COMMANDS = {
    "unknown_backend": ["build", "adamw", "--backend", "fortran"],
    "unknown_rule": ["build", "adagrd"],
    "unknown_rule_unlike_any": ["build", "xyz"],
    "missing_file": ["build", "nowhere.py"],
    "missing_file_of_a_built_in_rule": ["build", "adamw.py"],
    "folder_instead_of_a_file": ["build", "../errors"],
    "two_rules_of_one_name": ["build", "lion", "elsewhere/lion.py"],
}
# Without a line of the rule to quote: a whole file is wrong, or a line that the text of the file does not hold.
UNQUOTED = {"class", "empty", "my-rule", "no_rule", "state"}


def message(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """What the command line prints about a bad rule."""
    monkeypatch.chdir(FOLDER)
    first, *_ = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines() or [""]
    arguments = first.removeprefix(MARK).split() if first.startswith(MARK) else ["build", "FILE"]
    out = tmp_path / "out"
    done = command(*(f"{name}.py" if word == "FILE" else word for word in arguments), "--out", str(out))
    assert (done.status, done.out) == (2, ""), done
    assert not out.exists(), "something was written"
    return done.err


@pytest.mark.parametrize("name", FILES)
def test_a_bad_rule_gives_its_whole_message(
    name: str, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    golden(f"errors/{name}.txt", message(name, monkeypatch, tmp_path))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_bad_command_gives_its_whole_message(
    name: str, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(FOLDER)
    done = command(*COMMANDS[name], "--out", str(tmp_path / "out"))
    assert (done.status, done.out) == (2, "")
    text = done.err.replace(", ".join(built_in_names()), "RULES").replace(", ".join(backend_names()), "BACKENDS")
    golden(f"errors/{name}.txt", text)


@pytest.mark.parametrize("name", FILES)
def test_each_problem_has_a_line_a_quote_and_a_hint(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = (FOLDER / f"{name}.py").read_text(encoding="utf-8").splitlines()
    for problem in message(name, monkeypatch, tmp_path).strip().split("\n\n"):
        headline, *quoted, hint = problem.split("\n")
        where = re.match(rf"{re.escape(name)}\.py:(\d+): \S", headline)
        assert where, headline
        assert hint.startswith("hint: ")
        assert len(hint) > len("hint: ") + 10
        assert len(headline) < 250
        assert headline.isprintable()
        if name in UNQUOTED:
            assert not quoted
        else:
            assert quoted
            assert quoted[0].strip() == source[int(where[1]) - 1].strip()


@pytest.mark.parametrize("name", FILES)
def test_no_message_speaks_of_what_only_the_compiler_knows(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = message(name, monkeypatch, tmp_path)
    given = f"{name} {(FOLDER / f'{name}.py').read_text(encoding='utf-8')}"
    words = set(re.findall(r"\w+", said)) - set(re.findall(r"\w+", given))
    leaked = {word for word in words if re.search(r"_(prev|product|base|left|right|sum|mean)$", word)}
    assert not leaked - ({"m_prev"} if name == "past_collides" else set())
    assert "Traceback" not in said
    assert "site-packages" not in said


def test_every_bad_rule_has_a_golden_message_and_the_reverse() -> None:
    wanted = {*FILES, *COMMANDS}
    assert {path.stem for path in FOLDER.glob("*.txt")} == wanted


def test_every_bad_rule_has_a_repaired_version_or_a_reason() -> None:
    assert set(MENDED) == set(FILES)


@pytest.mark.parametrize("name", [name for name in FILES if not isinstance(MENDED.get(name, ""), str)])
def test_following_the_hint_makes_the_rule_build(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = mend(FOLDER / f"{name}.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    done = (
        command("build", path.name, "--out", "out", "--backend", "numpy", "--backend", "torch")
        if ("Schedule" not in path.read_text(encoding="utf-8"))
        else command("build", path.name, "--out", "out")
    )
    assert done.status == 0, done.err
    assert list((tmp_path / "out").rglob(f"{path.stem}.py"))


def test_a_message_without_a_place_still_has_a_hint() -> None:
    for name in COMMANDS:
        text = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
        assert "\nhint: " in text


def test_errors_are_raised_in_python_with_the_same_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    with pytest.raises(OptgenError) as raised:
        build(["several_problems.py"])
    assert str(raised.value) + "\n" == (FOLDER / "several_problems.txt").read_text(encoding="utf-8")
