"""gcc and clang: each makes the same bits of a step, on torch's threads."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import needs
import pytest
import torch
from c_steps import some, stepped
from every_class import ELEMENTWISE, Kwargs, equal, plain
from reducing_rules import RULES
from test_c_cache import run
from workshop import Workshop

from optgen import optim
from optgen._generated.c_cpu import _compiler
from optgen.bounds import FP32
from optgen.dsl import literal
from optgen.verify import cases
from optgen.verify.lockstep import COUNTS
from optgen.verify.lockstep import run as lockstep
from optgen.verify.runners import Storage, torch_runner

compilers = pytest.mark.parametrize("cc", [pytest.param(cc, marks=needs.compiler(cc)) for cc in needs.COMPILERS])
SHAPES = ((301, 57), (3, 4099), (7,), ())
THREADS = """
import os, torch
from optgen import optim
from optgen._generated.c_cpu import _compiler
torch.set_num_threads(2)
torch.ones(300, 300).exp().sum()
p = torch.ones(300, 300, requires_grad=True)
p.grad = torch.ones(300, 300)
before = len(os.listdir("/proc/self/task"))
optim.AdamW([p], fused=True).step()
new = len(os.listdir("/proc/self/task")) - before
print(len(_compiler.openmp_runtimes()), new)
"""


def results(cls: Any, kwargs: Kwargs, cc: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Parameters and states after three steps that this compiler's code makes."""
    monkeypatch.setenv("CC", needs.COMPILERS[cc])
    params = some(*SHAPES, dtype=dtype)
    made = cls([{"params": params, "fused": True}], **kwargs)
    stepped(params, made)
    return [p.detach() for p in params], [made.state[p] for p in params]


@needs.compiler("gcc")
@needs.compiler("clang")
@pytest.mark.parametrize("info", ELEMENTWISE[::3], ids=lambda info: info.optim_cls.__name__)
def test_gcc_and_clang_step_to_the_same_bits(
    info: Any, two_threads: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for kwargs, dtype in zip(plain(info), (torch.float32, torch.bfloat16, torch.float64, torch.float32), strict=False):
        kwargs = {key: x for key, x in kwargs.items() if key != "fused"}
        by_gcc = results(info.optim_cls, kwargs, "gcc", dtype, monkeypatch)
        by_clang = results(info.optim_cls, kwargs, "clang", dtype, monkeypatch)
        assert equal(by_gcc, by_clang), (kwargs, dtype)
    assert len({*tmp_path.rglob("step.so")}) >= 2


@needs.compiler("gcc")
def test_gcc_takes_every_elementwise_loop_into_vectors() -> None:
    """In float32, where no static condition holds."""
    folder, alone = Path(_compiler.__file__).parent, []
    for cls in (info.optim_cls for info in ELEMENTWISE if hasattr(optim, info.optim_cls.__name__)):
        source = folder / f"{cls.__name__.lower()}.c"
        definitions = re.findall(r"-D\w+=\w+", source.read_text(encoding="utf-8"))
        command = ["gcc", *_compiler._ALWAYS, "-march=native", "-fopenmp", "-fopt-info-vec", *definitions]
        done = subprocess.run([*command, "-S", "-o", os.devnull, source], capture_output=True, text=True, check=True)
        alone += [] if f"{source.name}:" in done.stderr else [cls.__name__]
    assert alone == []


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModuleType]:
    """The PyTorch modules of rules with reductions, with their steps in C beside them."""
    workshop = Workshop(tmp_path_factory.mktemp("compilers"))
    with literal():
        return {name: workshop.build(make(), ["numpy", "torch", "c"])["torch"] for name, make in RULES.items()}


@needs.compiler("clang")
@pytest.mark.parametrize("name", RULES)
def test_sums_by_clang_lie_within_the_bound(
    name: str, modules: dict[str, ModuleType], two_threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler is free to add in vectors of any length, so the bits of sums are its own. Those of the compiler that
    is found first are in test_c_reductions.py."""
    monkeypatch.setenv("CC", needs.COMPILERS["clang"])
    with literal():
        rule = RULES[name]()
    shapes = cases.Shapes("large", ((301, 57), (3, 4099), (64, 65)))
    storage = Storage(FP32, FP32)
    for variant in cases.variants(rule):
        values = cases.parameters(shapes, FP32, 1)
        runner = torch_runner(modules[name], values, variant.hypers, "plain", storage, fused=True)
        tally = lockstep(rule, runner, variant.hypers, shapes, storage, 1, COUNTS[:2])
        assert not tally.faults, tally.faults[0]
        assert not tally.note
        assert tally.elements > 1000


@needs.linux
@compilers
def test_each_shares_the_threads_of_torch(cc: str, tmp_path: Path) -> None:
    """clang's own runtime of OpenMP would be a second pool, so its code enters torch's."""
    environment = {**os.environ, "CC": needs.COMPILERS[cc], "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", THREADS], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["1", "0"]
    assert "OpenMP" not in done.stderr, "it runs on one thread"
    assert len([*tmp_path.rglob("adamw-*/step.so")]) == 1


@compilers
@pytest.mark.parametrize("refused", ["-fopenmp", "-fopenmp -fopenmp-simd", "-march=native", "-fopenmp -march=native"])
def test_a_compiler_that_lacks_a_flag_still_compiles_or_says_why(cc: str, refused: str, tmp_path: Path) -> None:
    wrapper = tmp_path / cc
    lines = [f'case " $* " in *" {flag} "*) echo "no {flag}" >&2; exit 1;; esac\n' for flag in refused.split()]
    wrapper.write_text("#!/bin/sh\n" + "".join(lines) + f'exec {needs.COMPILERS[cc]} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    done = run(tmp_path, CC=str(wrapper), steps=3)
    if refused.endswith("simd"):
        assert done.stdout == "stepped -0.5 eager\n"
        assert len(done.told) == 1
        assert "no -fopenmp" in done.told[0]
        told = run(tmp_path, CC=str(wrapper), fused="True").stdout.splitlines()
        assert told[0].startswith("error `fused=True` is not possible: ")
        assert told[-1] == "untouched True"
        return
    assert done.stdout == "stepped -0.5 fused\n"
    is_serial = _compiler._parallel(_compiler.Compiler((cc,), cc))[0] in refused.split()
    assert ["has no OpenMP" in line for line in done.told] == [True] * is_serial
