"""The command line: every command on built-in names and on a user's own file, from any folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import optgen.verifying
from optgen.build import compile
from optgen.cli import app
from optgen.dsl.load import built_in_names
from optgen.errors import OptgenError
from optgen.passes import STAGES

ROOT = Path(__file__).resolve().parents[1]
RULE = '''"""Halving. A rule of the user's own."""
from optgen import Eq, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 0.5, at_least=0)

rule = Rule(
    param=theta, grad=g,
    equations=[Eq(m[t], m[t - 1] / 2 + g[t]), Eq(theta[t], theta[t - 1] - lr * m[t])],
)
'''


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and output of a command in this process. What the user can mend is raised."""
    result = CliRunner().invoke(app, arguments, prog_name="optgen")
    if isinstance(result.exception, OptgenError):
        raise result.exception
    return result.exit_code, result.output


def run_apart(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own, in another folder."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run([sys.executable, "-m", "optgen", *arguments], cwd=folder, text=True, capture_output=True,
                          env={**os.environ, "PYTHONPATH": path}, timeout=300, check=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder that holds a user's rule file, halving.py."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "halving.py").write_text(RULE)
    return tmp_path


def test_list_names_every_rule_and_schedule() -> None:
    status, output = run("list")
    assert status == 0
    assert {line.split()[0] for line in output.splitlines()} >= set(built_in_names())


@pytest.mark.parametrize("name", built_in_names())
def test_show_describes_every_built_in_rule(name: str) -> None:
    status, output = run("show", name)
    assert status == 0
    assert "equations" in output
    assert "hyperparameters" in output


def test_show_tells_what_adamw_costs_and_takes() -> None:
    _, output = run("show", "adamw")
    words = " ".join(output.split())
    assert "exp_avg, exp_avg_sq 8 / 28 8 / 22 4 / 14" in words
    assert "betas (0.9, 0.999) at least 0 and below 1 beta1, beta2" in words
    assert "max_exp_avg_sq v_max 0 element amsgrad" in words
    assert "pretraining 1e-4 to 3e-4; full fine-tuning 1e-5 to 5e-5; LoRA fine-tuning 1e-4 to 3e-4" in words
    assert "https://arxiv.org/abs/1711.05101" in words
    assert "launches for a whole group of parameters on a GPU: 1" in words


def test_show_tells_how_parameters_are_stored() -> None:
    _, output = run("show", "adamwbf16")
    assert re.search(r"none +theta +element +of bfloat16 +bf16_sr", output)


def test_show_tells_what_each_pass_over_memory_of_lamb_moves() -> None:
    _, output = run("show", "lamb")
    words = " ".join(output.split())
    assert "exp_avg, exp_avg_sq 8 / 44 8 / 34 4 / 24" in words
    assert "1 g none 4 2 2 theta_prev, g, m_prev, v_prev m, v 24 20 3 theta_prev, m, v theta 16 12" in words
    assert "1 g none 2 2 theta_prev, g, m_prev, v_prev none 8 3 theta_prev, g, m_prev, v_prev theta, m, v 14" in words
    assert "GPU: 3 or 4" in words


def test_show_counts_no_bytes_for_the_statistics_of_adafactor() -> None:
    _, output = run("show", "adafactor")
    words = " ".join(output.split())
    assert "row_var, col_var 0 / 24 0 / 12 0 / 12" in words
    assert "1 theta_prev, g none 8 4 4 2 g none 4 2 2 3 theta_prev, g theta 12 6 6" in words
    assert "launches for a whole group of parameters on a GPU: 4" in words


def test_show_latex_is_latex_and_nothing_else() -> None:
    status, output = run("show", "lion", "--latex")
    assert status == 0
    assert output.startswith(r"\begin{aligned}")
    assert output.endswith("\\end{aligned}\n")


@pytest.mark.parametrize("stage", STAGES)
def test_show_ir_stops_after_any_pass(stage: str) -> None:
    status, output = run("show", "adamw", "--ir", "--after", stage)
    assert status == 0
    assert output.count("step AdamW where amsgrad is") == 2
    assert ("inv_one_minus_beta1_t" in output) == (stage == STAGES[-1])


@pytest.mark.parametrize(("arguments", "message"), [
    (("show", "nothing"), "there is no built-in rule 'nothing'"),
    (("show", "nothing.py"), "there is no rule file nothing.py"),
    (("show", "adamw", "--ir", "--after", "parse"), "there is no pass 'parse'"),
    (("show", "cosine", "--ir"), "cosine is a schedule"),
    (("build", "adamw", "--backend", "fortran"), "there is no backend 'fortran'"),
    (("verify", "adamw", "--backend", "fortran"), "there is no backend 'fortran'"),
    (("verify", "--storage", "int8"), "--storage goes with rules that are named"),
    (("verify", "adamw", "--storage", "int3"), "there is no storage format 'int3'"),
    (("verify", "adamw", "--storage", "w=int8"), "no state 'w' to store as int8"),
    (("verify", "cosine", "--storage", "int8"), "is a schedule, which stores nothing"),
    (("new", "adamw"), "'adamw' is a built-in rule"),
    (("new", "Halving"), "the name 'Halving' has capitals"),
    (("new", "two words"), "rule 'two words' is not a valid name"),
    (("new", "lambda"), "rule 'lambda' is reserved"),
    (("new", "halving"), "halving.py exists already"),
    (("demo", "--steps", "1"), "at least 10 steps"),
])
@pytest.mark.usefixtures("folder")
def test_what_a_user_can_mend_is_said_with_a_hint(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(OptgenError) as raised:
        run(*arguments)
    assert message in str(raised.value)
    assert "hint: " in str(raised.value)


def test_an_error_goes_to_stderr_with_status_2_and_no_traceback(folder: Path) -> None:
    (folder / "broken.py").write_text(RULE.replace("m[t - 1] / 2", "m[t - 2] / 2"))
    done = run_apart(folder, "show", "broken.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("broken.py:9: ")
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_users_file_is_shown_built_and_imported_from_its_own_folder(folder: Path) -> None:
    shown = run_apart(folder, "show", "halving.py")
    assert shown.returncode == 0, shown.stderr
    assert "m[t] = m[t - 1]/2 + g[t]" in shown.stdout
    built = run_apart(folder, "build", "halving.py", "--out", "made")
    assert built.returncode == 0, built.stderr
    assert (folder / "made/pytorch/halving.py").is_file()
    used = subprocess.run([sys.executable, "-c", (
        "import numpy as np; from made.numpy_ref import halving\n"
        "p = [np.ones(2)]; print(halving.step(p, [np.ones(2)], halving.init(p), 1)[0][0])")],
        cwd=folder, text=True, capture_output=True, check=True)
    assert used.stdout == "[0.5 0.5]\n"


def test_build_check_finds_what_differs_and_what_is_stray(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.optgen]\nrules = ["lion", "halving.py"]\nbackends = ["numpy"]\n')
    assert run("build", "--check")[0] == 1
    assert run("build")[0] == 0
    assert run("build", "--check") == (0, f"no differences in {folder / 'generated'}\n")
    made = folder / "generated/numpy_ref/halving.py"
    text = made.read_text()
    made.write_text(text + "# by hand\n")
    status, output = run("build", "--check")
    assert status == 1
    assert "-# by hand" in output
    assert run("build")[0] == 0
    assert made.read_text() == text
    stray = made.with_name("old.py")
    stray.write_text("")
    status, output = run("build", "--check")
    assert status == 1
    assert f"stray file {stray}" in output


def test_storage_is_asked_for_by_an_option_or_a_table(folder: Path) -> None:
    assert run("build", "adamw", "halving.py", "--backend", "numpy", "--storage", "m=int8", "--out", "made")[0] == 0
    texts = {name: (folder / f"made/numpy_ref/{name}.py").read_text() for name in ("adamw", "halving")}
    assert "    optgen build adamw --backend numpy --storage m=int8\n" in texts["adamw"]
    assert all("int8_signed.store(m)" in text for text in texts.values())
    assert "v" in texts["adamw"]
    assert "int8_unsigned" not in texts["adamw"]
    (folder / "pyproject.toml").write_text(
        '[tool.optgen]\nrules = ["lion", "adamw", "halving.py"]\nbackends = ["numpy"]\nout = "made"\n'
        '[tool.optgen.storage]\nadamw = "m=int8"\n"halving.py" = {m = "int8"}\n'
    )
    for rules in ([], ["adamw", "halving.py", "--backend", "numpy"]):
        assert run("build", *rules)[0] == 0
        assert {name: (folder / f"made/numpy_ref/{name}.py").read_text() for name in texts} == texts
    assert "int8" not in (folder / "made/numpy_ref/lion.py").read_text()


def test_the_format_of_parameters_is_asked_for_so_too(folder: Path) -> None:
    backends = ["--backend", "torch", "--backend", "c"]
    assert run("build", "lion", *backends, "--storage", "param=bf16_split8,m=int8", "--out", "made")[0] == 0
    made = {path: path.read_text() for path in (folder / "made").rglob("lion*.*")}
    assert len(made) == 5  # large parameters and small ones share a class
    (folder / "pyproject.toml").write_text(
        '[tool.optgen]\nrules = ["lion"]\nbackends = ["torch", "c"]\nout = "made"\n'
        '[tool.optgen.storage]\nlion = {param = "bf16_split8", m = "int8"}\n'
    )
    assert run("build")[0] == 0
    assert {path: path.read_text() for path in made} == made
    for rule in ("lion", "lamb", "adammini"):
        assert run("build", rule, "--backend", "triton", "--storage", "param=master", "--out", "made")[0] == 0


def test_what_is_checked_in_is_what_is_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    status, output = run("build", "--check")
    assert status == 0, output


@pytest.mark.usefixtures("folder")
def test_verify_passes_on_a_users_file() -> None:
    status, output = run("verify", "halving.py", "--backend", "numpy")
    assert status == 0, output
    assert "Halving" in output
    assert "0 failed" in output


@pytest.mark.usefixtures("folder")
def test_verify_judges_states_in_codes_and_tells_where_they_hold() -> None:
    status, output = run("verify", "halving.py", "--storage", "m=root8", "--backend", "numpy", "--brief")
    assert status == 0, output
    assert "0 failed, 0 skipped" in output
    assert "Halving: root8" in output
    assert "1e-12" in output
    assert "1e+04" in output
    assert "Halving stays within 10% at" in output


@pytest.mark.usefixtures("folder")
def test_verify_fails_on_code_of_another_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optgen.verifying, "compile", lambda rule, backend: compile("lion", backend))
    status, output = run("verify", "halving.py", "--backend", "numpy", "--brief")
    assert status == 1
    assert "FAIL" in output


@pytest.mark.usefixtures("folder")
def test_new_writes_a_rule_that_compiles_and_verifies() -> None:
    assert run("new", "my_rule")[0] == 0
    assert run("show", "my_rule.py")[0] == 0
    assert run("verify", "my_rule.py", "--backend", "numpy", "--brief")[0] == 0


def test_version_and_help() -> None:
    assert run("--version")[1].startswith("optgen ")
    status, output = run("--help")
    assert status == 0
    assert all(command in output for command in ("list", "show", "build", "verify", "new", "demo"))
