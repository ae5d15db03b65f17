"""Kernels on a GPU, compiled and launched: numbers, graphs, a scaler, and what a step may not do.

TWINS says which tests ask the same without a GPU; what the compiler makes of the kernels is in test_gpu_static.py.
`pytest tests/test_gpu.py -n 8` compiles in parallel.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import cache, partialmethod
from importlib import import_module
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
import torch
from c_codes import FLAT, by_rows, of_tensor, summed_last
from torch import Tensor

from optgen.backends._triton_launches import launches
from optgen.bounds import BF16, FP16, FP32, FP64, Machine
from optgen.build import compile
from optgen.codecs import codecs
from optgen.dsl import Rule, literal, load, stored
from optgen.dsl.rule import Schedule
from optgen.listing import suffix
from optgen.passes import lower
from optgen.verify import cases
from optgen.verify.lockstep import FEW, run
from optgen.verify.runners import Storage, TorchRunner, machine_of, numpy_runner, optimizer_class, torch_runner
from optgen.verify.storage import decoder

pytestmark = [pytest.mark.gpu, needs.gpu, needs.triton]
TWINS = {  # kernels are interpreted there, on tensors of the CPU
    "test_every_class_steps_within_the_bound": (
        "interpreted/test_triton_backend.py::test_variants_are_computed_within_the_bound_in_any_dtypes_aligned_or_not"
    ),
    "test_strict_arithmetic_is_that_of_ieee": (
        "interpreted/test_triton_backend.py::test_every_variant_equals_numpy_to_the_last_bit"
    ),
    "test_codes_are_those_of_numpy_to_the_bit": (
        "interpreted/test_triton_codes.py::test_what_is_stored_equals_numpy_to_the_last_bit"
    ),
    "test_parameters_in_formats_are_those_of_numpy_to_the_bit": (
        "interpreted/test_triton_codes.py::test_what_is_stored_equals_numpy_to_the_last_bit"
    ),
    "test_formats_beside_sums_over_rows_are_those_of_numpy_to_the_bit": (
        "interpreted/test_triton_codes.py::test_what_is_stored_equals_numpy_to_the_last_bit"
    ),
    "test_random_bits_are_those_of_numpy_from_any_block_on": (
        "interpreted/test_triton_parameters.py::test_random_bits_are_the_same_wherever_a_block_begins"
    ),
    "test_counts_on_the_host_give_the_same_numbers": (
        "interpreted/test_triton_time.py::test_counts_on_the_host_are_advanced_with_the_step"
    ),
    "test_misaligned_parameters_are_stepped_by_kernels": (
        "interpreted/test_triton_runtime.py::test_an_unaligned_tensor_goes_through_the_masked_loop"
    ),
    "test_parameters_lie_in_memory_as_they_like": (
        "interpreted/test_triton_runtime.py::test_a_gradient_that_lies_otherwise_than_its_parameter_is_exact"
    ),
    "test_replays_of_a_graph_are_steps_that_follow_a_rate_on_the_device": (
        "interpreted/test_triton_time.py::test_capturable_steps_are_fused_and_follow_a_rate_on_the_device"
    ),
    "test_backward_and_step_are_captured_together": (
        "interpreted/test_triton_captures.py::test_a_graph_keeps_tables_of_its_own"
    ),
    "test_a_capture_without_a_step_before_it_says_what_to_do": (
        "interpreted/test_triton_captures.py::test_a_capture_is_refused_where_it_would_have_to_make_other_tables"
    ),
    "test_a_step_with_infinities_leaves_all_as_it_was": (
        "test_amp.py::test_a_scaled_run_is_the_plain_run_without_the_steps_that_overflow"
    ),
    "test_a_step_does_not_wait_for_the_device": (
        "interpreted/test_triton_time.py::test_a_step_with_other_gradients_reads_nothing_back"
    ),
    "test_an_input_is_read_where_it_lies_at_each_step": (
        "interpreted/test_triton_inputs.py::test_an_input_may_lie_elsewhere_at_each_step_without_other_tables"
    ),
    "test_matrices_of_every_kind_are_stepped_in_tiles": (
        "interpreted/test_triton_tiles.py::test_steps_are_those_of_the_eager_class_aligned_or_not"
    ),
    "test_one_launch_of_each_kernel_steps_all_tensors": (
        "interpreted/test_triton_reductions.py::test_each_phase_is_one_launch_for_all_tensors"
    ),
    "test_a_copy_goes_on_with_the_same_bits": (
        "interpreted/test_triton_runtime.py::test_a_copy_of_a_launcher_is_an_empty_one_that_works"
    ),
    "test_more_elements_than_an_int32_counts_are_stepped": "test_large.py::test_no_address_of_a_kernel_overflows",
}
DEVICE = "cuda"
ROOT = Path(__file__).parents[1]
KERNELS = sorted(path.stem for path in (ROOT / "generated" / "triton_gpu").glob("[a-z]*.py"))
NAMES = [name for name in KERNELS if "_" not in name]  # of the class; other names are of its kernels for other shapes
CODED = [name for name in NAMES if load(name).storage.keys() - {"param"}]  # type: ignore[union-attr]  # of a rule
STORAGES = [Storage(FP32, FP32), Storage(BF16, FP32), Storage(FP16, FP16)]
BLOCKS = cases.Shapes("blocks", ((70001,), (3, 683), (), (17,)))  # whole blocks and a rest; a rest alone
SOME = [name for name in ("adamw", "nadam", "radam", "sgd", "lion", "schedulefreeadamw", "adamw8bit", "adamw4bit",
                          "adamwbf16") if name in NAMES]  # fmt: skip
SETTINGS: dict[str, dict[str, Any]] = {"sgd": {"momentum": 0.9}}
FORMS = [name for name, codec in codecs().items() if codec.for_param]
every = pytest.mark.parametrize("name", NAMES)
some = pytest.mark.parametrize("name", SOME)


@cache
def class_of(name: str) -> Any:
    return optimizer_class(compile(name, "torch"))


def fast(machine: Machine) -> Machine:
    """Arithmetic that is not strict, by the PTX manual: division (div.full) within 2 ulp, the square root
    (sqrt.approx.ftz) within a relative 2^-23; an ulp is two units at most. All of it only where float32 is computed."""
    return machine if machine.compute is FP64 else replace(machine, division=4.0, root=2.0, flush=True)


def assert_in_bound(name: str, storage: Storage, number: int, shapes: cases.Shapes = BLOCKS, *, strict: bool = False,
                    fused: bool | None = True, change: Callable[[TorchRunner], None] | None = None) -> TorchRunner:
    """Asserts that kernels step as the oracle says, in lock-step; number: chooses the variant and the numbers."""
    rule = load(name)
    assert isinstance(rule, Rule)
    variants = cases.variants(rule)
    variant = variants[number % len(variants)]
    values = cases.parameters(shapes, storage.param, 1)
    read = decoder(compile(name, "numpy"), rule.storage.get("param", ""))
    runner = torch_runner(compile(name, "torch"), values, variant.hypers, shapes.layout, storage, fused, DEVICE, read)
    if change is not None:
        change(runner)
    machine = machine_of(storage, runner, read)
    tally = run(rule, runner, variant.hypers, shapes, storage, number, FEW, machine if strict else fast(machine))
    assert not tally.faults, f"{variant.name}, {storage}: {tally.faults[0]}"
    assert tally.decided
    return runner


@pytest.mark.parametrize("storage", STORAGES, ids=str)
@every
def test_every_class_steps_within_the_bound(name: str, storage: Storage) -> None:
    assert not assert_in_bound(name, storage, STORAGES.index(storage)).note()


def make_strict(rule: str | Rule | Schedule, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every operation of the rule's kernels is rounded once, as IEEE says."""
    package = (compile(rule, "torch").__package__ or "").removesuffix("pytorch")
    launcher = import_module(f"{package}triton_gpu._runtime").Launcher
    monkeypatch.setattr(launcher, "again", partialmethod(launcher.again, strict=True))


