"""Bad input on the command line: a status other than 0, a message without a traceback, and nothing half written."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import Done, command

from optgen.build import backend_names, write
from optgen.dsl.load import LARGEST_FILE, built_in_names
from optgen.errors import OptgenError

ROOT = Path(__file__).resolve().parents[1]
RULE = """from optgen import Eq, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 0.5, at_least=0)
rule = Rule(
    param=theta, grad=g,
    equations=[Eq(m[t], m[t - 1] / 2 + g[t]), Eq(theta[t], theta[t - 1] - lr * m[t])],
)
"""
INTERRUPTED = "raise KeyboardInterrupt\n"
FILES = {
    "halving.py": RULE,
    "bad.py": RULE.replace("t - 1] / 2", "t - 2] / 2"),
    "interrupted.py": INTERRUPTED,
    "huge.py": "#" * (LARGEST_FILE + 1),
    "plain": "a file\n",
    "taken.py": "",
}
LONE = "caf\udce9"  # what Python makes of a byte that is no UTF-8 in an argument


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with files of every bad kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name, text in FILES.items():
        Path(name).write_text(text)
    Path("binary.py").write_bytes(bytes(range(256)))
    Path("folder.py").mkdir()
    Path("loop.py").symlink_to("loop.py")
    Path("dangling.py").symlink_to("nowhere")
    os.mkfifo("pipe.py")
    return tmp_path


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, with what it holds."""
    plain = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path): path.read_bytes() for path in plain}


def refused(done: Done, *words: str) -> None:
    """The command ended as one with bad input must."""
    assert done.status not in (0, None)
    said = " ".join((done.out + done.err).split())
    assert "Traceback" not in done.out + done.err
    assert all(word in said for word in words), said
    assert all(line.isprintable() for line in done.err.split("\n"))


NO_RULES = {
    "nothing": "there is no built-in rule 'nothing'",
    "adamww": "did you mean adamw?",
    "AdamX": "did you mean adam",
    "": "there is no built-in rule ''",
    "nowhere.py": "there is no rule file nowhere.py",
    "adamw.py": "the built-in rule is called adamw",
    "./plain": "the file defines no `rule`",
    "plain/x.py": "there is no rule file plain/x.py",
    "folder.py": "folder.py is a folder, not a rule file",
    "binary.py": "binary.py is not a text file",
    "huge.py": "huge.py is larger than a rule can be",
    "pipe.py": "pipe.py is a device or a pipe",
    "loop.py": "loop.py cannot be read",
    "dangling.py": "there is no rule file dangling.py",
    "taken.py": "the file defines no `rule`",
    "bad.py": "m[t - 2] has an index other than t or t - 1",
    LONE: "there is no built-in rule",
    f"{LONE}.py": "is not a valid name",
    "a\0b.py": "is not a valid name",
    "x" * 300 + ".py": "is not a valid name",
    f"{'x/' * 3000}x.py": "cannot be read",
    "$(id)": "there is no built-in rule '$(id)'",
    "{{ 7 * 7 }}.py": "is not a valid name",
}


@pytest.mark.parametrize("name", NO_RULES, ids=range(len(NO_RULES)))
@pytest.mark.parametrize(
    "arguments", [("show",), ("build",), ("verify", "--backend", "numpy", "--brief")], ids=" ".join
)
def test_what_is_no_rule_is_refused_by_every_command(arguments: tuple[str, ...], name: str, folder: Path) -> None:
    if name == "./plain":
        Path("plain").write_text("x = 1\n")
    before = snapshot(folder)
    refused(command(*arguments, "--", name), NO_RULES[name], "hint: ")
    assert snapshot(folder) == before


