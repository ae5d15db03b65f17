"""Schedules: equal to torch's and to transformers' formulas at every step, composable, exact after resume."""

from __future__ import annotations

import copy
import io
import math
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers.optimization as transformers
from torch import Tensor
from torch.optim import SGD
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
    StepLR,
)

from optgen import schedules
from optgen._generated.pytorch._schedules import RuleScheduler
from optgen.schedules import Constant, Cosine, Linear, WarmupConstant, WarmupCosine, WarmupLinear

TOTAL, WARMUP = 40, 10
LRS = (0.1, 0.02)
ALL: list[tuple[type[LRScheduler], dict[str, Any]]] = [
    (Constant, {}),
    (Linear, {"total_steps": TOTAL, "min_factor": 0.1}),
    (Cosine, {"total_steps": TOTAL, "min_factor": 0.1}),
    (WarmupConstant, {"warmup_steps": WARMUP}),
    (WarmupLinear, {"total_steps": TOTAL, "warmup_steps": WARMUP}),
    (WarmupCosine, {"total_steps": TOTAL, "warmup_steps": WARMUP, "min_factor": 0.1}),
    (WarmupCosine, {"total_steps": TOTAL, "warmup_steps": 0}),
]
every = pytest.mark.parametrize(
    ("cls", "kwargs"), ALL, ids=[f"{cls.__name__}-{'-'.join(map(str, kw.values()))}" for cls, kw in ALL]
)


def optimizer(lrs: tuple[Any, ...] = LRS) -> SGD:
    return SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in lrs], lr=1.0)


def rates(one: torch.optim.Optimizer) -> list[float]:
    return [float(group["lr"]) for group in one.param_groups]


def run(make: Callable[[SGD], LRScheduler], steps: int = TOTAL + 5, lrs: tuple[Any, ...] = LRS) -> list[list[float]]:
    """The learning rates of every group at every step."""
    one = optimizer(lrs)
    scheduler = make(one)
    seen = []
    for _ in range(steps):
        seen.append(rates(one))
        one.step()
        scheduler.step()
    return seen


def assert_close(got: list[list[float]], wanted: list[list[float]]) -> None:
    for step, (a, b) in enumerate(zip(got, wanted, strict=True)):
        assert a == pytest.approx(b, rel=1e-12, abs=1e-15), f"step {step}"


def test_cosine_is_torchs_within_its_total() -> None:
    got = run(lambda o: Cosine(o, TOTAL), TOTAL + 1)
    assert_close(got, run(lambda o: CosineAnnealingLR(o, T_max=TOTAL), TOTAL + 1))


def test_linear_is_torchs() -> None:
    got = run(lambda o: Linear(o, TOTAL, min_factor=0.25))
    assert_close(got, run(lambda o: LinearLR(o, start_factor=1.0, end_factor=0.25, total_iters=TOTAL)))


def test_constant_is_torchs() -> None:
    assert_close(run(Constant), run(lambda o: ConstantLR(o, factor=1.0)))


WARMUPS: dict[str, tuple[Callable[[SGD], LRScheduler], Callable[[SGD], LRScheduler], int]] = {
    "constant": (Constant, transformers.get_constant_schedule, TOTAL + 5),
    "constant with warmup": (
        lambda o: WarmupConstant(o, WARMUP),
        lambda o: transformers.get_constant_schedule_with_warmup(o, WARMUP), TOTAL + 5),
    "linear with warmup": (
        lambda o: WarmupLinear(o, TOTAL, WARMUP),
        lambda o: transformers.get_linear_schedule_with_warmup(o, WARMUP, TOTAL), TOTAL + 5),
    "cosine with warmup": (  # beyond its total, transformers' rises again
        lambda o: WarmupCosine(o, TOTAL, WARMUP),
        lambda o: transformers.get_cosine_schedule_with_warmup(o, WARMUP, TOTAL), TOTAL + 1),
}  # fmt: skip


@pytest.mark.parametrize("name", WARMUPS)
def test_warmups_are_those_of_transformers(name: str) -> None:
    make, theirs, steps = WARMUPS[name]
    assert_close(run(make, steps), run(theirs, steps))


