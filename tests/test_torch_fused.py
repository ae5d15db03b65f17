"""The fused path of the generated classes, under Triton's interpreter, and its refusal where it cannot run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import needs
import pytest

from optgen import optim

pytestmark = needs.triton

AGREE = """
import copy, torch
from optgen import optim

CASES = {
    "SGD": [{}, {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}, {"momentum": 0.9, "nesterov": True}],
    "Adam": [{"amsgrad": True, "weight_decay": 0.1}],
    "AdamW": [{}, {"maximize": True}],
    "Lion": [{"weight_decay": 0.1}],
    "RMSprop": [{"momentum": 0.9, "centered": True}],
    "Adagrad": [{"lr_decay": 0.1, "initial_accumulator_value": 0.2}],
}

def made(cls, kwargs, fused):
    make = torch.Generator().manual_seed(0)
    p = [torch.randn(s, generator=make) for s in ((40, 30), (7,), (), (0,))]
    p += [p[0].t().clone(memory_format=torch.preserve_format), torch.randn(6, generator=make).bfloat16(),
          torch.randn(5, generator=make, dtype=torch.float64), torch.randn(4, generator=make, dtype=torch.complex64)]
    p = [x.requires_grad_() for x in p]
    groups = [{"params": p[:3], "fused": fused}, {"params": p[3:], "fused": fused, "lr": 0.05}]
    return cls(groups, **kwargs), p

for name, cases in CASES.items():
    for kwargs in cases:
        (a, pa), (b, pb) = made(getattr(optim, name), kwargs, True), made(getattr(optim, name), kwargs, False)
        for step in range(4):
            make = torch.Generator().manual_seed(step + 1)
            for i, (x, y) in enumerate(zip(pa, pb)):
                x.grad = None if step == 1 and i == 1 else torch.randn(x.shape, generator=make, dtype=x.dtype)
                y.grad = None if x.grad is None else x.grad.clone()
            a.step()
            b.step()
            for x, y in zip(pa, pb):
                few = 16 * torch.finfo(x.dtype).eps
                torch.testing.assert_close(x, y, rtol=few, atol=few, msg=lambda m: f"{name} {kwargs} step {step}: {m}")
        assert a._fused_launchers, "the kernels were not used"
        c = copy.deepcopy(a)
        for one in (a, c):
            for p in (p for group in one.param_groups for p in group["params"]):
                p.grad = torch.ones_like(p)
            one.step()
        for x, y in zip(a.param_groups[0]["params"], c.param_groups[0]["params"]):
            assert torch.equal(x, y)
print("agree")
"""

REFUSE = """
import torch
device = "meta"
from optgen import optim
for name in (name for name in optim.__all__ if getattr(optim, name).rule.fused):
    p = torch.ones(3, device=device, requires_grad=True)
    optimizer = getattr(optim, name)([{"params": [p], "fused": True}])
    p.grad = torch.ones(3, device=device)
    try:
        optimizer.step()
    except RuntimeError as error:
        print(error)
"""


def run(code: str, folder: Path | None = None, **environment: str) -> str:
    kept = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**kept, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_fused_equals_eager_for_every_class() -> None:
    assert run(AGREE, TRITON_INTERPRET="1") == "agree\n"


def test_fused_on_a_device_without_kernels_is_refused_in_torchs_words() -> None:
    lines = run(REFUSE).splitlines()
    assert set(lines) <= {
        "`fused=True` requires all the params to be floating point Tensors of supported devices: "
        f"{devices} but torch.float32 and meta"
        for devices in (["cpu", "cuda"], ["cpu"])
    }
    assert len(lines) == sum(bool(getattr(optim, name).rule.fused) for name in optim.__all__)


def test_a_folder_copied_without_its_sibling_says_what_is_missing(tmp_path: Path) -> None:
    source = run("import optgen._generated.pytorch as p; print(next(iter(p.__path__)))").strip()
    (tmp_path / "copied").mkdir()
    for file in Path(source).glob("*.py"):
        (tmp_path / "copied" / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    code = REFUSE.replace('"meta"', '"cpu"')
    code = code.replace("from optgen import optim", "from copied import sgd as optim; optim.__all__ = ['SGD']")
    assert run(code, tmp_path).startswith("`fused=True` is not possible: its kernels cannot be imported (")