BAD: dict[tuple[str, ...], tuple[str, ...]] = {
    (): ("Usage",),
    ("frobnicate",): ("No such command 'frobnicate'",),
    ("biuld", "adamw"): ("Did you mean 'build'?",),
    ("--frobnicate",): ("No such option",),
    ("list", "extra"): ("unexpected extra argument",),
    ("show",): ("Missing argument",),
    ("show", "adamw", "lion"): ("unexpected extra argument",),
    ("show", "adamw", "--irr"): ("--ir",),
    ("show", "adamw", "--ir", "--after"): ("requires an argument",),
    ("show", "adamw", "--ir", "--after", "pars"): ("there is no pass 'pars'", "resolve, flatten, infer, hoist"),
    ("show", "adamw", "--ir", "--after", ""): ("there is no pass ''",),
    ("show", "adamw", "--after", "infer"): ("--after goes with --ir only", "show adamw --ir --after infer"),
    ("show", "adamw", "--latex", "--ir"): ("--latex and --ir do not go together",),
    ("show", "cosine", "--ir"): ("cosine is a schedule, which has no steps",),
    ("build", "adamw", "--backend", "fortran"): ("there is no backend 'fortran'", ", ".join(backend_names())),
    ("build", "adamw", "--backend", ""): ("there is no backend ''",),
    ("build", "adamw", "--backend", "../numpy"): ("there is no backend '../numpy'",),
    ("build", "adamw", "--backend", "numpy\n"): ("there is no backend 'numpy\\n'",),
    ("build", "adamw", "--bakend", "numpy"): ("--backend",),
    ("build", "adamw", "--backend"): ("requires an argument",),
    ("build", "adamw", "--out"): ("requires an argument",),
    ("build", "adamw", "--out", "plain"): ("plain", "hint: give a folder of your own by --out"),
    ("build", "adamw", "--out", "plain/below"): ("Not a directory",),
    ("build", "adamw", "--out", "/dev/null"): ("/dev/null",),
    ("build", "adamw", "--out", "/proc/nowhere"): ("/proc/nowhere",),
    ("build", "adamw", "--out", "x" * 300): ("File name too long",),
    ("build", "adamw", "--storage"): ("requires an argument",),
    ("build", "adamw", "--storage", ""): ("storage has '', which is no name and format", 'hint: write "int8"'),
    ("build", "adamw", "--storage", "m:int8"): ("storage has 'm:int8', which is no name and format",),
    ("build", "adamw", "--storage", "m=int9"): ("there is no storage format 'int9'", "hint: choose one of bf16"),
    ("build", "adamw", "--storage", "q=int8"): ("AdamW has no state 'q' to store as int8", "it has m, v, v_max, param"),
    ("build", "nadam", "--storage", "P=int8"): ("P cannot be stored as int8", "one number on the host", "hint: "),
    ("build", "cosine", "--storage", "int8"): ("Cosine is a schedule, which stores nothing",),
    ("build", "--storage", "int8"): ("--storage goes with rules that are named", "build adamw --storage int8"),
    ("build", "adamw", "adamw"): ("would share the file adamw.py",),
    ("build", "adamw", "bad.py"): ("bad.py:7: ",),
    ("build", "--check", "adamw", "--out", "nowhere"): ("differences in nowhere",),
    ("verify", "adamw", "--backend", "fortran"): ("there is no backend 'fortran'",),
    ("verify", "halving.py", "bad.py", "--backend", "numpy", "--brief"): ("bad.py:7: ",),
    ("new",): ("Missing argument",),
    ("new", ""): ("rule has no name",),
    ("new", "adamw"): ("'adamw' is a built-in rule",),
    ("new", "taken"): ("taken.py exists already",),
    ("new", "loop"): ("loop.py exists already",),
    ("new", "Halving"): ("the name 'Halving' has capitals",),
    ("new", "two words"): ("rule 'two words' is not a valid name", "for example two_words"),
    ("new", "../above"): ("rule '../above' is not a valid name", "for example above"),
    ("new", "import_error"): ("the class 'ImportError' is reserved",),
    ("new", "lambda"): ("rule 'lambda' is reserved",),
    ("new", "x" * 65): ("is not a valid name",),
    ("demo", "--steps", "ten"): ("'--steps'", "valid integer"),
    ("demo", "--steps", "1.5"): ("'--steps'",),
    ("demo", "--steps", "9"): ("at least 10 steps, not 9",),
    ("demo", "--steps", "-5"): ("at least 10 steps, not -5",),
    ("demo", "--out", "plain"): ("plain: File exists", "hint: "),
}


