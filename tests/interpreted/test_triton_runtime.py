"""The launcher under Triton's interpreter: every layout, dtype and table, against the NumPy reference bit by bit."""

from __future__ import annotations

import copy
import itertools
import pickle
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from optgen._generated.triton_gpu import adamw
from optgen.build import compile

ADAMW = compile("adamw", "triton")
TABLES: ModuleType = sys.modules[f"{ADAMW.__package__}._tables"]
LAYOUT: ModuleType = sys.modules[f"{ADAMW.__package__}._layout"]
REFERENCE = compile("adamw", "numpy")
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
FLAGS = ADAMW.flags(amsgrad=False)
HYPERS = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 1e-2}


def row(t: int, **hypers: float) -> dict[str, float]:
    """The scalars of step t."""
    h = HYPERS | hypers
    return h | {
        "one_minus_beta1": 1 - h["beta1"],
        "one_minus_beta2": 1 - h["beta2"],
        "inv_one_minus_beta1_t": 1 / (1 - h["beta1"] ** t),
        "inv_one_minus_beta2_t": 1 / (1 - h["beta2"] ** t),
    }


def states_of(params: Sequence[Tensor], dtype: torch.dtype | None = None) -> list[list[Tensor] | None]:
    """Random first and second moments beside the parameters."""
    made = [torch.randn_like(p, dtype=dtype) * 0.1 for p in params], [torch.rand_like(p, dtype=dtype) for p in params]
    return [*made, None]


def rounded(value: Any, dtype: torch.dtype) -> Tensor:
    """Rounded to nearest even. PyTorch would round float64 to float16 twice, by way of float32."""
    return torch.from_numpy(value.astype(np.float16) if dtype is torch.float16 else value).to(dtype)


def expected(params: Sequence[Tensor], grads: Sequence[Tensor], states: Any, t: int = 2, lr: float = 1e-3) -> Any:
    """What the NumPy reference makes of the same tensors, in the compute dtype, rounded to what each is stored as."""
    found = []
    for p, g, m, v in zip(params, grads, *states[:2], strict=True):
        compute = torch.float64 if p.dtype is torch.float64 else torch.float32
        p_, g_, m_, v_ = (x.to(compute).resolve_neg().numpy() for x in (p, g, m, v))
        new, kept = REFERENCE.step([p_], [g_], [{"exp_avg": m_, "exp_avg_sq": v_}], t, lr=lr)
        values = new[0], kept[0]["exp_avg"], kept[0]["exp_avg_sq"]
        found.append([rounded(np.array(x), like.dtype) for x, like in zip(values, (p, m, v), strict=True)])
    return found


def step(params: Any, grads: Any, states: Any, launcher: Any = None, t: int = 2, **options: Any) -> Any:
    """One strict step of all tensors with one row of scalars."""
    launcher = launcher or ADAMW.launcher()
    return launcher.step(params, grads, states, [0] * len(params), [row(t)], FLAGS, strict=True, **options)


def assert_stepped(params: Any, states: Any, wanted: Any) -> None:
    for got, want in zip(zip(params, *states[:2], strict=True), wanted, strict=True):
        for one, other in zip(got, want, strict=True):
            assert one.dtype is other.dtype
            assert torch.equal(one.detach(), other)


