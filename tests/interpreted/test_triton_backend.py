"""Emitted kernels under Triton's interpreter, through the torch class that launches them, against oracle and NumPy."""

from __future__ import annotations

import math
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import triton
import triton.language as tl

sys.path.insert(0, str(Path(__file__).parents[1]))

from workshop import Workshop

from optgen import stored
from optgen._generated import triton_gpu
from optgen.bounds import BF16, FP16, FP32, FP64
from optgen.build import compile
from optgen.codecs import codecs
from optgen.dsl import Rule, load
from optgen.dsl.load import built_in_names
from optgen.listing import is_elementwise
from optgen.passes import lower
from optgen.verify import cases
from optgen.verify.lockstep import FEW, run
from optgen.verify.runners import Storage, TorchRunner, machine_of, numpy_runner, optimizer_class, torch_runner
from optgen.verify.storage import decoder

DEVICE = sys.modules[f"{compile('adamw', 'triton').__package__}._device"]
MIXES = [Storage(*formats) for formats in (
    (FP32, FP32), (BF16, FP32), (BF16, BF16), (FP16, FP16), (FP32, BF16), (FP16, FP32), (FP64, FP64), (FP32, FP16))]
ODD = cases.Shapes("odd", ((3, 683), (), (17,)))  # whole blocks and a rest of one element; a rest alone
PAIR = cases.Shapes("pair", ((3, 50), ()))
SMALL = cases.Shapes("small", ((3, 7), (), (17,)))  # mpmath, which judges float64, is slow


NAMES = [name for name in built_in_names() if (Path(*triton_gpu.__path__) / f"{name}.py").is_file()]
ONE_PASS = [name for name in NAMES if is_elementwise(lower(load(name)))]  # type: ignore[arg-type]  # a rule

PLAIN = [name for name in ONE_PASS if not (load(name).storage or load(name).modes)]  # type: ignore[union-attr]
FORMS = [name for name, codec in codecs().items() if codec.for_param]


def form_of(name: str | Path) -> str:
    """The format of a rule's parameters, empty if it has none."""
    rule = load(name)
    assert isinstance(rule, Rule)
    return rule.storage.get("param", "")


@cache
def torch_module(name: str | Path) -> ModuleType:
    """The class of a rule, with its kernels beside it."""
    return compile(name, "torch")


def fused_runner(name: str | Path, variant: cases.Variant, shapes: cases.Shapes, storage: Storage) -> TorchRunner:
    """A model that only the kernels step."""
    values, form = cases.parameters(shapes, storage.param, 1), form_of(name)
    read = decoder(compile(name, "numpy"), form) if form else None
    return torch_runner(torch_module(name), values, variant.hypers, shapes.layout, storage, fused=True, read=read)


def unaligned(param: torch.nn.Parameter) -> None:
    """Moves the parameter's numbers to an address that is no multiple of an access."""
    room = torch.empty(param.numel() + 1, dtype=param.dtype)[1:]
    param.data = room.view(param.shape).copy_(param.data)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_maximize_is_a_step_along_the_negated_gradient(name: str) -> None:
    make = optimizer_class(compile(name, "torch"))
    up, down = (torch.nn.Parameter(torch.linspace(-1, 1, 700)) for _ in range(2))
    grad = torch.linspace(2, -1, 700)
    up.grad, down.grad = grad, -grad
    make([up], lr=0.1, maximize=True, fused=True).step()
    make([down], lr=0.1, fused=True).step()
    assert torch.equal(up, down)
    assert not torch.equal(up, torch.linspace(-1, 1, 700))


