"""States in storage formats in PyTorch: NumPy's codes, whatever the layout; small tensors; what is refused."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
import torch
from every_class import CODED, equal
from torch import Tensor
from torch.optim import Optimizer

import optgen
from optgen import load, optim, stored
from optgen.errors import OptgenError

FORMATS = ("bf16", "fp16", "fp32", "fp8_e4m3", "int4", "int8", "root8")
CODES = FORMATS[3:]
LARGE = {"Adam8bit": "adam8bit", "AdamW8bit": "adamw8bit", "AdamW4bit": "adamw4bit", "AdamWFp8": "adamwfp8",
         "Lion8bit": "lion8bit"}
SHAPES = ((64, 65), (5000,), (1, 4096), (3,), (), (0, 7), (300, 1000))


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    """Numbers of several magnitudes."""
    make = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=make) * torch.randn(shape, generator=make).exp()).to(dtype)


def train(optimizer: Optimizer, steps: range, layout: Any = None) -> None:
    for step in steps:
        for group in optimizer.param_groups:
            for at, p in enumerate(group["params"]):
                grad = draw(*p.shape, seed=100 * step + at, dtype=p.dtype)
                p.grad = grad if layout is None else layout(grad)
        optimizer.step()


def leaves(*shapes: tuple[int, ...], dtype: torch.dtype = torch.float32) -> list[Tensor]:
    return [draw(*shape, seed=at, dtype=dtype).requires_grad_() for at, shape in enumerate(shapes)]


def every_size(fmt: str, base: str = "adamw") -> Any:
    """A rule whose states are all stored."""
    return stored(load(base), fmt, min_numel=0, name=f"{base.title()}{fmt.replace('_', '')}")


def of_numpy(name: str, value: Any) -> Any:
    """A stored array as PyTorch has it: NumPy keeps bfloat16 as its bits."""
    kept = torch.from_numpy(np.asarray(value))
    return kept.view(torch.bfloat16) if name == "bf16" and kept.dtype == torch.uint16 else kept


@pytest.mark.parametrize("fused", [False, None])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", [*LARGE, *FORMATS])
def test_codes_are_those_of_numpy_to_the_bit(name: str, dtype: torch.dtype, fused: bool | None) -> None:
    rule = LARGE.get(name) or every_size(name)
    numpy = optgen.compile(rule, "numpy")
    cls = getattr(optim, name) if name in LARGE else optgen.optimizer(rule)
    params = leaves(*SHAPES, dtype=dtype)
    optimizer = cls([{"params": params, "fused": fused}])
    arrays = [p.detach().numpy().copy() for p in params]
    states = numpy.init(arrays)
    for step in range(1, 6):
        train(optimizer, range(step, step + 1))
        arrays, states = numpy.step(arrays, [p.grad.numpy() for p in params], states, step)
        for p, state in zip(params, states, strict=True):
            mine = {key: value for key, value in optimizer.state[p].items() if key != "step"}
            wanted = {key: of_numpy(name, value) for key, value in state.items()}
            if name != "root8" or fused is not False or p.numel() == 0:
                assert equal(mine, wanted)
                continue
            for key, value in mine.items():  # torch's root is not always the nearest number: it may be the next code's
                off = (value.double() - wanted[key].double()).abs()
                assert (off > 0).double().mean() < 0.001
                assert off.max() <= (1 if value.dtype == torch.uint8 else 0.01 * wanted[key].abs().max())


def values_of_any_kind(dtype: torch.dtype) -> Tensor:
    """Blocks of ordinary, tiny, huge, zero, infinite and missing numbers, and one that is not whole."""
    scales = torch.tensor([1.0, 1e-30, 1e-39, 1e-45, 1e30, 3e38, 0.0, 1.0, 1.0, 1.0]).to(dtype)
    values = draw(10, 256, dtype=dtype).clamp(-1, 1) * scales[:, None]
    values[7, 5], values[8, 6], values[9, 7] = torch.nan, torch.inf, -torch.inf
    return torch.cat([values.reshape(-1), draw(77, dtype=dtype)])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("sign", ["signed", "unsigned"])
@pytest.mark.parametrize("fmt", CODES)
def test_blocks_of_any_numbers_are_stored_and_loaded_as_numpy_does(fmt: str, sign: str, dtype: torch.dtype) -> None:
    rule = every_size(fmt)
    mine, theirs = (
        getattr(sys.modules[optgen.compile(rule, name).__name__.rpartition(".")[0] + f"._{fmt}"], f"{fmt}_{sign}")
        for name in ("torch", "numpy")
    )
    values = values_of_any_kind(dtype) if sign == "signed" else values_of_any_kind(dtype).abs()
    parts = mine.start(values.shape, values, 0.0)
    zeros = theirs.store(np.zeros_like(values.numpy()))
    assert all(np.array_equal(a.numpy(), b) for a, b in zip(parts, zeros, strict=True))
    mine.store(parts, values)
    with np.errstate(all="ignore"):
        wanted = theirs.store(values.numpy())
        assert all(np.array_equal(a.numpy(), b, equal_nan=True) for a, b in zip(parts, wanted, strict=True))
        numbers = theirs.load(*wanted, values.numpy())
    assert np.array_equal(mine.load(parts, values, dtype).numpy(), numbers, equal_nan=True)


@pytest.mark.parametrize("fmt", CODES)
@pytest.mark.parametrize("init", [0.25, 0.0])
def test_a_state_that_starts_as_a_number_is_stored_so(fmt: str, init: float) -> None:
    cls = optgen.optimizer(stored(load("adagrad"), fmt, min_numel=0, name="AdagradCoded"))
    shape = (3, 129)
    optimizer = cls([torch.zeros(shape)], initial_accumulator_value=init)
    ((p,),) = (group["params"] for group in optimizer.param_groups)
    (kind,) = cls.rule.states(initial_accumulator_value=init).values()
    other = kind.format.start(shape, p, 7.0)
    kind.format.store(other, torch.full(shape, init))
    assert equal([optimizer.state[p][key] for key in kind.keys("sum")], other)
    assert torch.equal(kind.format.load(other, p, torch.float32), torch.full(shape, init))


# --- which states are stored, and in how many bytes


def test_states_of_small_parameters_stay_as_they_are() -> None:
    params = leaves((4095,), (4096,), (64, 64), (63, 65), (2, 2))
    optimizer = optim.AdamW8bit(params)
    train(optimizer, range(2))
    for p in params:
        state = optimizer.state[p]
        assert ("exp_avg_absmax" in state) == (p.numel() >= 4096)
        assert state["exp_avg"].dtype == (torch.uint8 if p.numel() >= 4096 else torch.float32)
    plain = optim.AdamW(leaves((4095,), (2, 2)), fused=False)
    few = optim.AdamW8bit(leaves((4095,), (2, 2)), fused=False)
    for one in (plain, few):
        train(one, range(4))
    assert all(map(torch.equal, plain.param_groups[0]["params"], few.param_groups[0]["params"]))


@pytest.mark.parametrize(("name", "size"), [("AdamW8bit", 2 + 8 / 256), ("AdamW4bit", 1 + 8 / 128),
                                            ("AdamWFp8", 2 + 8 / 256), ("Lion8bit", 1 + 4 / 256)])
def test_states_take_the_bytes_that_they_are_said_to(name: str, size: float) -> None:
    (p,) = params = leaves((256, 256))
    optimizer = getattr(optim, name)(params)
    train(optimizer, range(1))
    kept = [value for key, value in optimizer.state[p].items() if key != "step"]
    assert sum(value.nbytes for value in kept) == size * p.numel()


def test_a_single_state_has_the_dtype_that_it_is_given_whatever_the_parameter_has() -> None:
    cls = optgen.optimizer("adamw", storage={"m": "bf16", "v": "fp32"})
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        (p,) = params = leaves((80, 80), dtype=dtype)
        optimizer = cls([{"params": params, "state_dtype": torch.float64}], amsgrad=True)  # works for the rest
        train(optimizer, range(2))
        state = optimizer.state[p]
        assert [state[key].dtype for key in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")] == [
            torch.bfloat16, torch.float32, torch.float64]


def test_the_dtype_of_states_is_refused_where_formats_decide_it() -> None:
    with pytest.raises(RuntimeError, match=r"^`state_dtype` is not possible where every state has a storage format"):
        optgen.optimizer(every_size("int8", "lion"))(leaves((3,)), state_dtype=torch.float32)
    optim.Lion8bit(leaves((3,)), state_dtype=torch.float32)  # for those of small parameters


# --- layouts


LAYOUTS: dict[str, Any] = {
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "turned": lambda x: x.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0),
    "sliced": lambda x: torch.stack([x, x], -1)[..., 0],
    "gap": lambda x: torch.cat([x, x], -1)[..., : x.shape[-1]],
}
SHAPE = (6, 5, 8, 21)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("cls", [optim.AdamW8bit, *CODED], ids=lambda cls: cls.__name__)
def test_a_parameter_of_any_layout_is_stepped_through_its_memory(cls: Any, layout: str) -> None:
    """As one whose elements are numbered in that order; codes that lie two in a byte run as elements are numbered."""
    laid = LAYOUTS[layout](draw(*SHAPE))
    packed = "AdamInt4" in cls.__name__
    order = [*range(4)] if packed else sorted(range(4), key=lambda axis: -laid.stride()[axis])
    q = laid.permute(order).clone(memory_format=torch.contiguous_format).requires_grad_()
    p = laid.requires_grad_()
    one, other = cls([p], fused=False), cls([q], fused=False)
    for seed in range(3):
        grad = draw(*SHAPE, seed=seed)
        p.grad, q.grad = grad, grad.permute(order)
        one.step()
        other.step()
    assert torch.equal(p.permute(order), q)
    for key, value in one.state[p].items():
        again = other.state[q][key]
        assert torch.equal(value.permute(order) if value.dim() == 4 else value, again), key


def test_numbers_that_lie_otherwise_than_their_codes_are_put_in_the_order_of_these() -> None:
    format = optim.AdamW8bit.rule.states(amsgrad=False)["exp_avg"].format
    like, values = LAYOUTS["channels_last"](draw(*SHAPE)), draw(*SHAPE)
    one, other = (format.start(SHAPE, like, 0.0) for _ in range(2))
    format.store(one, values)
    format.store(other, LAYOUTS["channels_last"](values))
    assert equal(one, other)
    assert torch.equal(format.load(one, values, torch.float32), format.load(other, like, torch.float32))


@pytest.mark.parametrize("cls", [optim.AdamW8bit, optim.AdamW4bit], ids=lambda cls: cls.__name__)
def test_a_checkpoint_of_one_layout_goes_on_in_another_to_the_bit(cls: Any) -> None:
    last, plain = (LAYOUTS["channels_last"](draw(*SHAPE)).requires_grad_(), draw(*SHAPE).requires_grad_())
    first, second = cls([last], fused=False), cls([plain], fused=False)
    train(first, range(3))
    with torch.no_grad():
        plain.copy_(last)
    second.load_state_dict(first.state_dict())
    for one in (first, second):
        train(one, range(3, 6))
    assert torch.equal(last, plain)


# --- what is refused


def test_codes_are_not_differentiated() -> None:
    with pytest.raises(RuntimeError, match=r"^`differentiable` is not possible where states are stored as codes"):
        optim.AdamW8bit(leaves((3,)), differentiable=True)
    optimizer = optim.AdamW8bit(leaves((3,)))
    with pytest.raises(RuntimeError, match=r"^`differentiable` is not possible where states are stored as codes"):
        optimizer.add_param_group({"params": leaves((4,)), "differentiable": True})
    assert len(optimizer.param_groups) == 1


@pytest.mark.parametrize(("key", "wrong", "says"), [
    ("exp_avg", torch.zeros(64, 65), "is torch.float32 of shape (64, 65) on cpu, but must be torch.uint8 of "),
    ("exp_avg_absmax", torch.zeros(16), "is torch.float32 of shape (16,) on cpu, but must be torch.float32 of shape ("),
    ("exp_avg_absmax", 3.0, "is a float, but must be a tensor"),
])
def test_a_part_of_another_kind_is_refused_before_anything_changes(key: str, wrong: Any, says: str) -> None:
    (p,) = params = leaves((64, 65))
    optimizer = optim.AdamW8bit([("layer.weight", p)])
    train(optimizer, range(1))
    optimizer.state[p][key] = wrong
    before = p.detach().clone()
    with pytest.raises(ValueError) as refused:  # noqa: PT011  # its text is looked at below
        train(optimizer, range(1, 2))
    assert str(refused.value).startswith(f"parameter 'layer.weight': the state {key!r} {says}")
    assert torch.equal(p, before)
    assert optimizer.state[p]["step"] == 1
    assert params


ASKED: list[tuple[Any, str]] = [
    ("int9", "there is no storage format 'int9'\nhint: choose one of bf16, "),
    ({"m": "int9"}, "there is no storage format 'int9'\nhint: choose one of bf16, "),
    ({"q": "int8"}, "NAdam has no state 'q' to store as int8\nhint: it has P, m, v, param"),
    ({"P": "int8"}, "P cannot be stored as int8: the state is one number on the host"),
    ("m=int8,m=int4", "storage names m twice\nhint: write "),
    ("int8,int4", "storage names every state twice\nhint: write "),
    ("m:int8", "storage has 'm:int8', which is no name and format\nhint: write "),
    ("m=", "storage has 'm=', which is no name and format\nhint: write "),
    ("", "storage has '', which is no name and format\nhint: write "),
    ({"m": 8}, "there is no storage format '8'\nhint: choose one of bf16, "),
    ({"m": "int 8"}, "storage has 'm=int 8', which is no name and format\nhint: write "),
    (8, "storage is 8, neither a text nor a dict\nhint: write "),
]


@pytest.mark.parametrize(("asked", "says"), ASKED, ids=[str(asked) for asked, _ in ASKED])
def test_storage_that_cannot_be_is_one_error_with_a_hint(asked: Any, says: str) -> None:
    with pytest.raises(OptgenError) as refused:
        optgen.optimizer("nadam", storage=asked)
    text = str(refused.value)
    assert says in text
    assert text.count("hint: ") == 1


def test_a_schedule_or_a_rule_without_states_stores_nothing() -> None:
    with pytest.raises(OptgenError, match=r"^Cosine is a schedule, which stores nothing\nhint: "):
        optgen.compile("cosine", "numpy", storage="int8")
    plain = optgen.Rule(param=(x := optgen.tensors("x g"))[0], grad=x[1],
                        equations=[optgen.Eq(x[0][optgen.t], x[0][optgen.t - 1] - x[1][optgen.t])], name="Plain")
    with pytest.raises(OptgenError, match=r"^Plain has no state to store as int8\nhint: "):
        optgen.optimizer(plain, storage="int8")


def test_storage_may_be_a_text_or_a_dict() -> None:
    both = [optgen.optimizer("adamw", storage=asked) for asked in ({"m": "int8", "v": "int4"}, " m=int8, v = int4")]
    assert both[0] is both[1]
    keys = both[0].rule.keys
    assert keys == ("step", "exp_avg", "exp_avg_absmax", "exp_avg_sq", "exp_avg_sq_absmax", "max_exp_avg_sq")