def words_of(launcher: Any) -> list[int]:
    return [word for bucket in launcher._plan.buckets for word in bucket.words.copy.tolist()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_one_launch_steps_tensors_of_every_shape_to_the_last_bit(dtype: torch.dtype) -> None:
    shapes = [(), (1,), (0,), (3, 0, 2), (7, 5), (1024,), (1025,), (4096,), (70, 41), (2, 3, 4, 5), (5003,)]
    params = [torch.randn(shape, dtype=dtype) for shape in shapes]
    grads = [torch.randn(shape, dtype=dtype) for shape in shapes]
    states = states_of(params)
    wanted = expected(params, grads, states)
    launcher = ADAMW.launcher()
    assert step(params, grads, states, launcher) == []
    assert_stepped(params, states, wanted)
    assert len(launcher._plan.buckets) == 1


@pytest.mark.parametrize("kinds", [*itertools.product(DTYPES, repeat=3)], ids=lambda k: "-".join(str(d)[6:] for d in k))
def test_parameters_gradients_and_states_have_any_dtype(kinds: tuple[torch.dtype, ...]) -> None:
    params, grads = [torch.randn(1500).to(kinds[0])], [torch.randn(1500).to(kinds[1])]
    states = states_of(params, kinds[2])
    wanted = expected(params, grads, states)
    assert step(params, grads, states) == []
    assert_stepped(params, states, wanted)


def test_tensors_of_several_dtypes_in_one_call_are_launched_apart() -> None:
    params = [torch.randn(40).to(dtype) for dtype in DTYPES]
    grads, states = [torch.randn_like(p) for p in params], states_of(params)
    wanted = expected(params, grads, states)
    launcher = ADAMW.launcher()
    step(params, grads, states, launcher)
    assert_stepped(params, states, wanted)
    assert len(launcher._plan.buckets) == len(DTYPES)


@pytest.mark.parametrize("offset", [0, 1, 2, 3, 4, 5, 8])
def test_an_unaligned_tensor_goes_through_the_masked_loop(offset: int) -> None:
    params, grads = (
        [torch.randn(3000)[offset : offset + 2500], torch.randn(2500)],
        [torch.randn(2500), torch.randn(2500)],
    )
    states = states_of(params)
    wanted = expected(params, grads, states)
    launcher = ADAMW.launcher()
    step(params, grads, states, launcher)
    assert_stepped(params, states, wanted)
    assert [*launcher._plan.buckets[0].slow] == [offset % 4 != 0, False]


@pytest.mark.parametrize("which", ["grad", "exp_avg"])
def test_one_unaligned_stream_makes_the_whole_tensor_slow(which: str) -> None:
    params, grads = [torch.randn(2500)], [torch.randn(2501)[1:] if which == "grad" else torch.randn(2500)]
    states = states_of(params)
    if which == "exp_avg":
        states[0] = [torch.randn(2501)[1:]]
    wanted = expected(params, grads, states)
    step(params, grads, states)
    assert_stepped(params, states, wanted)


def test_narrow_streams_need_the_alignment_of_as_many_elements() -> None:
    """Beside fp32 states an access takes four elements, so four bf16, at a multiple of 8 bytes, are aligned."""
    base = torch.randn(2000).to(torch.bfloat16)
    params, grads = [base[4:1904], base[2:1902].clone()], [torch.randn(1900).to(torch.bfloat16) for _ in range(2)]
    states = states_of(params, torch.float32)
    wanted = expected(params, grads, states)
    launcher = ADAMW.launcher()
    step(params, grads, states, launcher)
    assert_stepped(params, states, wanted)
    assert not any(launcher._plan.buckets[0].slow)


def layouts() -> dict[str, tuple[Tensor, Tensor]]:
    """Parameters with gradients that lie in memory otherwise."""
    image = torch.randn(4, 6, 5, 7)
    return {
        "transposed gradient": (torch.randn(30, 50), torch.randn(50, 30).t()),
        "transposed parameter": (torch.randn(50, 30).t(), torch.randn(30, 50)),
        "both transposed": (torch.randn(50, 30).t(), torch.randn(50, 30).t()),
        "channels last parameter": (image.to(memory_format=torch.channels_last), torch.randn(4, 6, 5, 7)),
        "channels last gradient": (image, torch.randn(4, 6, 5, 7).to(memory_format=torch.channels_last)),
        "sliced gradient": (torch.randn(30, 20), torch.randn(60, 40)[::2, 1::2]),
        "expanded gradient": (torch.randn(30, 20), torch.randn(20).expand(30, 20)),
        "one number for all": (torch.randn(30, 20), torch.tensor(0.5).expand(30, 20)),
        "axis of one element": (torch.randn(9, 1, 4), torch.randn(9, 4).as_strided((9, 1, 4), (4, 77, 1))),
        "negative view": (torch.randn(8), torch._neg_view(torch.randn(8))),
    }


@pytest.mark.parametrize("name", layouts())
def test_a_gradient_that_lies_otherwise_than_its_parameter_is_exact(name: str) -> None:
    param, grad = layouts()[name]
    params, grads = [param, torch.randn(11)], [grad, torch.randn(11)]
    states = states_of(params)
    wanted = expected(params, grads, states)
    launcher = ADAMW.launcher()
    assert step(params, grads, states, launcher) == []
    assert_stepped(params, states, wanted)
    grads = [torch.randn(param.shape), torch.randn(11)]
    wanted = expected(params, grads, states)
    assert step(params, grads, states, launcher) == []
    assert_stepped(params, states, wanted)


def test_maximize_steps_along_the_gradient() -> None:
    params, grads = [torch.randn(3000)], [torch.randn(3000)]
    states = states_of(params)
    wanted = expected(params, [-g for g in grads], states)
    step(params, grads, states, maximize=True)
    assert_stepped(params, states, wanted)


def test_each_parameter_reads_its_own_row_of_scalars() -> None:
    params, grads = [torch.randn(1100) for _ in range(3)], [torch.randn(1100) for _ in range(3)]
    states = states_of(params)
    wanted = [expected([p], [g], [[m], [v]], t, lr)[0] for p, g, m, v, t, lr in zip(
        params, grads, *states[:2], (5, 1, 5), (0.1, 0.2, 0.1), strict=True)]  # fmt: skip
    ADAMW.launcher().step(params, grads, states, [0, 1, 0], [row(5, lr=0.1), row(1, lr=0.2)], FLAGS, strict=True)
    assert_stepped(params, states, wanted)


def test_a_scalar_that_is_missing_poisons_what_reads_it() -> None:
    params, grads = [torch.randn(4)], [torch.randn(4)]
    scalars = {name: value for name, value in row(1).items() if name != "eps"}
    ADAMW.launcher().step(params, grads, states_of(params), [0], [scalars], FLAGS)
    assert params[0].isnan().all()


def test_tables_stay_while_nothing_moves_and_follow_a_gradient_that_does() -> None:
    params, grads = [torch.randn(2000), torch.randn(7)], [torch.randn(2000), torch.randn(7)]
    states, launcher = states_of(params), ADAMW.launcher()
    step(params, grads, states, launcher)
    plan, table = launcher._plan, launcher._plan.buckets[0].gradients
    turn = table._buffers[0]
    step(params, grads, states, launcher, t=3)
    assert launcher._plan is plan
    assert table._buffers[0] is turn
    grads[0] = torch.randn(2001)[1:]
    wanted = expected(params, grads, states)
    step(params, grads, states, launcher)
    assert_stepped(params, states, wanted)
    assert launcher._plan is plan
    assert table._buffers[0] is not turn
    assert [*launcher._plan.buckets[0].slow] == [True, False]


def changes() -> dict[str, Any]:
    """What can change between two steps, as functions of (params, grads, states)."""

    def shorter(p: Any, g: Any, s: Any) -> None:
        for column in (p, g, *s[:2]):
            del column[0]

    def new_state(p: Any, g: Any, s: Any) -> None:
        s[0][0] = torch.randn_like(s[0][0])

    def state_of_another_dtype(p: Any, g: Any, s: Any) -> None:
        s[1] = [x.to(torch.bfloat16) for x in s[1]]

    def new_storage(p: Any, g: Any, s: Any) -> None:
        p[0].data = torch.randn_like(p[0])

    def gradient_of_another_dtype(p: Any, g: Any, s: Any) -> None:
        g[0] = g[0].to(torch.float16)

    def same_address_other_order(p: Any, g: Any, s: Any) -> None:
        g[1] = g[1].as_strided((12, 12), (1, 12))

    def negated_where_it_lies(p: Any, g: Any, s: Any) -> None:
        g[0] = torch._neg_view(g[0])

    every = (
        negated_where_it_lies,
        shorter,
        new_state,
        state_of_another_dtype,
        new_storage,
        gradient_of_another_dtype,
        same_address_other_order,
    )
    return {change.__name__: change for change in every}


@pytest.mark.parametrize("module", [ADAMW, adamw], ids=["alone", "beside C"])
@pytest.mark.parametrize("name", changes())
def test_a_step_sees_whatever_changed_since_the_last(name: str, module: ModuleType) -> None:
    params, grads = [torch.randn(600), torch.randn(12, 12)], [torch.randn(600), torch.randn(12, 12)]
    states, launcher = states_of(params), module.launcher()
    step(params, grads, states, launcher)
    changes()[name](params, grads, states)
    wanted = expected(params, grads, states)
    assert step(params, grads, states, launcher) == []
    assert_stepped(params, states, wanted)


class Subclass(Tensor):
    """A tensor that may keep its elements anywhere."""


def refused() -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """A parameter, gradient and first moment that no kernel takes."""
    plain, sparse = torch.randn(4, 3), torch.eye(4, 3).to_sparse()
    return {
        "layout torch.sparse_coo": (torch.randn(4, 3), sparse, torch.randn(4, 3)),
        "Subclass": (plain.as_subclass(Subclass), torch.randn(4, 3), torch.randn(4, 3)),
        "torch.complex64": (torch.randn(4, 3, dtype=torch.complex64),) * 3,
        "torch.int32": (torch.ones(4, 3, dtype=torch.int32),) * 3,
        "do not fill": (torch.randn(8, 3)[::2], torch.randn(4, 3), torch.randn(4, 3)),
        "stretch": (torch.randn(3).expand(4, 3), torch.randn(4, 3), torch.randn(4, 3)),
        "lies in memory otherwise": (torch.randn(4, 3), torch.randn(4, 3), torch.randn(3, 4).t()),
        "shape (3, 4)": (torch.randn(4, 3), torch.randn(3, 4), torch.randn(4, 3)),
        "on meta": (torch.randn(4, 3), torch.randn(4, 3, device="meta"), torch.randn(4, 3)),
    }


@pytest.mark.parametrize("reason", refused())
def test_what_the_kernel_cannot_take_is_returned_and_left_alone(reason: str) -> None:
    param, grad, moment = refused()[reason]
    params, grads = [torch.randn(5), param, torch.randn(6)], [torch.randn(5), grad, torch.randn(6)]
    states: Any = [[torch.zeros(5), moment, torch.zeros(6)], [torch.zeros(5), moment.clone(), torch.zeros(6)], None]
    assert reason in LAYOUT.supports(param, [grad], [moment, None])
    before = param.clone()
    wanted = expected([params[0]], [grads[0]], [[states[0][0]], [states[1][0]]])
    launcher = ADAMW.launcher()
    assert step(params, grads, states, launcher) == [1]
    assert_stepped(params[:1], [[states[0][0]], [states[1][0]]], wanted)
    assert torch.equal(param, before)
    assert step(params, grads, states, launcher) == [1]


def test_a_parameter_given_twice_takes_its_second_step_elsewhere() -> None:
    param, moment, square = torch.randn(9), torch.zeros(9), torch.zeros(9)
    assert step([param, param], [torch.randn(9)] * 2, [[moment] * 2, [square] * 2, None]) == [1]


def test_nothing_is_launched_where_there_are_no_elements() -> None:
    params = [torch.zeros(0), torch.zeros(4, 0)]
    launcher = ADAMW.launcher()
    assert step(params, [p.clone() for p in params], states_of(params), launcher) == []
    assert words_of(launcher) == []
    assert step([], [], [[], [], None]) == []


@pytest.mark.parametrize("duplicate", [copy.deepcopy, copy.copy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_a_launcher_is_an_empty_one_that_works(duplicate: Any) -> None:
    params, grads = [torch.randn(70)], [torch.randn(70)]
    states, launcher = states_of(params), ADAMW.launcher()
    step(params, grads, states, launcher)
    other = duplicate(launcher)
    assert other._plan is None
    wanted = expected(params, grads, states)
    step(params, grads, states, other)
    assert_stepped(params, states, wanted)
    launcher.reset()
    assert launcher._plan is None


@pytest.mark.parametrize("numels", [[1], [1024, 1], [0, 5000, 0, 3], [100_000, 2048], [(1 << 31) + 5]])
def test_words_cover_each_element_once(numels: list[int]) -> None:
    chunk, rows, slow = 1024 if sum(numels) < 1 << 20 else 65536, 3, [k % 2 == 1 for k in range(len(numels))]
    base = torch.tensor([(k << 43) + (rows << 30) - (int(s) << 63) for k, s in enumerate(slow)])
    seen: dict[int, list[int]] = {k: [] for k in range(len(numels))}
    for word in TABLES._words(base, -(-torch.tensor(numels) // chunk)).tolist():
        assert (word >> 30) & 0x1FFF == rows
        tensor = (word >> 43) & 0xFFFFF
        assert (word < 0) == slow[tensor]
        seen[tensor].append(word & 0x3FFFFFFF)
    assert {k: len(chunks) for k, chunks in seen.items()} == {k: -(-n // chunk) for k, n in enumerate(numels)}
    assert all(chunks == [*range(len(chunks))] for chunks in seen.values())


def test_elements_beyond_two_to_the_31_are_reached() -> None:
    """One word for the last chunk of a tensor of 2^31 + 1000 elements, of which only that chunk exists in memory."""
    chunk, behind = 65536, 1 << 31
    tensors = [torch.randn(1000) for _ in range(3)] + [torch.rand(1000)]
    param, grad, moment, square = tensors
    wanted = expected([param], [grad], [[moment], [square]])
    addresses = [x.data_ptr() - 4 * behind for x in tensors]
    records = torch.tensor([addresses[0], *addresses[2:], 0, behind + 1000, 0, 0])
    scalars = torch.tensor([row(2)[name] for name in ADAMW.SCALARS])
    types = [TABLES.TYPES[torch.float32]] * 5
    options = {"COMPUTE": types[0], "BLOCK": 512, "VEC": 4, "MAXIMIZE": False, "SCALED": False, "STRICT": True}
    tables = torch.tensor([behind // chunk]), records, torch.tensor(addresses[1:2]), scalars, scalars, scalars
    ADAMW._step[(1,)](*tables, chunk, *types, **options, **FLAGS)
    assert_stepped([param], [[moment], [square]], wanted)