def few(rule: Rule) -> list[cases.Variant]:
    """At most nine variants of a rule, from among all: the interpreter is slow. Prodigy has 33, which C takes all."""
    every = cases.variants(rule)
    return every[:: -(-len(every) // 9)]


@pytest.mark.parametrize("name", NAMES)
def test_variants_are_computed_within_the_bound_in_any_dtypes_aligned_or_not(name: str) -> None:
    rule = load(name)
    assert isinstance(rule, Rule)
    variants = few(rule)
    first, least = NAMES.index(name), len(MIXES) // 4
    rounds = -(-least // len(variants))  # each variant, and a quarter of the mixes: the next rules have others
    for number, variant in enumerate(variants * rounds):
        storage = MIXES[(first + 2 * number) % len(MIXES)]
        shapes = SMALL if storage.param is FP64 else ODD
        runner = fused_runner(name, variant, shapes, storage)
        if number % 2:
            unaligned(runner.params[0])
        machine = machine_of(storage, runner, runner.decoder)
        tally = run(rule, runner, variant.hypers, shapes, storage, number, FEW, machine)
        assert not tally.faults, f"{variant.name}, {storage}: {tally.faults[0]}"
        assert tally.decided
        assert not tally.note


@pytest.mark.parametrize("storage", [Storage(FP32, FP32), Storage(FP64, FP64)], ids=str)
@pytest.mark.parametrize("name", [name for name in ONE_PASS if not form_of(name)])
def test_every_variant_equals_numpy_to_the_last_bit(
    name: str, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With scalars of the host: the device computes powers otherwise."""
    fused = sys.modules[f"{compile(name, 'torch').__package__}._fused"]
    monkeypatch.setattr(fused, "on_device", lambda group: False)
    rule = load(name)
    assert isinstance(rule, Rule)
    for variant in cases.variants(rule):
        values = cases.parameters(ODD, storage.param, 1)
        kernel = fused_runner(name, variant, ODD, storage)
        numpy = numpy_runner(compile(name, "numpy"), values, variant.hypers, "plain", storage)
        for count in (1, 2):
            grads = [storage.round(g) for g in cases.gradients(ODD, storage.param, count)]
            for runner in (kernel, numpy):
                runner.step(grads, [count] * len(grads), {})
        assert not kernel.note()
        for got, want in zip(kernel.read()[0], numpy.read()[0], strict=True):
            assert np.array_equal(got, want), f"{variant.name}: {np.abs(got - want).max()}"


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("held"))


@pytest.mark.parametrize("name", PLAIN)
def test_parameters_in_a_format_equal_numpy_to_the_last_bit(
    name: str, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One format and one variant of each rule. With scalars of the host."""
    rule, form = load(name), FORMS[PLAIN.index(name) % len(FORMS)]
    assert isinstance(rule, Rule)
    made = workshop.build(stored(rule, name="Held", param=form), ("numpy", "torch", "triton"))
    monkeypatch.setattr(sys.modules[f"{made['torch'].__package__}._fused"], "on_device", lambda group: False)
    values, storage = cases.parameters(PAIR, BF16, 1), Storage(BF16, FP32)
    variants, read = cases.variants(rule), decoder(made["numpy"], form)
    hypers = variants[PLAIN.index(name) % len(variants)].hypers
    kernel = torch_runner(made["torch"], values, hypers, "plain", storage, fused=True, read=read)
    numpy = numpy_runner(made["numpy"], values, hypers, "plain", storage, read)
    for count in (1, 2):
        grads = [storage.round(g) for g in cases.gradients(PAIR, BF16, count)]
        for runner in (kernel, numpy):
            runner.step(grads, [count] * len(grads), {})
    assert not kernel.note()
    for param, value in zip(kernel.params, numpy.params, strict=True):
        assert np.array_equal(param.detach().view(torch.uint16).numpy(), value)
    for got, want in zip(kernel.read()[0], numpy.read()[0], strict=True):
        assert np.array_equal(got, want)


RULE = '''"""Odd. Whatever a kernel can print."""
from optgen import (Abs, Eq, Max, Min, Piecewise, Rule, cos, exp, first, floor, hyper, log, sign, sin, t, tanh, tensors)

theta, g, m, u = tensors("theta g m u")
lr = hyper("lr", 0.01, at_least=0)
beta = hyper("beta", 0.9, at_least=0)
rule = Rule(
    param=theta, grad=g, state_keys={{m: "buffer"}},
    equations=[
        Eq(m[t], Piecewise((g[t], first), (beta * m[t - 1] + (1 - beta) * g[t], True))),
        Eq(u[t], {expression}),
        Eq(theta[t], theta[t - 1] - lr * u[t]),
    ],
)
'''

EXPRESSIONS = {
    "numbers as branches": "Piecewise((0.1, g[t] > 0.3), (m[t], g[t] < -0.3), (0.7, True))",
    "numbers as arguments": "Max(m[t], 0.1) + Min(g[t], 0.3)",
    "a condition of the host and one of elements": "Piecewise((g[t], (t > 1) & (g[t] > 0)), (0.1, True))",
    "a negated condition": "Piecewise((g[t], ~(g[t] > m[t]) | (t > 2)), (m[t] / 3, True))",
    "the reciprocal of a number": "1 / (m[t] ** 2 + 0.1)",
    "a power of a half": "(m[t] ** 2 + 0.1) ** -0.5",
    "powers": "(Abs(m[t]) + 0.1) ** 0.3 + m[t] ** 5",
    "a large power of a negative number": "(m[t] / 2) ** 17",
    "a power of a number": "2 ** m[t]",
    "exponentials": "exp(-Abs(m[t])) + log(1 + g[t] ** 2)",
    "circular functions": "sin(m[t]) + cos(g[t])",
    "hyperbolic tangents": "tanh(m[t]) + tanh(g[t] / 10000) + tanh(100 * g[t])",
    "signs and steps": "sign(m[t]) * floor(3 * g[t])",
}


@pytest.mark.parametrize("storage", [Storage(FP32, FP32), Storage(FP64, FP64)], ids=str)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_whatever_can_be_printed_is_computed_within_the_bound(name: str, storage: Storage, tmp_path: Path) -> None:
    path = tmp_path / "odd.py"
    path.write_text(RULE.format(expression=EXPRESSIONS[name]))
    rule, shapes = load(path), cases.Shapes("some", ((4, 31), (), (7,)))
    assert isinstance(rule, Rule)
    (variant, *_) = cases.variants(rule)
    tally = run(rule, fused_runner(path, variant, shapes, storage), variant.hypers, shapes, storage, 1, (1, 2, 3))
    assert not tally.faults, tally.faults[0]
    assert tally.decided >= 0.99 * tally.elements
    assert not tally.note


@triton.jit
def _tanh(out, x, n: tl.constexpr):  # type: ignore[no-untyped-def]
    i = tl.arange(0, n)
    tl.store(out + i, DEVICE.tanh(tl.load(x + i)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_hyperbolic_tangents_are_right_to_a_few_units_from_tiny_to_infinite(dtype: torch.dtype) -> None:
    x = torch.cat([torch.logspace(-37, 3, 1020, dtype=dtype), torch.tensor([0, -0.5, math.inf, math.nan], dtype=dtype)])
    out = torch.empty_like(x)
    _tanh[(1,)](out, x, 1024)
    np.testing.assert_allclose(out.numpy(), np.tanh(x.double().numpy()), rtol=4 * torch.finfo(dtype).eps)