@pytest.mark.parametrize("arguments", BAD, ids=range(len(BAD)))
def test_bad_arguments_are_refused_and_nothing_is_written(arguments: tuple[str, ...], folder: Path) -> None:
    before = snapshot(folder)
    refused(command(*arguments), *BAD[arguments])
    assert snapshot(folder) == before


TABLES = {
    "[tool.optgen\n": "cannot be read: ",
    "[tool.optgen]\nrules = 'adamw'\n": "rules in [tool.optgen] of pyproject.toml has a value of a wrong type",
    "[tool.optgen]\nrules = [3]\n": 'write rules = ["adamw", "my_rule.py"]',
    "[tool.optgen]\nout = 3\n": 'write out = "generated"',
    "[tool.optgen]\nout = 'plain'\n": "plain",
    "[tool.optgen]\nbackends = {numpy = true}\n": "backends in [tool.optgen]",
    "[tool.optgen]\nbackends = ['numpie']\n": "there is no backend 'numpie'",
    "[tool.optgen]\nbackend = ['numpy']\n": "unknown entry 'backend' hint: its entries are rules",
    "[tool.optgen]\nrules = ['nothing']\n": "there is no built-in rule 'nothing'",
    "[tool.optgen]\nrules = ['nowhere.py']\n": "nowhere.py",
    "[tool.optgen]\nstorage = 3\n": "storage in [tool.optgen] of pyproject.toml has a value of a wrong type",
    "[tool.optgen]\nrules = ['adamw']\nstorage = {lion = 'int8'}\n": "names 'lion', which is not among its rules",
    "[tool.optgen]\nrules = ['adamw']\nstorage = {adamw = 8}\n": "storage is 8, neither a text nor a dict",
    "[tool.optgen]\nrules = ['adamw']\n[tool.optgen.storage]\nadamw = 'm-int8'\n": "storage has 'm-int8', which is no",
    "[tool.optgen]\nrules = ['adamw']\n[tool.optgen.storage.adamw]\nm = 'int9'\n": "no storage format 'int9'",
    "[tool]\noptgen = 'numpy'\n": "write [tool.optgen] above its entries",
    "tool = 3\n": "write [tool.optgen] above its entries",
    "a = '\udcff'": "cannot be read: ",
}


