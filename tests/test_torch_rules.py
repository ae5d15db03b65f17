"""Rules of shapes that no published class of the build has yet, written by hand for the PyTorch runtime."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.optim import Optimizer

from optgen.optim import Prodigy
from optgen.runtime.pytorch._runtime import (
    Hyper,
    RuleOptimizer,
    Scalar,
    State,
    UpdateRule,
    from_grad,
    from_param,
    largest,
    maximum,
    minimum,
    per_col,
    per_row,
    per_tensor,
    sign,
    sqrt,
    total,
)


def nothing(**_: Any) -> dict[str, Any]:
    return {}


def class_of(rule: UpdateRule, **defaults: Any) -> Callable[..., Optimizer]:
    """A constructor of a class that has this rule; `defaults` are its hyperparameters."""

    class Made(RuleOptimizer):
        def __init__(self, params: Any, **given: Any) -> None:
            super().__init__(params, {"maximize": False, "differentiable": False, **defaults, **given})

    Made.rule = rule
    return Made


def leaf(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).requires_grad_()


def give_gradients(params: list[Tensor], seed: int) -> None:
    for position, p in enumerate(params):
        p.grad = leaf(*p.shape, seed=100 * seed + position).detach().to(p.dtype)


# --- values common to all tensors of a step


def clip_1(theta_prev: Tensor, g: Tensor) -> dict[str, Tensor]:
    return {"G_sum": torch.sum(g * g), "g_max": torch.amax(torch.abs(g)), "g_twice": g + g}


def clip_2(
    theta_prev: Tensor,
    g: Tensor,
    *,
    lr: Scalar,
    max_norm: Scalar,
    G_sum: Tensor,
    g_max: Tensor,
    g_twice: Tensor,
    n_prev: Tensor,
) -> dict[str, Tensor]:
    norm = torch.sqrt(G_sum)
    theta = theta_prev - lr * (g_twice / 2 / torch.clamp(norm / max_norm, min=1))
    return {"param": theta, "largest": torch.maximum(n_prev, g_max)}


CLIPPED = UpdateRule(
    hypers=(Hyper("lr", at_least=0), Hyper("max_norm", above=0)),
    keys=("largest",),
    states=lambda: {"largest": State("n", shape=per_tensor)},
    host=nothing,
    updates=(clip_1, clip_2),
    combine={"G_sum": total, "g_max": largest},
)


@pytest.mark.parametrize("maximize", [False, True])
def test_a_global_norm_is_taken_over_all_groups_and_dtypes(maximize: bool) -> None:
    mine, theirs = ([leaf(3, 4), leaf(5), leaf(0), leaf(2, dtype=torch.float32), leaf(7)] for _ in range(2))
    optimizer = class_of(CLIPPED, lr=0.1, max_norm=0.5, maximize=maximize)([{"params": mine[:2]}, {"params": mine[2:]}])
    for seed in range(3):
        give_gradients(mine, seed)
        give_gradients(theirs, seed)
        mine[4].grad = theirs[4].grad = None
        biggest = max(p.grad.abs().max().item() for p in mine if p.grad is not None and p.numel())
        optimizer.step()
        torch.nn.utils.clip_grad_norm_(theirs, 0.5)
        reference = torch.optim.SGD(theirs, lr=0.1, maximize=maximize)
        reference.step()
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
        assert optimizer.state[mine[0]]["largest"].shape == ()
        assert optimizer.state[mine[0]]["largest"].item() >= biggest - 1e-12


# --- recurrences of the host


def nadam_host(
    t: int, mu_product_prev: Scalar, *, lr: Scalar, beta1: Scalar, beta2: Scalar, psi: Scalar
) -> dict[str, Scalar]:
    mu, mu_next = beta1 * (1 - 0.5 * 0.96 ** (t * psi)), beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * psi))
    mu_product = mu_product_prev * mu
    return {
        "mu_product": mu_product,
        "a": lr * (1 - mu) / (1 - mu_product),
        "b": lr * mu_next / (1 - mu_product * mu_next),
        "one_minus_beta1": 1 - beta1,
        "one_minus_beta2": 1 - beta2,
        "root": sqrt(1 - beta2**t),
    }


def nadam(
    theta_prev: Tensor,
    g: Tensor,
    *,
    m_prev: Tensor,
    v_prev: Tensor,
    beta1: Scalar,
    beta2: Scalar,
    eps: Scalar,
    a: Scalar,
    b: Scalar,
    one_minus_beta1: Scalar,
    one_minus_beta2: Scalar,
    root: Scalar,
) -> dict[str, Tensor]:
    m, v = beta1 * m_prev + one_minus_beta1 * g, beta2 * v_prev + one_minus_beta2 * (g * g)
    d = torch.sqrt(v) / root + eps
    return {"param": theta_prev - a * g / d - b * m / d, "exp_avg": m, "exp_avg_sq": v}


NADAM = UpdateRule(
    hypers=(
        Hyper("lr", at_least=0),
        Hyper("betas", ("beta1", "beta2"), at_least=0, below=1),
        Hyper("eps"),
        Hyper("psi"),
    ),
    keys=("step", "mu_product", "exp_avg", "exp_avg_sq"),
    states=lambda: {"mu_product": State("mu_product", 1.0, host=True), "exp_avg": State("m"), "exp_avg_sq": State("v")},
    host=nadam_host,
    updates=(nadam,),
)


def test_a_recurrence_of_the_host_is_kept_in_the_checkpoint_as_torchs_nadam_keeps_it() -> None:
    mine, theirs = [leaf(3), leaf(2)], [leaf(3), leaf(2)]
    ours = class_of(NADAM, lr=0.01, betas=(0.9, 0.999), eps=1e-8, psi=4e-3)(mine)
    reference = torch.optim.NAdam(theirs, lr=0.01)
    for seed in range(30):
        for params in (mine, theirs):
            give_gradients(params, seed)
            params[1].grad = None if seed % 2 else params[1].grad
        ours.step()
        reference.step()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)  # torch multiplies mu_product in float32
    for a, b in zip(ours.state.values(), reference.state.values(), strict=True):
        assert list(a) == list(b)
        assert a["mu_product"].dtype == torch.float64  # host scalars are, which torch's float32 is a rounding of
        torch.testing.assert_close(a["mu_product"].float(), b["mu_product"], rtol=1e-5, atol=0)
    resumed = class_of(NADAM, lr=0.01, betas=(0.9, 0.999), eps=1e-8, psi=4e-3)(
        [p.detach().clone().requires_grad_() for p in mine]
    )
    resumed.load_state_dict(copy.deepcopy(reference.state_dict() | {"param_groups": ours.state_dict()["param_groups"]}))
    assert all(
        torch.equal(a["mu_product"], b["mu_product"])
        for a, b in zip(resumed.state.values(), reference.state.values(), strict=True)
    )


# --- rows, columns, shapes, starts


def factored(
    theta_prev: Tensor,
    g: Tensor,
    *,
    r_prev: Tensor,
    c_prev: Tensor,
    z_prev: Tensor,
    h_prev: Tensor,
    lr: Scalar,
    root: Scalar,
) -> dict[str, Tensor]:
    r, c = 0.5 * r_prev + 0.5 * (g * g).mean(-1, keepdim=True), 0.5 * c_prev + 0.5 * (g * g).mean(-2, keepdim=True)
    theta = theta_prev - lr * root * g * torch.rsqrt(r * c / r.mean(-2, keepdim=True))
    return {"param": theta, "row": r, "col": c, "start": z_prev, "last": g}


FACTORED = UpdateRule(
    hypers=(Hyper("lr", at_least=0),),
    keys=("row", "col", "start", "last"),
    states=lambda lr: {
        "row": State("r", lr, per_row),
        "col": State("c", 0.5, per_col),
        "start": State("z", from_param),
        "last": State("h", from_grad),
    },
    host=lambda rows, cols, numel, first: {"root": sqrt(numel / (rows * cols)) * (2 if first else 1)},
    updates=(factored,),
    min_ndim=2,
    elementwise=False,
    otherwise=UpdateRule(
        hypers=(), keys=(), states=nothing, host=nothing, updates=(lambda theta, g, lr: {"param": theta - lr * g},)
    ),
)


def test_states_have_the_shapes_and_starts_that_the_rule_says() -> None:
    matrix, batch, vector = leaf(3, 4), leaf(2, 3, 4), leaf(5)
    start, before = matrix.detach().clone(), vector.detach().clone()
    optimizer = class_of(FACTORED, lr=0.1)([matrix, batch, vector])
    give_gradients([matrix, batch, vector], 0)
    optimizer.step()
    state = optimizer.state[matrix]
    assert [tuple(state[key].shape) for key in ("row", "col", "start", "last")] == [(3, 1), (1, 4), (3, 4), (3, 4)]
    assert tuple(optimizer.state[batch]["col"].shape) == (2, 1, 4)
    assert torch.equal(state["start"], start)
    assert torch.equal(state["last"], matrix.grad)
    torch.testing.assert_close(state["row"], 0.05 + 0.5 * matrix.grad.square().mean(-1, keepdim=True))
    g, first = matrix.grad, matrix.detach().clone()
    torch.testing.assert_close(first, start - 0.2 * g * torch.rsqrt(state["row"] * state["col"] / state["row"].mean()))
    assert vector not in optimizer.state
    assert torch.equal(vector, before - 0.1 * vector.grad)
    optimizer.step()  # the second step is not the first, so the scalar halves
    state = optimizer.state[matrix]
    torch.testing.assert_close(matrix, first - 0.1 * g * torch.rsqrt(state["row"] * state["col"] / state["row"].mean()))
    with pytest.raises(ValueError, match="Made does not support complex parameters: parameter 0 of group 1"):
        optimizer.add_param_group({"params": [torch.zeros(2, 2, dtype=torch.complex64)]})


def test_a_rule_for_matrices_refuses_other_shapes_at_construction() -> None:
    rule = UpdateRule(
        hypers=(), keys=(), states=nothing, host=nothing, updates=(lambda theta, g: {"param": theta - g},), ndim=2
    )
    with pytest.raises(
        ValueError,
        match=r"Made only supports 2D parameters whereas we found a parameter with size: torch.Size\(\[3\]\)",
    ):
        class_of(rule)([leaf(3)])
    class_of(rule)([leaf(3, 3)])


@pytest.mark.parametrize("fused", [False, None])
def test_all_parameters_have_one_estimate_whichever_steps(fused: bool | None) -> None:
    first, second, late = (torch.nn.Parameter(torch.ones(3)) for _ in range(3))
    optimizer = Prodigy([first, second], d0=1e-3, fused=fused)

    def estimates() -> set[float]:
        return {optimizer.state[param]["d"].item() for param in optimizer.state}

    first.grad, second.grad = torch.tensor([1.0, 2.0, 3.0]), torch.ones(3)
    for _ in range(3):
        optimizer.step()
    (before,) = estimates()
    assert before > 1e-3
    optimizer.add_param_group({"params": [late]})
    first.grad, late.grad = None, torch.ones(3)
    for _ in range(3):
        optimizer.step()
        (now,) = estimates()
    assert now > before
    assert len(optimizer.state) == 3
    assert optimizer.state[first]["step"] == optimizer.state[late]["step"] == 3


def test_an_estimate_is_taken_from_whoever_has_one() -> None:
    first, second, late = (torch.nn.Parameter(torch.ones(3)) for _ in range(3))
    optimizer = Prodigy([first, second, late], d0=1e-3)
    first.grad, second.grad = torch.tensor([1.0, 2.0, 3.0]), torch.ones(3)
    for _ in range(3):
        optimizer.step()
    estimate = optimizer.state[second]["d"].item()
    optimizer.state[first] = {"step": torch.tensor(3.0)}  # as a parameter of another rule may have
    first.grad, second.grad, late.grad = None, None, torch.full((3,), 1e-9)
    optimizer.step()
    assert optimizer.state[late]["d"].item() >= estimate > 1e-3


@pytest.mark.parametrize("fused", [False, None])
def test_what_is_one_number_has_all_digits_beside_parameters_of_few(fused: bool | None) -> None:
    param = torch.nn.Parameter(torch.ones(3, 2, dtype=torch.bfloat16))
    optimizer = Prodigy([param], d0=1e-3, fused=fused)
    param.grad = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0]], dtype=torch.bfloat16)
    for _ in range(3):
        optimizer.step()
    state = optimizer.state[param]
    assert state["exp_avg"].dtype == torch.bfloat16
    assert state["d"].dtype == torch.float32
    assert state["d"] != state["d"].bfloat16()


def test_a_new_value_that_is_another_quantitys_old_one_survives() -> None:
    """theta, a and b move in a circle: none may be overwritten before it is saved, views of it included."""
    rule = UpdateRule(
        hypers=(),
        keys=("a", "b"),
        states=lambda: {"a": State("a"), "b": State("b", from_grad)},
        host=nothing,
        updates=(lambda theta, g, a_prev, b_prev: {"param": a_prev, "a": b_prev, "b": theta.view(theta.shape)},),
    )
    p = leaf(3)
    old, optimizer = p.detach().clone(), class_of(rule)([p])
    give_gradients([p], 0)
    optimizer.step()
    assert torch.equal(p, torch.zeros(3, dtype=torch.float64))
    assert torch.equal(optimizer.state[p]["a"], p.grad)
    assert torch.equal(optimizer.state[p]["b"], old)


def test_the_host_block_runs_once_for_all_parameters_that_agree_in_what_it_reads() -> None:
    calls: list[tuple[int, float]] = []

    def host(t: int, *, lr: Scalar) -> dict[str, Scalar]:
        calls.append((t, float(lr)))
        return {"rate": lr / t}

    rule = UpdateRule(
        hypers=(Hyper("lr"),),
        keys=("step",),
        states=nothing,
        host=host,
        updates=(lambda theta, g, rate: {"param": theta - rate * g},),
    )
    params = [leaf(2, seed=i) for i in range(6)]
    optimizer = class_of(rule, lr=0.5)([{"params": params[:3]}, {"params": params[3:], "lr": 0.25}])
    give_gradients(params[1:], 0)
    optimizer.step()
    give_gradients(params, 1)
    optimizer.step()
    assert sorted(calls) == sorted([(1, 0.5), (1, 0.25), (1, 0.5), (2, 0.5), (2, 0.25)])


# --- functions of host scalars


@pytest.mark.parametrize("x", [0.0, -2.5, 3.0, math.nan])
def test_scalar_functions_agree_on_numbers_and_tensors(x: float) -> None:
    for function in (maximum, minimum):
        for a, b in ((x, 1.0), (1.0, x), (x, math.nan)):
            wanted = function(torch.tensor(a, dtype=torch.float64), b)
            torch.testing.assert_close(torch.tensor(function(a, b), dtype=torch.float64), wanted, equal_nan=True)
    if not math.isnan(x):
        assert sign(x) == sign(torch.tensor(x))
        assert x < 0 or sqrt(x) == sqrt(torch.tensor(x, dtype=torch.float64))


def test_the_runtime_imports_torch_and_the_standard_library_only() -> None:
    module = inspect.getmodule(RuleOptimizer)
    assert module is not None
    assert "optgen." not in inspect.getsource(module)
