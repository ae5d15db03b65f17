"""Build: the same files whatever the hash seed, what is out of date is told, and no file is ever half written."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from reducing_rules import RULES
from small_rules import g, named, theta
from small_rules import rule as small_rule

from optgen.backends import _triton_launches, c, triton
from optgen.build import (
    backend,
    backend_names,
    build,
    compile,
    configuration,
    drift,
    optimizer,
    write,
)
from optgen.dsl import Eq, Rule, cols, elems, literal, load, mean, rows, stored, t, total
from optgen.dsl.symbols import EXTENTS
from optgen.errors import OptgenError, RuleError
from optgen.fused import devices
from optgen.passes import lower

ROOT = Path(__file__).resolve().parents[1]
BUILDS_ALL = """
import hashlib
from pathlib import Path
from optgen.build import build, configuration
asked = configuration(Path.cwd())
files = build(asked.rules, asked.backends, needed=[]).files
print(hashlib.sha256(repr(list(files.items())).encode()).hexdigest(), len(files))
"""


def test_every_file_is_the_same_under_any_hash_seed() -> None:
    """Also in the same order, and the same as what is checked in."""
    running = [subprocess.Popen([sys.executable, "-c", BUILDS_ALL], stdout=subprocess.PIPE, text=True, cwd=ROOT,
                                env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)})
               for seed in ("0", "1", "4242")]
    said = {process.communicate()[0] for process in running}
    assert all(process.returncode == 0 for process in running)
    assert len(said) == 1, said
    assert int(said.pop().split()[1]) > 30


def test_what_is_checked_in_is_what_is_built() -> None:
    asked = configuration(ROOT)
    assert asked.out == ROOT / "generated"
    built = build(asked.rules, asked.backends, needed=[])
    assert not list(drift(built.files, asked.out, whole=True))
    assert {why for _, _, why in built.refused} <= {
        f"the {name} backend {why}" for name in ("C", "Triton")
        for why in ("has no products yet",
                    "chooses a variant for a parameter group, but rows > cols depends on a shape")}


def test_a_file_does_not_depend_on_the_rules_built_beside_it() -> None:
    together = build(["lion", "adamw", "cosine"]).files
    alone = build(["adamw"]).files
    assert {name: together[name] for name in alone} == alone


def test_drift_shows_what_changed_what_is_missing_and_what_is_stray(tmp_path: Path) -> None:
    files = {"a/one.py": "x = 1\n", "a/two.py": "y = 2\n"}
    write(files, tmp_path)
    assert not list(drift(files, tmp_path, whole=True))
    (tmp_path / "a/one.py").write_text("x = 3\n")
    (tmp_path / "a/two.py").unlink()
    (tmp_path / "a/three.py").write_text("")
    (tmp_path / "a/__pycache__").mkdir()
    (tmp_path / "a/__pycache__/one.pyc").write_text("")
    changed, missing, stray = drift(files, tmp_path, whole=True)
    assert "-x = 3\n+x = 1\n" in changed
    assert "+y = 2\n" in missing
    assert stray == f"stray file {tmp_path / 'a/three.py'}: no rule generates it\n"
    assert list(drift(files, tmp_path, whole=False)) == [changed, missing]


def test_only_files_that_changed_are_written(tmp_path: Path) -> None:
    files = {"one.py": "x = 1\n", "deep/er/two.py": "y = 2\n"}
    assert write(files, tmp_path) == [tmp_path / "deep/er/two.py", tmp_path / "one.py"]
    before = (tmp_path / "one.py").stat().st_mtime_ns
    assert write({**files, "deep/er/two.py": "y = 3\n"}, tmp_path) == [tmp_path / "deep/er/two.py"]
    assert (tmp_path / "one.py").stat().st_mtime_ns == before
    assert (tmp_path / "deep/er/two.py").read_text() == "y = 3\n"


@pytest.mark.parametrize(("fault", "told"), [(OSError, OptgenError), (KeyboardInterrupt, KeyboardInterrupt)])
def test_a_write_that_fails_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type[BaseException], told: type[BaseException]
) -> None:
    write({"one.py": "old\n"}, tmp_path)
    whole = Path.write_text

    def half(self: Path, text: str, encoding: str) -> None:
        whole(self, text[: len(text) // 2], encoding=encoding)
        raise fault

    monkeypatch.setattr(Path, "write_text", half)
    with pytest.raises(told):
        write({"one.py": "new and longer\n"}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["one.py"]
    assert (tmp_path / "one.py").read_text() == "old\n"


def test_a_file_has_the_mode_that_the_user_s_mask_gives(tmp_path: Path) -> None:
    write({"one.py": "x = 1\n"}, tmp_path)
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "one.py").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_package_of_each_backend_is_complete() -> None:
    files = build(["adamw", "constant"]).files
    folders = {backend(name).FOLDER for name in backend_names()}
    for folder in folders:
        assert f"{folder}/__init__.py" in files or not any(name.startswith(f"{folder}/") for name in files)
        for name, text in backend(next(n for n in backend_names() if folder == backend(n).FOLDER)).shared().items():
            assert files[f"{folder}/{name}"] == text
    assert files["__init__.py"]
    assert "numpy_ref/adamw.py" in files
    assert "numpy_ref/constant.py" in files
    assert "triton_gpu/constant.py" not in files, "a schedule has no kernel"


def test_nothing_to_build_is_nothing() -> None:
    assert build([]).files == {}


def test_a_rule_that_a_backend_cannot_take_is_told_or_refused() -> None:
    rule = named("newton_schulz")
    built = build([rule], None)
    assert ("NewtonSchulz", "triton") in {(name, what) for name, what, _ in built.refused}
    assert "triton_gpu/newtonschulz.py" not in built.files
    assert "numpy_ref/newtonschulz.py" in built.files
    with pytest.raises(RuleError, match="no products yet"):
        build([rule], ["triton"])
    assert build([rule], ["triton", "numpy"], needed=[]).files.keys() == build([rule], ["numpy"]).files.keys()


def test_a_class_with_formats_steps_fused_as_without() -> None:
    """Codes beside sums over rows, or in some variants only, and parameters in formats: every backend takes them."""

    def kept(name: str, **formats: str) -> Rule:
        rule = load(name)
        assert isinstance(rule, Rule)
        return stored(rule, name="Kept", **formats)

    with literal():
        widened = stored(RULES["widened"](), name="Kept", states="int8")
    for rule in (kept("lamb", param="bf16_sr", m="int8"), widened, kept("adammini", m="int8", param="master")):
        assert {*devices(lower(rule))} == {"cuda", "cpu"}
        assert not build([rule], None).refused


def test_a_class_steps_fused_on_the_devices_whose_backend_takes_its_rule() -> None:
    tiger, lion = load("tiger"), load("lion")
    assert isinstance(lion, Rule)
    joined = replace(lion, name="Joined", ndim=2, otherwise=tiger)
    both = {"cuda", "cpu"}
    with literal():
        of_matrices = mean(mean(g[t] ** 2, cols), rows)
        nested = small_rule("Nested", Eq(theta[t], theta[t - 1] - g[t] / (1 + total(of_matrices, elems))))
    apart = replace(lion, name="Apart", ndim=1, otherwise=named("newton_schulz"))
    for rule, found in ((lion, both), (joined, both), (apart, set()), (named("clipped"), both),
                        (named("factored"), both), (nested, {"cpu"}), (named("newton_schulz"), set())):
        assert {*devices(lower(rule))} == found
        refused = {what for _, what, _ in build([rule], None).refused}
        assert refused == {what for what, device in (("triton", "cuda"), ("c", "cpu")) if device not in found}


@pytest.mark.parametrize("taken", [
    triton.TAKEN, _triton_launches.IN_CHUNKS, _triton_launches.IN_TILES, c.TAKEN, c.CONSTANTS, c.IN_PHASES
])
def test_what_the_language_names_is_no_name_of_a_kernels_own(taken: frozenset[str]) -> None:
    """Nobody could choose another."""
    assert not taken & {"t", "first", *(str(extent) for extent in EXTENTS)}


def test_two_rules_of_one_file_name_and_unknown_names_are_refused() -> None:
    rule = named("clipped")
    with pytest.raises(OptgenError, match=r"would share the file clipped\.py"):
        build([rule, replace(rule, name="CLIPPED")])
    with pytest.raises(OptgenError, match="there is no backend 'fortran'\nhint: choose one of "):
        build(["adamw"], ["fortran"])
    with pytest.raises(OptgenError, match="there is no built-in rule 'adamx'"):
        build(["adamx"])


def test_the_nearest_pyproject_that_speaks_of_optgen_counts(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.optgen]\nrules = ["lion", "mine/own.py"]\nschedules = ["cosine"]\nbackends = ["numpy"]\nout = "made"\n')
    deep = tmp_path / "a/b"
    deep.mkdir(parents=True)
    (deep / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    found = configuration(deep)
    assert found.rules == ("lion", str(tmp_path / "mine/own.py"), "cosine")
    assert found.backends == ("numpy",)
    assert found.out == tmp_path / "made"


def test_without_a_pyproject_every_rule_is_built_here(tmp_path: Path) -> None:
    found = configuration(tmp_path)
    assert found.out == tmp_path / "generated"
    assert found.backends == backend_names()
    assert {"adamw", "sgd", "cosine"} <= set(found.rules)


def test_a_rule_becomes_a_module_a_class_and_a_file_that_can_be_read() -> None:
    module = compile("lion", "numpy")
    assert isinstance(module, types.ModuleType)
    new, _state = module.step([np.ones(3)], [np.ones(3)], module.init([np.ones(3)]), 1, lr=0.5)
    assert new[0].tolist() == [0.5, 0.5, 0.5]
    made = optimizer("lion")
    assert issubclass(made, torch.optim.Optimizer)
    assert made is optimizer("lion")
    assert "class Lion" in inspect.getsource(made)
    assert compile("cosine", "numpy").factor(0, total_steps=10) == 1.0


def test_a_rule_without_a_name_gets_one() -> None:
    assert optimizer(replace(named("normalised"), name="")).__name__ == "CustomRule"