@pytest.mark.parametrize("text", TABLES, ids=range(len(TABLES)))
def test_a_bad_pyproject_is_refused(text: str, folder: Path) -> None:
    Path("pyproject.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    before = snapshot(folder)
    refused(command("build"), TABLES[text], "hint: ")
    assert snapshot(folder) == before


def test_a_folder_or_a_foreign_table_is_no_configuration(folder: Path) -> None:
    Path("pyproject.toml").mkdir()
    assert command("build", "lion", "--backend", "numpy", "--out", "made").status == 0
    Path("pyproject.toml").rmdir()
    Path("pyproject.toml").write_text("[tool.other]\nrules = 3\n")
    assert command("build", "lion", "--check", "--backend", "numpy", "--out", "made").status == 0


def test_either_every_file_is_written_or_none(folder: Path) -> None:
    assert command("build", "lion", "--out", "made").status == 0
    for path in Path("made").rglob("lion.py"):
        path.write_text("# by hand\n")
    kernel = Path("made/triton_gpu/lion.py")
    kernel.unlink()
    kernel.mkdir()  # the last file cannot be written
    before = snapshot(folder)
    refused(command("build", "lion", "--out", "made"), "Is a directory", "lion.py")
    assert snapshot(folder) == before
    kernel.rmdir()
    assert command("build", "lion", "--out", "made").status == 0
    assert not any("# by hand" in path.read_text() for path in Path("made").rglob("lion.py"))


def test_a_rule_that_cannot_be_built_leaves_the_other_rules_unwritten(folder: Path) -> None:
    refused(command("build", "adamw", "halving.py", "bad.py", "--out", "made"), "bad.py:7: ")
    assert not Path("made").exists()


def test_what_is_no_text_is_drift_and_is_written_over(folder: Path) -> None:
    arguments = ("build", "lion", "--backend", "numpy", "--out", "made")
    assert command(*arguments).status == 0
    made = Path("made/numpy_ref/lion.py")
    text = made.read_bytes()
    made.write_bytes(bytes(range(256)))
    refused(command(*arguments, "--check"), "1 differences in made")
    assert command(*arguments).status == 0
    assert made.read_bytes() == text


def test_an_interrupt_ends_the_command_without_a_traceback(folder: Path) -> None:
    before = snapshot(folder)
    for arguments in (("show", "interrupted.py"), ("build", "adamw", "interrupted.py"), ("verify", "interrupted.py")):
        refused(command(*arguments))
    assert snapshot(folder) == before


def test_a_write_that_is_interrupted_leaves_no_file(tmp_path: Path) -> None:
    class Late(dict[str, str]):
        def items(self) -> object:  # type: ignore[override]
            yield "a.py", "x = 1\n"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(Late(), tmp_path)
    assert not list(tmp_path.iterdir())
    (tmp_path / "b.py").mkdir()
    with pytest.raises(OptgenError, match="Is a directory"):
        write({"a.py": "x = 1\n", "b.py": "y = 2\n"}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b.py"]


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_every_table_can_be_shown_in_any_encoding(encoding: str, folder: Path) -> None:
    Path("halving.py").write_text('"""Halvíng. Παπαδόπουλος, 論文, 2024."""\n' + RULE, encoding="utf-8")
    for arguments in (("show", "halving.py"), ("show", "halving.py", "--ir"), ("list",)):
        done = command(*arguments, encoding=encoding)
        assert (done.status, done.err) == (0, "")
        assert done.out
    refused(command("show", "halvíng", encoding=encoding), "there is no built-in rule")


# The rest needs processes, terminals and signals of its own.
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
OPTGEN = [sys.executable, "-m", "optgen"]


def test_a_reader_that_leaves_ends_the_command_in_silence(folder: Path) -> None:
    read, written = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*OPTGEN, "list"], stdout=written, stderr=subprocess.PIPE, env=ENVIRONMENT, timeout=120, check=False
    )
    os.close(written)
    assert done.returncode != 0
    assert done.stderr == b""


def test_a_full_disk_under_the_output_is_told(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*OPTGEN, "show", "lion", "--latex"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            timeout=120,
            check=False,
            text=True,
        )
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr


def _heed_interrupts() -> None:
    """What a process in the background inherits is to ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_control_c_ends_a_long_command_without_a_traceback(folder: Path) -> None:
    Path("slow.py").write_text("import pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(60)\n" + RULE)
    running = subprocess.Popen(
        [*OPTGEN, "build", "slow.py"], stderr=subprocess.PIPE, env=ENVIRONMENT, text=True, preexec_fn=_heed_interrupts)
    for _ in range(1200):
        if Path("begun").exists():
            break
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode not in (0, None)
    assert "Traceback" not in said
    assert not Path("generated").exists()


def test_a_narrow_terminal_gets_every_word(folder: Path) -> None:
    wide = command("show", "adamw").out
    main, side = pty.openpty()
    running = subprocess.Popen(
        [*OPTGEN, "show", "adamw"],
        stdin=side,
        stdout=side,
        stderr=side,
        env={**ENVIRONMENT, "COLUMNS": "20", "TERM": "xterm"},
    )
    os.close(side)
    seen = b""
    while select.select([main], [], [], 120)[0]:
        try:
            part = os.read(main, 65536)
        except OSError:
            break  # Linux says so when the other end is closed
        if not part:
            break
        seen += part
    assert running.wait(timeout=60) == 0
    shown = "".join(seen.decode().split())
    assert "Traceback" not in shown
    assert "exp_avg_sq" in shown
    assert max(len(line) for line in wide.splitlines()) > 20
    assert "launchesforawholegroupofparametersonaGPU:1" in shown


def test_every_built_in_name_has_a_near_miss_that_is_suggested() -> None:
    for name in built_in_names():
        for miss in (name[:-1] + "_", name.upper()[1:]):
            done = command("show", miss)
            if done.status:
                refused(done, "there is no built-in rule", "hint: ")
                assert len(name) < 5 or "did you mean" in done.err, miss