@every
def test_strict_arithmetic_is_that_of_ieee(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_strict(name, monkeypatch)
    assert not assert_in_bound(name, STORAGES[0], 1, strict=True).note()


@pytest.mark.parametrize("name", [*CODED, *FLAT])
def test_codes_are_those_of_numpy_to_the_bit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With scalars of the host: the device computes powers otherwise."""
    with literal():
        rule = FLAT[name][1]() if name in FLAT else load(name)
    make_strict(rule, monkeypatch)
    shapes = cases.Shapes("blocks", ((300, 100), (4097,), (17,)))
    values, hypers = cases.parameters(shapes, FP32, 1), cases.variants(rule)[0].hypers
    kernel = torch_runner(compile(rule, "torch"), values, hypers, "plain", STORAGES[0], None, DEVICE)
    numpy = numpy_runner(compile(rule, "numpy"), values, hypers, "plain", STORAGES[0])
    for count in (1, 2, 3):
        grads = [STORAGES[0].round(g) for g in cases.gradients(shapes, FP32, count)]
        for runner in (kernel, numpy):
            runner.step(grads, [count] * len(grads), {})
    assert not kernel.eager_calls
    for param, state, value in zip(kernel.params, numpy.state, numpy.params, strict=True):
        assert torch.equal(param.detach().cpu(), torch.from_numpy(value))
        found = kernel.optimizer.state[param]
        assert all(torch.equal(found[key].cpu(), torch.from_numpy(x)) for key, x in state.items() if key != "step")


@pytest.mark.parametrize("states", ["", "bf16", "int8", "int4"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("has_sums", [False, True])
def test_parameters_in_formats_are_those_of_numpy_to_the_bit(
    has_sums: bool, form: str, states: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone and beside states in formats, of large tensors and of small ones; one lies at an odd address."""
    with literal():
        rule = stored(of_tensor() if has_sums else load("adamw"), states, name="Held", param=form)
    make_strict(rule, monkeypatch)
    assert_stored_as_numpy(rule, ((300, 100), (4097,), (17,)))


@pytest.mark.parametrize("states", ["", "int8", "int4"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", [by_rows, summed_last])
def test_formats_beside_sums_over_rows_are_those_of_numpy_to_the_bit(
    make: Callable[[], Rule], form: str, states: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of matrices whose rows end where blocks of codes do, and of others."""
    with literal():
        rule = stored(make(), states, name="Held", param=form)
    make_strict(rule, monkeypatch)
    assert_stored_as_numpy(rule, ((300, 512), (65, 257), (130, 260), (3, 64, 68), (9, 7)))


def assert_stored_as_numpy(rule: Rule, sizes: tuple[tuple[int, ...], ...]) -> None:
    """Asserts that kernels store the bits of NumPy. The second parameter lies at an odd address."""
    storage, form = STORAGES[1], rule.storage["param"]
    torch_, numpy_ = compile(rule, "torch"), compile(rule, "numpy")
    shapes, read = cases.Shapes("blocks", sizes), decoder(numpy_, form)
    values, hypers = cases.parameters(shapes, BF16, 1), cases.variants(rule)[0].hypers
    kernel = torch_runner(torch_, values, hypers, "plain", storage, None, DEVICE)
    numpy = numpy_runner(numpy_, values, hypers, "plain", storage, read)
    param = kernel.params[1]
    room = torch.empty(param.numel() + 1, dtype=torch.bfloat16, device=DEVICE)[1:]
    param.data = room.view(param.shape).copy_(param.data)
    for count in (1, 2, 3):
        grads = [storage.round(g) for g in cases.gradients(shapes, BF16, count)]
        for runner in (kernel, numpy):
            runner.step(grads, [count] * len(grads), {})
    assert not kernel.eager_calls
    for param, state, value in zip(kernel.params, numpy.state, numpy.params, strict=True):
        assert np.array_equal(stored_bits(param), value)
        found = kernel.optimizer.state[param]
        assert all(np.array_equal(stored_bits(found[key]), x) for key, x in state.items() if key != "step")


def stored_bits(x: Tensor) -> Any:
    """What NumPy stores of the same, which has no bfloat16."""
    x = x.detach().cpu()
    return x.view(torch.uint16).numpy() if x.dtype is torch.bfloat16 else x.numpy()


def test_random_bits_are_those_of_numpy_from_any_block_on() -> None:
    """Also where the upper half of the counter is another, farther than memory reaches."""
    kernel = import_module("random_kernel")
    chance = import_module(f"{compile('adamwbf16', 'torch').__package__}._parameters").Chance
    for first in kernel.FIRSTS:
        out = torch.empty(1024, dtype=torch.int32, device=DEVICE)
        for in_rows in (False, True):
            kernel.draw[(1,)](out, torch.tensor([*kernel.GIVEN, first], device=DEVICE), in_rows, 1024)
            assert torch.equal(out, chance(*kernel.GIVEN, first).bits(out)), first


@some
def test_counts_on_the_host_give_the_same_numbers(name: str) -> None:
    runner = assert_in_bound(name, STORAGES[0], 0, fused=None)
    assert not runner.eager_calls
    assert all(state["step"].device.type == "cpu" for state in runner.optimizer.state.values() if "step" in state)


def moved(runner: TorchRunner) -> None:
    """Gives parameters addresses that are no multiples of an access, before there are states."""
    for param in runner.params:
        room = torch.empty(param.numel() + 1, dtype=param.dtype, device=DEVICE)[1:]
        param.data = room.view(param.shape).copy_(param.data)


@pytest.mark.parametrize("name", ["adamw", "adamw8bit", "adamw4bit"])
@pytest.mark.parametrize("storage", [*STORAGES, Storage(FP64, FP64)], ids=str)
def test_misaligned_parameters_are_stepped_by_kernels(storage: Storage, name: str) -> None:
    shapes = cases.Shapes("small", ((3, 7), (), (17,))) if storage.param is FP64 else BLOCKS
    assert not assert_in_bound(name, storage, 0, shapes, change=moved).note()


@pytest.mark.parametrize("name", [name for name in ("adamw", "lion") if name in NAMES])
@pytest.mark.parametrize("layout", ["transposed", "slice"])
def test_parameters_lie_in_memory_as_they_like(name: str, layout: str) -> None:
    """Slices are stepped eagerly."""
    shapes = cases.Shapes(layout, ((123, 65), (41, 3, 7), (1025,), ()), layout=layout)
    runner = assert_in_bound(name, STORAGES[0], 0, shapes)
    assert bool(runner.note()) is (layout == "slice")


# --- a model that is stepped many times


SHAPES = ((513, 65), (70,), (), (33, 3, 5))


def made(name: str, **options: Any) -> tuple[Any, list[Tensor]]:
    make = torch.Generator(DEVICE).manual_seed(0)
    kind = torch.bfloat16 if load(name).storage.get("param") else torch.float32  # type: ignore[union-attr]  # of a rule
    params = [torch.randn(shape, generator=make, device=DEVICE).to(kind).requires_grad_() for shape in SHAPES]
    settings = {**SETTINGS.get(name, {}), **options}
    group = {key: settings.pop(key) for key in ("fused", "capturable", "lr") if key in settings}
    return class_of(name)([{"params": params, **group}], **settings), params


def drawn(number: int) -> list[Tensor]:
    """Gradients that depend on a number only."""
    make = torch.Generator(DEVICE).manual_seed(100 + number)
    return [torch.randn(shape, generator=make, device=DEVICE) for shape in SHAPES]


def give(params: Sequence[Tensor], number: int, in_place: bool = False) -> None:
    for param, grad in zip(params, drawn(number), strict=True):
        if in_place:
            assert param.grad is not None
            param.grad.copy_(grad)
        else:
            param.grad = grad.to(param.dtype)


def kept(optimizer: Any, params: Sequence[Tensor]) -> list[Tensor]:
    """Copies of parameters and all states, counts too."""
    values = (value for param in params for value in optimizer.state[param].values())
    return [x.detach().clone() for x in (*params, *values) if isinstance(x, Tensor)]


def assert_same(some: Sequence[Tensor], others: Sequence[Tensor]) -> None:
    assert len(some) == len(others)
    assert all(map(torch.equal, some, others))


@contextmanager
def on_the_side() -> Iterator[None]:
    """On another stream, as a warm-up before a capture must be."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        yield
    torch.cuda.current_stream().wait_stream(side)


@some
def test_replays_of_a_graph_are_steps_that_follow_a_rate_on_the_device(name: str) -> None:
    rates = [torch.tensor(2.0**-7, device=DEVICE) for _ in range(2)]
    optimizer, params = made(name, fused=True, capturable=True, lr=rates[0])
    plain, others = made(name, fused=True, capturable=True, lr=rates[1])
    with on_the_side():
        for number in range(3):
            give(params, number, in_place=number > 0)
            optimizer.step()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        optimizer.step()
    for number in range(23):
        if number >= 3:
            give(params, number, in_place=True)
            rates[0].mul_(0.9)
            graph.replay()
            rates[1].mul_(0.9)
        give(others, number)
        plain.step()
    assert_same(kept(optimizer, params), kept(plain, others))
    assert all(state["step"] == 23 for state in optimizer.state.values() if "step" in state)


def loss_of(params: Sequence[Tensor], inputs: Sequence[Tensor]) -> Tensor:
    """Whose gradient is element by element, so that its bits depend on no order of a sum."""
    return torch.stack([(p * p * x).sum() for p, x in zip(params, inputs, strict=True)]).sum()


@some
def test_backward_and_step_are_captured_together(name: str) -> None:
    """As in torch's documentation: in the capture gradients come from the pool of the graph. An eager step between
    replays, with gradients and a rate of its own, leaves the graph as it was."""
    (optimizer, params), (plain, others) = (made(name, fused=True, capturable=True) for _ in range(2))
    inputs = drawn(0)

    def train(one: Any, its: Sequence[Tensor], number: int) -> None:
        one.zero_grad(set_to_none=True)
        loss_of(its, drawn(number)).backward()
        one.step()

    with on_the_side():
        for number in range(3):
            train(optimizer, params, number)
    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        loss_of(params, inputs).backward()
        optimizer.step()
    pool = [param.grad for param in params]
    rate = optimizer.param_groups[0]["lr"]
    for number in range(3):
        train(plain, others, number)
    for number in range(3, 23):
        is_eager = number % 5 == 0
        for one in (optimizer, plain):
            one.param_groups[0]["lr"] = 0.5 * rate if is_eager else rate
        if is_eager:
            train(optimizer, params, number)
        else:
            for x, new in zip(inputs, drawn(number), strict=True):
                x.copy_(new)
            graph.replay()
        train(plain, others, number)
        assert_same(kept(optimizer, params), kept(plain, others))
    assert all(grad is not None for grad in pool)


def test_a_capture_without_a_step_before_it_says_what_to_do() -> None:
    optimizer, params = made("adamw", fused=True, capturable=True)
    give(params, 0)
    graph = torch.cuda.CUDAGraph()
    with pytest.raises(RuntimeError, match="take two steps"), torch.cuda.graph(graph):
        optimizer.step()
    torch.cuda.synchronize()


@every
def test_a_step_with_infinities_leaves_all_as_it_was(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scale is a power of two, so that equality is to the bit where a multiplication may not join an addition."""
    make_strict(name, monkeypatch)
    (optimizer, params), (plain, others) = made(name, fused=True), made(name, fused=True)
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0**10)
    for number in range(5):
        before = kept(optimizer, params)
        loss = sum((p * g).sum() for p, g in zip(params, drawn(number), strict=True))
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        if number in (2, 3):
            params[number - 2].grad.view(-1)[-1] = math.inf if number == 2 else math.nan  # type: ignore[union-attr]
        else:
            give(others, number)
            plain.step()
        scaler.step(optimizer)
        scaler.update()
        if number in (2, 3):
            assert_same(kept(optimizer, params), before)
    assert_same(kept(optimizer, params), kept(plain, others))
    assert all(state["step"] == 3 for state in optimizer.state.values() if "step" in state)


@contextmanager
def without_waiting() -> Iterator[None]:
    """Within this context an operation of torch that waits for the device is an error."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


@every
def test_a_step_does_not_wait_for_the_device(name: str) -> None:
    optimizer, params = made(name, fused=True)
    give(params, 0)
    optimizer.step()
    scale, inf = torch.full((1,), 4.0, device=DEVICE), [torch.full((1,), float(x), device=DEVICE) for x in range(2)]
    for number in range(1, 8):
        give(params, number, in_place=number == 2)
        if number == 3:
            optimizer.param_groups[0]["lr"] *= 0.5
        if number == 4:
            params[1].grad = None
        if number > 5:
            optimizer.grad_scale, optimizer.found_inf = scale, inf[number - 6]
        with without_waiting():
            optimizer.step()
    wanted = {7.0, 6.0} if "step" in optimizer.rule.keys else set()
    assert {float(state["step"]) for state in optimizer.state.values() if "step" in state} == wanted


def test_an_input_is_read_where_it_lies_at_each_step() -> None:
    """One stream more beside the gradient; a step that is given it waits for nothing either."""
    (optimizer, params), (plain, others) = made("sophia", fused=True, bs=1), made("sophia", fused=False, bs=1)
    for number in range(6):
        values = [x.abs() for x in drawn(50 + number)] if number != 3 else None
        give(params, number)
        give(others, number)
        with without_waiting() if number > 1 else nullcontext():
            optimizer.step(hessian=values)
        plain.step(hessian=values)
    for x, y in zip(kept(optimizer, params), kept(plain, others), strict=True):
        torch.testing.assert_close(x, y)


@pytest.mark.parametrize("storage", STORAGES, ids=str)
@pytest.mark.parametrize("name", [name for name in ("adafactor", "adafactorhf", "adammini") if name in NAMES])
def test_matrices_of_every_kind_are_stepped_in_tiles(name: str, storage: Storage) -> None:
    """Tall and wide ones, several in a tensor, rows that begin anywhere, tiles that are whole and not."""
    shapes = cases.Shapes("tiles", ((513, 65), (9, 1000), (3, 70, 40), (300, 512), (1, 7), (5, 1), (2, 3, 4, 5)))
    assert not assert_in_bound(name, storage, STORAGES.index(storage), shapes).note()


class Counted:
    """A kernel that writes down its launches."""

    def __init__(self, kernel: Any, calls: list[Any]) -> None:
        self.kernel, self.calls = kernel, calls

    def __getitem__(self, grid: Any) -> Any:
        self.calls.append(grid)
        return self.kernel[grid]

    def __call__(self, launches: Any, *given: Any) -> None:
        """Of a rule with reductions, which makes its launches one after the other."""
        self.kernel(Watched(launches, self.calls), *given)


class Watched:
    """Launches that are written down."""

    def __init__(self, launches: Any, calls: list[Any]) -> None:
        self.launches, self.calls = launches, calls

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self.launches, name)


@every
def test_one_launch_of_each_kernel_steps_all_tensors(name: str) -> None:
    """And takes no memory."""
    optimizer, params = made(name, fused=True)
    hypers, wanted = optimizer._hypers(optimizer.param_groups[0]), 0
    package = compile(name, "triton").__package__
    for at, program in enumerate(lower(load(name)).chain):  # type: ignore[arg-type]  # a rule
        module = import_module(f"{package}.{name}{suffix(at)}")
        flags = module.flags(**{key: hypers[key] for key in inspect.signature(module.flags).parameters})
        (step,) = (step for step in program.steps if [*step.variant.values()] == [*flags.values()])
        wanted += 1 + launches(program, step)
    for number in range(2):
        give(params, number)
        optimizer.step()
    calls: list[Any] = []
    for launcher in optimizer._launchers().values():
        launcher._kernel, launcher._prologue = Counted(launcher._kernel, calls), Counted(launcher._prologue, calls)
    for number in range(2, 5):
        give(params, number)
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        optimizer.step()
        assert len(calls) == wanted * (number - 1)
        assert torch.cuda.max_memory_allocated() - before < 4 * params[0].numel()


@some
def test_a_copy_goes_on_with_the_same_bits(name: str) -> None:
    optimizer, params = made(name, fused=True)
    give(params, 0)
    optimizer.step()
    twin, others = copy.deepcopy((optimizer, params))
    for one, its in ((optimizer, params), (twin, others)):
        for number in range(1, 4):
            give(its, number)
            one.step()
    assert_same(kept(optimizer, params), kept(twin, others))


def test_more_elements_than_an_int32_counts_are_stepped() -> None:
    length = 2**31 + 3000
    places = [0, 1, 2**31 - 1, 2**31, 2**31 + 1, length - 2, length - 1]
    needs.memory_of_a_gpu(5 * length)
    param = torch.zeros(length, dtype=torch.bfloat16, device=DEVICE)
    param.grad = torch.zeros_like(param)
    param[places], param.grad[places] = 1.0, 2.0
    class_of("sgd")([param.requires_grad_()], lr=0.25, fused=True).step()
    assert param.detach()[places].tolist() == [0.5] * len(places)
    assert int(torch.count_nonzero(param.detach())) == len(places)