TWINS: dict[str, tuple[Callable[[SGD], LRScheduler], Callable[[SGD], LRScheduler]]] = {
    "cosine": (lambda o: Cosine(o, TOTAL), lambda o: CosineAnnealingLR(o, TOTAL)),
    "linear": (lambda o: Linear(o, TOTAL, min_factor=0.25), lambda o: LinearLR(o, 1.0, 0.25, total_iters=TOTAL)),
    "constant": (Constant, lambda o: ConstantLR(o, factor=1.0)),
}
OTHERS: dict[str, Callable[[SGD], Any]] = {
    "exponential": lambda o: ExponentialLR(o, 0.9),
    "step": lambda o: StepLR(o, 3, 0.5),
    "milestones": lambda o: MultiStepLR(o, [4, 9], 0.5),
    "constant": lambda o: ConstantLR(o, 0.4, 4),
    "linear": lambda o: LinearLR(o, 0.4, 0.8, 4),
    "polynomial": lambda o: PolynomialLR(o, TOTAL + 10, 0.9),
    "cosine": lambda o: CosineAnnealingLR(o, TOTAL + 10),
    "multiplicative": lambda o: MultiplicativeLR(o, lambda t: 1 - 0.01 * t),
    "lambda": lambda o: LambdaLR(o, lambda t: 0.95**t),
    "plateau": lambda o: ReduceLROnPlateau(o, patience=2),
}


def composed(makes: list[Callable[[SGD], Any]], tensor: bool, steps: int = TOTAL - 1) -> list[list[float]]:
    one = optimizer(tuple(torch.tensor(lr, dtype=torch.float64) for lr in LRS) if tensor else LRS)
    schedulers = [make(one) for make in makes]
    seen = []
    for step in range(steps):
        seen.append(rates(one))
        one.step()
        for scheduler in schedulers:
            scheduler.step(*([1.0 + step // 9] if isinstance(scheduler, ReduceLROnPlateau) else []))
    return seen


def largest_difference(twin: str, other: str, ours_first: bool, tensor: bool) -> float:
    """The largest relative difference of ours from torch's, each composed with the same other scheduler."""
    got, wanted = (
        composed([make, OTHERS[other]] if ours_first else [OTHERS[other], make], tensor) for make in TWINS[twin]
    )
    pairs = [(a, b) for x, y in zip(got, wanted, strict=True) for a, b in zip(x, y, strict=True)]
    return max(abs(a - b) / abs(b) for a, b in pairs)


@pytest.mark.parametrize("tensor", [False, True])
@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("twin", TWINS)
def test_it_composes_as_torchs_own_does(twin: str, other: str, ours_first: bool, tensor: bool) -> None:
    """Both multiply what they find; torch's cosine recursion gathers a rounding for each step and one of 1 + cos."""
    assert largest_difference(twin, other, ours_first, tensor) < 1e-12


@pytest.mark.parametrize("twin", TWINS)
def test_in_a_sequence_it_is_torchs_own(twin: str) -> None:
    def after_warmup(make: Callable[[SGD], LRScheduler]) -> Callable[[SGD], LRScheduler]:
        return lambda o: SequentialLR(o, [LinearLR(o, 0.1, total_iters=5), make(o)], milestones=[5])

    def chained(make: Callable[[SGD], LRScheduler]) -> Callable[[SGD], Any]:
        return lambda o: ChainedScheduler([ExponentialLR(o, 0.9), make(o), StepLR(o, 4, 0.5)])

    for wrap in (after_warmup, chained):
        ours, theirs = (run(wrap(make), TOTAL - 1) for make in TWINS[twin])
        assert_close(ours, theirs)


@every
def test_past_the_end_the_rate_stays(cls: type[LRScheduler], kwargs: dict[str, Any]) -> None:
    seen = run(lambda o: cls(o, **kwargs), TOTAL + 30)
    assert all(rates == seen[TOTAL] for rates in seen[TOTAL:])


@every
def test_alone_it_gathers_no_rounding(cls: type[LRScheduler], kwargs: dict[str, Any]) -> None:
    one = optimizer()
    scheduler = cls(one, **kwargs)
    for t in range(TOTAL + 5):
        assert rates(one) == [lr * scheduler.factor(t) for lr in LRS]  # type: ignore[attr-defined]
        one.step()
        scheduler.step()


def test_from_a_factor_of_zero_it_adds_to_what_another_scheduler_put_there() -> None:
    one = optimizer()
    scheduler = WarmupLinear(one, TOTAL, WARMUP)
    assert rates(one) == [0.0, 0.0]
    for group in one.param_groups:
        group["lr"] = 0.5
    one.step()
    scheduler.step()
    assert rates(one) == [0.5 + lr / WARMUP for lr in LRS]
    one.step()
    scheduler.step()
    assert rates(one) == pytest.approx([2 * (0.5 + lr / WARMUP) for lr in LRS], rel=1e-15)


@every
def test_the_chained_form_equals_the_closed_form(cls: type[LRScheduler], kwargs: dict[str, Any]) -> None:
    one = optimizer()
    scheduler = cls(one, **kwargs)
    for _ in range(TOTAL + 5):
        assert rates(one) == pytest.approx(scheduler._get_closed_form_lr(), rel=1e-13, abs=1e-16)
        assert rates(one) == scheduler.get_last_lr()
        one.step()
        scheduler.step()


@every
@pytest.mark.parametrize(
    "other", [lambda o: ExponentialLR(o, 0.9), lambda o: StepLR(o, 3, 0.5)], ids=["exponential", "step"]
)
@pytest.mark.parametrize("ours_first", [True, False])
def test_two_schedulers_on_one_optimizer_multiply(
    cls: type[LRScheduler], kwargs: dict[str, Any], other: Callable[[SGD], LRScheduler], ours_first: bool
) -> None:
    one, alone = optimizer(), optimizer((1.0, 1.0))
    makes: list[Callable[[SGD], LRScheduler]] = [lambda o: cls(o, **kwargs), other]
    both = [make(one) for make in (makes if ours_first else makes[::-1])]
    theirs = other(alone)
    ours = next(s for s in both if isinstance(s, cls))
    start = 1 if kwargs.get("warmup_steps") else 0
    lost = 1.0  # where our factor was 0 nothing remains of the other's, as with torch's additive forms
    for step in range(TOTAL - 1):
        if step == start:
            lost = rates(one)[0] / (LRS[0] * ours.factor(step) * rates(alone)[0])  # type: ignore[attr-defined]
        if step >= start:
            wanted = [lr * ours.factor(step) * h * lost for lr, h in zip(LRS, rates(alone), strict=True)]  # type: ignore[attr-defined]
            assert rates(one) == pytest.approx(wanted, rel=1e-12)
        one.step()
        alone.step()
        for scheduler in (*both, theirs):
            scheduler.step()
    assert start or lost == pytest.approx(1.0)


def test_chained_and_sequential_schedulers_take_ours() -> None:
    chained = run(lambda o: ChainedScheduler([Cosine(o, TOTAL), ExponentialLR(o, 0.9)]), TOTAL)
    wanted = [[lr * (1 + math.cos(math.pi * t / TOTAL)) / 2 * 0.9**t for lr in LRS] for t in range(TOTAL)]
    assert_close(chained, wanted)
    made = run(lambda o: SequentialLR(o, [Constant(o), Linear(o, 10)], milestones=[5]), 15)
    assert_close(made, [[lr * (1 if t < 5 else 1 - (t - 5) / 10) for lr in LRS] for t in range(15)])


@every
def test_a_tensor_rate_is_filled_in_place(cls: type[LRScheduler], kwargs: dict[str, Any]) -> None:
    held = torch.tensor(0.1, dtype=torch.float64)
    one = optimizer((held,))
    scheduler = cls(one, **kwargs)
    for t in range(TOTAL):
        assert one.param_groups[0]["lr"] is held
        assert held.item() == pytest.approx(0.1 * scheduler.factor(t), rel=1e-12, abs=1e-15)  # type: ignore[attr-defined]
        assert isinstance(scheduler.get_last_lr()[0], Tensor)
        assert scheduler.get_last_lr()[0] is not held
        one.step()
        scheduler.step()


def resumed(make: Callable[..., LRScheduler], at: int) -> None:
    """Stops before step `at`, goes on from a checkpoint and, as torch allows, from the last step's number alone."""
    whole = run(make)
    one = optimizer()
    scheduler = make(one)
    for _ in range(at):
        one.step()
        scheduler.step()
    stream = io.BytesIO()
    torch.save({"optimizer": one.state_dict(), "scheduler": scheduler.state_dict()}, stream)
    stream.seek(0)
    saved = torch.load(stream, weights_only=True)
    fresh = optimizer()
    loaded = make(fresh)
    fresh.load_state_dict(saved["optimizer"])
    loaded.load_state_dict(saved["scheduler"])
    again = optimizer()
    again.load_state_dict(copy.deepcopy(saved["optimizer"]))
    by_epoch = make(again, last_epoch=at - 1)
    for step in range(at, TOTAL + 5):
        assert rates(fresh) == whole[step]
        assert rates(again) == pytest.approx(whole[step], rel=1e-12, abs=1e-15)
        for other, its in ((fresh, loaded), (again, by_epoch)):
            other.step()
            its.step()


@every
def test_resuming_at_any_step_changes_nothing(cls: type[LRScheduler], kwargs: dict[str, Any]) -> None:
    for at in range(TOTAL + 2):
        resumed(lambda o, last_epoch=-1: cls(o, **kwargs, last_epoch=last_epoch), at)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: Cosine(o, 0), "Invalid total_steps value: 0"),
        (lambda o: WarmupCosine(o, 10, -1), "Invalid warmup_steps value: -1"),
        (lambda o: Linear(o, 10, min_factor=1.5), "Invalid min_factor value: 1.5"),
        (lambda o: Linear(o, float("nan")), "Invalid total_steps value: nan"),
        (lambda o: Linear(o, "ten"), "Invalid total_steps value: ten"),
    ],
)
def test_arguments_out_of_bounds_are_refused(make: Callable[[SGD], LRScheduler], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        make(optimizer())


def test_only_an_optimizer_can_be_scheduled() -> None:
    with pytest.raises(TypeError, match="is not an Optimizer"):
        Constant(torch.nn.Linear(1, 1))  # type: ignore[arg-type]


def test_the_order_of_calls_is_warned_about_as_torch_does() -> None:
    one = optimizer()
    scheduler = Cosine(one, TOTAL)
    with pytest.warns(UserWarning, match="Detected call of `lr_scheduler.step"):
        scheduler.step()
    with pytest.warns(UserWarning, match="please use `get_last_lr"):
        scheduler.get_lr()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(lambda o: Cosine(o, TOTAL), 3)


def test_the_base_class_is_no_schedule() -> None:
    with pytest.raises(TypeError, match="abstract"):
        RuleScheduler(optimizer())  # type: ignore[abstract]  # refused, as it should be


@every
def test_a_copy_and_a_pickled_scheduler_go_on_alike(cls: type[LRScheduler], kwargs: dict[str, Any]) -> None:
    scheduler = cls(optimizer(), **kwargs)
    for _ in range(WARMUP // 2):
        scheduler.optimizer.step()
        scheduler.step()
    others = [copy.deepcopy(scheduler), pickle.loads(pickle.dumps(scheduler))]
    for one in (scheduler, *others):
        for _ in range(WARMUP):
            one.optimizer.step()
            one.step()
    assert [rates(one.optimizer) for one in others] == [rates(scheduler.optimizer)] * 2


def test_all_names_are_exported() -> None:
    assert {cls.__name__ for cls, _ in ALL} == set(schedules.__all__)


def table() -> str:
    """The largest relative difference from torch's scheduler, alone and over every composition."""
    lines = []
    for twin, makes in TWINS.items():
        ours, theirs = (composed([make], tensor=False) for make in makes)
        alone = max(abs(a - b) / b for x, y in zip(ours, theirs, strict=True) for a, b in zip(x, y, strict=True))
        ways = [(other, first, tensor) for other in OTHERS for first in (True, False) for tensor in (True, False)]
        most = max(largest_difference(twin, *way) for way in ways)
        lines.append(f"{twin:10} alone {alone:.1e}, {len(ways)} compositions {most:.1e}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
