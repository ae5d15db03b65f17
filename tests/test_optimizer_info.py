"""What PyTorch's own suite asks of an optimizer, asked of every class: each promise of its OptimizerInfo, restated.

`python tests/test_optimizer_info.py` prints how many promises each class keeps, and over how many configurations.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
import torch
from every_class import CODED, INFOS, QUIET, Fit, Kwargs, equal, flagged, fuses, plain
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.testing._internal.common_optimizers import OptimizerErrorEnum, OptimizerInfo

Promise = Callable[[OptimizerInfo], int]
STEPS = 20
STILL: dict[str, Kwargs] = {  # makes a step vanish with the learning rate
    "Rprop": {"step_sizes": (0, 50)}, "AdaBound": {"final_lr": 0.0}, "AdafactorHF": {"relative_step": False},
}
DEFAULT_TOLERANCE = {torch.float64: 1e-7, torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 1.6e-2}


def went_right(kwargs: Kwargs, before: float, after: float) -> bool:
    return after > before if kwargs.get("maximize") else after < before


# --- construction and errors


def errors_are_torchs(info: OptimizerInfo) -> int:
    bad = info.optim_error_inputs_func(device="cpu", dtype=torch.float32)
    for one in bad:
        given, cls = one.optimizer_error_input, info.optim_cls
        # What torch's Muon finds at the first step, a complex parameter, is refused at construction.
        early = one.error_on is OptimizerErrorEnum.CONSTRUCTION_ERROR
        kind = one.error_type if early else ValueError
        params = [Parameter(torch.randn(1, 1))] if given.params is None else given.params
        expect = pytest.warns if issubclass(kind, Warning) else pytest.raises
        with expect(kind, match=one.error_regex):
            cls(params, **given.kwargs)
    return len(bad)


def it_can_be_printed(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info):
        shown = repr(info.optim_cls(Fit().params, **kwargs))
        assert shown.startswith(info.name + " (\nParameter Group 0\n")
        assert all(f"    {key}: {value}\n" in shown for key, value in kwargs.items())
        seen += 1
    return seen


# --- the right direction


def _goes_right(info: OptimizerInfo, strided: bool, scheduled: bool) -> int:
    seen = 0
    for makes in info.scheduler_inputs if scheduled else [()]:
        for kwargs in plain(info):
            fit = Fit(strided)
            optimizer = info.optim_cls(fit.params, **{**kwargs, "foreach": False})
            schedulers = [make(optimizer) for make in makes]
            before = fit.loss(optimizer).item()
            assert went_right(kwargs, before, fit.train(optimizer, STEPS, schedulers)), kwargs
            seen += 1
    return seen


def the_loss_goes_the_right_way(info: OptimizerInfo) -> int:
    return _goes_right(info, strided=False, scheduled=False)


def the_loss_goes_the_right_way_with_schedulers(info: OptimizerInfo) -> int:
    return _goes_right(info, strided=False, scheduled=True)


def strided_parameters_go_the_right_way(info: OptimizerInfo) -> int:
    return _goes_right(info, strided=True, scheduled=False)


def strided_parameters_go_the_right_way_with_schedulers(info: OptimizerInfo) -> int:
    return _goes_right(info, strided=True, scheduled=True)


def two_groups_go_the_right_way_with_schedulers(info: OptimizerInfo) -> int:
    for makes in info.scheduler_inputs:
        fit = Fit()
        groups = [{"params": [fit.weight], **QUIET.get(info.name, {})}, {"params": [fit.bias], "lr": 0.01}]
        optimizer = info.optim_cls(groups)
        before = fit.loss(optimizer).item()
        assert fit.train(optimizer, STEPS, [make(optimizer) for make in makes]) < before
    return len(info.scheduler_inputs)


def a_group_has_its_own_weight_decay(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable"):
        if "weight_decay" not in info.optim_cls(Fit().params).defaults:
            kwargs.pop("weight_decay", None)  # Rprop has none: torch keeps the unread key in the group all the same
        fit = Fit()
        optimizer = info.optim_cls(
            [{"params": [fit.weight], **kwargs}, {"params": [fit.bias], **kwargs, "weight_decay": 0.0}]
        )
        before = fit.loss(optimizer).item()
        assert went_right(kwargs, before, fit.train(optimizer, STEPS)), kwargs
        assert optimizer.param_groups[1]["weight_decay"] == 0
        seen += 1
    return seen


def a_group_has_its_own_learning_rate(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable"):
        kwargs = {**kwargs, "lr": kwargs.get("lr") or 1e-3}
        fit, still = Fit(), Parameter(torch.randn(2))
        start = still.detach().clone()
        groups = [{"params": fit.params, **kwargs}, {"params": [still], **STILL.get(info.name, {})}]
        optimizer = info.optim_cls(groups, lr=1e-28)
        before = fit.loss(optimizer).item()
        for seed in range(STEPS):
            fit.loss(optimizer)
            still.grad = torch.rand(2, generator=torch.Generator().manual_seed(seed))
            optimizer.step()
        assert went_right(kwargs, before, fit.loss(optimizer).item()), kwargs
        assert torch.equal(still, start)
        seen += 1
    return seen


# --- variants of one step that must agree


def a_tensor_rate_is_as_good_as_a_number(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable"):
        one, other = Fit(), Fit()
        mine = info.optim_cls(one.params, **{**kwargs, "lr": 1e-3})
        if kwargs.get("foreach"):
            with pytest.raises(ValueError, match="lr as a Tensor is not supported"):
                info.optim_cls(other.params, **{**kwargs, "lr": torch.tensor(1e-3)})
            seen += 1
            continue
        with_tensor = info.optim_cls(other.params, **{**kwargs, "lr": torch.tensor(1e-3, dtype=torch.float64)})
        one.train(mine, 5)
        other.train(with_tensor, 5)
        assert equal(one.params, other.params), kwargs
        seen += 1
    return seen


def _like(
    info: OptimizerInfo, flag: str, dtype: torch.dtype, count: torch.dtype | None = None, most: int | None = None
) -> int:
    """Seven steps with the flag and without: a gradient missing, a layer frozen and thawed, a 0-d parameter."""
    seen = 0
    for kwargs in islice(plain(info), most):
        if flag == "foreach" and isinstance(kwargs.get("lr"), Tensor):
            continue  # torch refuses the two together
        states, params = [], []
        for value in (False, True):
            torch.manual_seed(1)
            layers = [torch.nn.Linear(2, 3), torch.nn.Sigmoid(), torch.nn.Linear(3, 1), torch.nn.Sigmoid()]
            model = torch.nn.Sequential(*layers).to(dtype)
            alone = torch.ones((), dtype=dtype, requires_grad=True)
            x = torch.arange(1, 7, dtype=dtype).reshape(3, 2) / 10
            optimizer = info.optim_cls([*model.parameters(), alone], **{**copy.deepcopy(kwargs), flag: value})
            for step in range(7):
                optimizer.zero_grad()
                layers[2].requires_grad_(step not in (3, 4))
                if step != 2:
                    model(x).sum().backward()
                    alone.grad = torch.full((), 0.5, dtype=dtype)
                optimizer.step()
            states.append(list(optimizer.state_dict()["state"].values()))
            params.append([*model.parameters(), alone])
        for a, b in zip(params[0] + states[0], params[1] + states[1], strict=True):
            torch.testing.assert_close(a, b)
        for state in (one for both in states for one in both if "step" in one):
            assert count is None or state["step"].dtype == count
        seen += 1
    return seen


def foreach_is_the_loop(info: OptimizerInfo) -> int:
    return _like(info, "foreach", torch.float64)


def foreach_is_the_loop_for_mixed_dtypes(info: OptimizerInfo) -> int:
    seen = 0
    dtypes = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
    for kwargs in plain(info):
        if isinstance(kwargs.get("lr"), Tensor):
            continue
        done = []
        for foreach in (False, True):
            make = torch.Generator().manual_seed(0)
            params = [torch.rand(2, 3, generator=make).to(d).requires_grad_() for d in dtypes]
            optimizer = info.optim_cls(params, **{**copy.deepcopy(kwargs), "foreach": foreach})
            for p in params:
                p.grad = torch.rand(2, 3, generator=make).to(p.dtype)
            for _ in range(7):
                optimizer.step()
            done.append([params, list(optimizer.state_dict()["state"].values())])
        for a, b in zip(done[0][0], done[1][0], strict=True):
            few = 5 * DEFAULT_TOLERANCE[a.dtype]  # torch's suite allows as much
            torch.testing.assert_close(a, b, rtol=few, atol=few, msg=str(kwargs))
        for one, other in zip(done[0][1], done[1][1], strict=True):
            assert [(key, x.dtype) for key, x in one.items()] == [(key, x.dtype) for key, x in other.items()]
        seen += 1
    return seen


def the_count_follows_the_default_dtype(info: OptimizerInfo) -> int:
    seen = 0
    for default, count in ((torch.float64, torch.float64), (torch.float16, torch.float32)):
        torch.set_default_dtype(default)
        try:
            seen += _like(info, "foreach", torch.float64, count)
        finally:
            torch.set_default_dtype(torch.float32)
    return seen


def fused_is_the_loop(info: OptimizerInfo) -> int:
    others = (torch.float64, torch.float16, torch.bfloat16)
    return _like(info, "fused", torch.float32) + sum(_like(info, "fused", dtype, most=2) for dtype in others)


def fused_leaves_all_as_it_was_after_an_overflow(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in plain(info):
        for scale in (None, torch.ones(1)):
            params = [torch.ones(1) for _ in range(5)]
            for p in params:
                p.grad = torch.ones(1)
            optimizer = info.optim_cls(params, **{**kwargs, "fused": True})
            optimizer.grad_scale, optimizer.found_inf = scale, torch.ones(())  # type: ignore[attr-defined]
            optimizer.step()
            assert all(p == 1 for p in params)
            assert all(optimizer.state[p].get("step", 0) == 0 for p in params)
            seen += 1
    return seen


def fused_refuses_meta_tensors_until_they_are_real(info: OptimizerInfo) -> int:
    with torch.device("meta"):
        model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Sigmoid(), torch.nn.Linear(3, 1))
        optimizer = info.optim_cls(model.parameters(), fused=True)
        for p in model.parameters():
            p.grad = torch.rand_like(p)
    with pytest.raises(RuntimeError, match="`fused=True` requires all the params to be floating point Tensors"):
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    model.to_empty(device="cpu")
    for p in model.parameters():
        p.grad = torch.rand_like(p)
    optimizer.step()
    return 1


def complex_parameters_are_pairs_of_real_ones(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable", "fused"):
        make = torch.Generator().manual_seed(0)
        dtypes = (torch.complex64, torch.complex64, torch.float32)
        shapes = ((10, 5), (10,), (10, 5))
        mixed = [torch.randn(s, dtype=d, generator=make) for s, d in zip(shapes, dtypes, strict=True)]
        reals = [(torch.view_as_real(p) if p.is_complex() else p).clone() for p in mixed]
        optimizers = [info.optim_cls(ps, **copy.deepcopy(kwargs)) for ps in (mixed, reals)]
        for _ in range(3):
            for p, q in zip(mixed, reals, strict=True):
                p.grad = torch.randn(p.shape, dtype=p.dtype, generator=make)
                q.grad = torch.view_as_real(p.grad) if p.is_complex() else p.grad.clone()
            for one in optimizers:
                one.step()
            assert equal([torch.view_as_real(p) if p.is_complex() else p for p in mixed], reals), kwargs
        seen += 1
    return seen


def real_and_imaginary_parts_step_like_their_complex(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable", "fused"):
        z = torch.randn(2, dtype=torch.complex64, generator=torch.Generator().manual_seed(0)).requires_grad_()
        re, im = (part.detach().clone().requires_grad_() for part in (z.real, z.imag))
        one, two = (info.optim_cls(ps, **copy.deepcopy(kwargs)) for ps in ([z], [re, im]))
        for _ in range(3):
            for optimizer, w in ((one, z), (two, torch.complex(re, im))):
                optimizer.zero_grad()
                ((1 - w[0]) ** 2 + 100 * (w[1] - w[0] ** 2) ** 2).abs().backward()
            assert torch.equal(z.grad, torch.complex(re.grad, im.grad))
            one.step()
            two.step()
            assert torch.equal(z, torch.complex(re, im)), kwargs
        seen += 1
    return seen


def _rosenbrock(info: OptimizerInfo, scheduled: bool) -> int:
    """On Rosenbrock's function, 56.5 at first, sparse gradients of one coordinate, in two parts, go where dense go."""
    fixed, makes = info.metadata_for_sparse
    given = ({**kw, **fixed} for kw in flagged(info, "differentiable", "fused"))
    unlike = {str(sorted(kw.items())): kw for kw in given}
    for kwargs in unlike.values():
        params = [torch.tensor([1.5, 1.5], dtype=torch.float64, requires_grad=True) for _ in range(2)]
        optimizers = [info.optim_cls([p], **copy.deepcopy(kwargs)) for p in params]
        schedulers = [make(o) for o in optimizers for make in (makes if scheduled else [])]
        for step in range(200):
            x, y = params[0].detach()
            part = (-400 * x * (y - x * x) - 2 * (1 - x), 200 * (y - x * x))[step % 2]
            values, at = torch.stack([part / 4, part - part / 4]), torch.tensor([[step % 2] * 2])
            params[0].grad = torch.sparse_coo_tensor(at, values, (2,), check_invariants=True)
            params[1].grad = params[0].grad.to_dense()
            for optimizer in optimizers:
                optimizer.step()
            for scheduler in schedulers:
                scheduler.step(*([1.0 / (step + 1)] if isinstance(scheduler, ReduceLROnPlateau) else []))
            torch.testing.assert_close(params[0], params[1], rtol=1e-14, atol=0)
        x, y = params[0].tolist()
        assert went_right(kwargs, 56.5, (1 - x) ** 2 + 100 * (y - x * x) ** 2)
    return len(unlike)


def sparse_gradients_are_dense_ones(info: OptimizerInfo) -> int:
    return _rosenbrock(info, scheduled=False)


def sparse_gradients_are_dense_ones_with_schedulers(info: OptimizerInfo) -> int:
    return _rosenbrock(info, scheduled=True)


# --- nothing to do


def without_gradients_nothing_moves(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info):
        params = [torch.randn(2, 3) for _ in range(2)]
        before = copy.deepcopy(params)
        assert info.optim_cls(params, **kwargs).step(lambda: torch.tensor(1.0)) == 1
        assert equal(params, before)
        seen += 1
    return seen


def gradients_of_zero_move_nothing(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info):
        if kwargs.get("weight_decay"):
            continue
        p = torch.randn(5, 1, generator=torch.Generator().manual_seed(0))
        extra = {"weight_decay": 0.0} if info.optim_cls([p]).defaults.get("weight_decay") else {}
        extra |= {"lambd": 0.0} if info.name == "ASGD" else {}  # torch skips it here: it always decays
        extra |= {"initial_accumulator": 0.0} if info.name == "Yogi" else {}  # its momentum starts there
        before = p.clone()
        p.grad = torch.zeros(5, 1)
        info.optim_cls([p], **{**kwargs, **extra}).step()
        assert torch.equal(p, before), kwargs
        seen += 1
    return seen


def every_state_has_something_in_it(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in plain(info):
        fit = Fit()
        optimizer = info.optim_cls(fit.params, **kwargs)
        fit.train(optimizer, 1)
        assert all(optimizer.state.values())
        seen += 1
    return seen


# --- checkpoints


def _named(params: list[Parameter], wanted: bool) -> list[Any]:
    return [(f"name{number}", p) for number, p in enumerate(params)] if wanted else params


def _unnamed(state: dict[str, Any]) -> dict[str, Any]:
    groups = [{key: value for key, value in group.items() if key != "param_names"} for group in state["param_groups"]]
    return {**state, "param_groups": groups}


def a_state_dict_is_deterministic(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable"):
        for first_named, second_named in ((False, False), (False, True), (True, False), (True, True)):
            one, other = Fit(), Fit()
            a = info.optim_cls(_named(one.params, first_named), **copy.deepcopy(kwargs))
            one.train(a, 5)
            for p, q in zip(one.params, other.params, strict=True):
                q.data.copy_(p.data)
            b = info.optim_cls(_named(other.params, second_named), **copy.deepcopy(kwargs))
            given = copy.deepcopy(a.state_dict())
            b.load_state_dict(given)
            assert equal(given, a.state_dict())
            one.train(a, 5)
            other.train(b, 5)
            assert equal(one.params, other.params), kwargs
            assert equal(_unnamed(a.state_dict()), _unnamed(b.state_dict())), kwargs
            b.param_groups.extend(b.param_groups)
            assert equal(_unnamed(a.state_dict())["param_groups"][-1], _unnamed(b.state_dict())["param_groups"][-1])
            seen += 1
    return seen


def older_state_dicts_load(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable"):
        fit = Fit()
        optimizer = info.optim_cls(fit.params, **kwargs)
        fit.train(optimizer, 3)
        old = copy.deepcopy(optimizer.state_dict())
        for group in old["param_groups"]:
            for flag in info.not_og_supported_flags:
                group.pop(flag, None)
        wanted = set(optimizer.defaults)
        optimizer.load_state_dict(old)
        assert wanted <= set(optimizer.param_groups[0])
        fit.train(optimizer, 1)
        seen += 1
    return seen


def a_named_and_an_unnamed_state_dict_load_into_each_other(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable"):
        for from_named, to_named in ((False, False), (False, True), (True, False), (True, True)):
            fit = Fit()
            first = info.optim_cls(_named(fit.params, from_named), **copy.deepcopy(kwargs))
            fit.train(first, 3)
            second = info.optim_cls(_named(fit.params, to_named), **copy.deepcopy(kwargs))
            second.load_state_dict(copy.deepcopy(first.state_dict()))
            names = second.state_dict()["param_groups"][0].get("param_names")
            assert names == (["name0", "name1"] if from_named or to_named else None)
            assert equal(_unnamed(second.state_dict()), _unnamed(first.state_dict()))
            fit.train(second, 1)
            seen += 1
    return seen


def a_saved_state_dict_is_equal_with_weights_only(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable"):
        for names in (False, True):
            fit = Fit()
            optimizer = info.optim_cls(_named(fit.params, names), **copy.deepcopy(kwargs))
            fit.train(optimizer, 3)
            stream = io.BytesIO()
            torch.save(optimizer.state_dict(), stream)
            for weights_only in (False, True):
                stream.seek(0)
                assert equal(torch.load(stream, weights_only=weights_only), optimizer.state_dict())
            seen += 1
    return seen


def a_count_that_is_a_number_loads(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable"):
        one, other = Fit(), Fit()
        optimizer, plain_one = (info.optim_cls(f.params, **copy.deepcopy(kwargs)) for f in (one, other))
        one.train(optimizer, 3)
        other.train(plain_one, 3)
        saved = copy.deepcopy(optimizer.state_dict())
        for state in saved["state"].values():
            if "step" in state:
                state["step"] = state["step"].item()
        optimizer.load_state_dict(saved)
        one.train(optimizer, 2)
        other.train(plain_one, 2)
        assert equal(one.params, other.params)
        assert equal(optimizer.state_dict(), plain_one.state_dict())
        seen += 1
    return seen


def a_deepcopy_has_all_public_attributes(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info, "differentiable"):
        fit = Fit()
        optimizer = info.optim_cls(fit.params, **kwargs)
        fit.train(optimizer, 3)
        twin = copy.deepcopy(optimizer)
        assert [key for key in vars(twin) if key[0] != "_"] == [key for key in vars(optimizer) if key[0] != "_"]
        assert equal(twin.state_dict(), optimizer.state_dict())
        seen += 1
    return seen


# --- hooks


def state_dict_hooks_run_before_and_after(info: OptimizerInfo) -> int:
    def mark(optimizer: Optimizer) -> None:
        optimizer.state["test"] = 1

    def tell(_: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        return {**state, "marked": state["state"].pop("test", 0) == 1}

    seen = 0
    for kwargs in flagged(info):
        before, after, both = (info.optim_cls([torch.rand(2, 3)], **copy.deepcopy(kwargs)) for _ in range(3))
        for one in (before, both):
            one.register_state_dict_pre_hook(mark)
        for one in (after, both):
            one.register_state_dict_post_hook(tell)
        assert before.state_dict()["state"]["test"] == 1
        assert after.state_dict()["marked"] is False
        state = both.state_dict()
        assert state["marked"]
        assert "test" not in state["state"]
        seen += 1
    return seen


def load_hooks_run_before_and_after_in_their_order(info: OptimizerInfo) -> int:
    def in_place(_: Optimizer, state: dict[str, Any]) -> None:
        state["param_groups"][0]["lr"] = 0.0021

    def replaced(_: Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        mine = copy.deepcopy(state)
        mine["param_groups"][0]["lr"] = 0.0031
        return mine

    def loaded(optimizer: Optimizer) -> None:
        optimizer.state["lr was"] = optimizer.param_groups[0]["lr"]

    seen = 0
    for kwargs in flagged(info):
        one, other = (info.optim_cls([torch.rand(2, 3)], **copy.deepcopy(kwargs)) for _ in range(2))
        state = one.state_dict()
        one.register_load_state_dict_pre_hook(in_place)
        one.load_state_dict(state)
        assert one.param_groups[0]["lr"] == 0.0021
        one.register_load_state_dict_pre_hook(replaced, prepend=True)
        one.load_state_dict(state)
        assert one.param_groups[0]["lr"] == 0.0021
        other.register_load_state_dict_post_hook(loaded)
        other.load_state_dict(other.state_dict())
        assert other.state["lr was"] == other.param_groups[0]["lr"] != 0.0031
        other.register_load_state_dict_pre_hook(replaced)
        del other.state["lr was"]
        other.load_state_dict(other.state_dict())
        assert other.state["lr was"] == 0.0031
        seen += 1
    return seen


def step_hooks_run_in_their_order_and_can_be_removed(info: OptimizerInfo) -> int:
    seen = 0
    for kwargs in flagged(info):
        optimizer, calls = info.optim_cls([torch.ones(2)], **kwargs), []
        handles = [
            register_optimizer_step_pre_hook(lambda *_, calls=calls: calls.append("every before")),
            register_optimizer_step_post_hook(lambda *_, calls=calls: calls.append("every after")),
            optimizer.register_step_pre_hook(lambda *_, calls=calls: calls.append("before")),
            optimizer.register_step_post_hook(lambda *_, calls=calls: calls.append("after")),
        ]
        try:
            for _ in range(2):
                optimizer.step()
        finally:
            for handle in handles:
                handle.remove()
        optimizer.step()
        assert calls == 2 * ["every before", "before", "after", "every after"]
        seen += 1
    return seen


# --- gradients through a step


def hyperparameters_can_be_learned(info: OptimizerInfo) -> int:
    """The gradient of what two steps end at, with respect to a hyperparameter, is that of finite differences."""
    names = [h.name for h in info.optim_cls.rule.hypers if h.name in ("lr", "weight_decay")]  # type: ignore[attr-defined]
    make = torch.Generator().manual_seed(0)
    start, *grads = torch.randn(3, 3, dtype=torch.float64, generator=make)

    def end(*values: Tensor) -> Tensor:
        p = start.clone()
        given = {name: value.clone() for name, value in zip(names, values, strict=True)}
        optimizer = info.optim_cls([p], **given, differentiable=True)
        for g in grads:
            p.grad = g
            optimizer.step()
        return p

    values = [torch.tensor(0.1, dtype=torch.float64, requires_grad=True) for _ in names]
    assert torch.autograd.gradcheck(end, values)
    return len(names)


ALWAYS: tuple[Promise, ...] = (
    errors_are_torchs,
    it_can_be_printed,
    the_loss_goes_the_right_way,
    the_loss_goes_the_right_way_with_schedulers,
    strided_parameters_go_the_right_way,
    strided_parameters_go_the_right_way_with_schedulers,
    two_groups_go_the_right_way_with_schedulers,
    a_group_has_its_own_weight_decay,
    a_group_has_its_own_learning_rate,
    a_tensor_rate_is_as_good_as_a_number,
    foreach_is_the_loop,
    foreach_is_the_loop_for_mixed_dtypes,
    the_count_follows_the_default_dtype,
    without_gradients_nothing_moves,
    gradients_of_zero_move_nothing,
    every_state_has_something_in_it,
    a_state_dict_is_deterministic,
    older_state_dicts_load,
    a_named_and_an_unnamed_state_dict_load_into_each_other,
    a_saved_state_dict_is_equal_with_weights_only,
    a_count_that_is_a_number_loads,
    a_deepcopy_has_all_public_attributes,
    state_dict_hooks_run_before_and_after,
    load_hooks_run_before_and_after_in_their_order,
    step_hooks_run_in_their_order_and_can_be_removed,
)
IF_COMPLEX = (complex_parameters_are_pairs_of_real_ones,)
IF_COMPLEX_APART = (real_and_imaginary_parts_step_like_their_complex,)
IF_SPARSE = (sparse_gradients_are_dense_ones, sparse_gradients_are_dense_ones_with_schedulers)
IF_DIFFERENTIABLE = (hyperparameters_can_be_learned,)
IF_FUSED = (
    fused_is_the_loop,
    fused_leaves_all_as_it_was_after_an_overflow,
    fused_refuses_meta_tensors_until_they_are_real,
)


def promises(info: OptimizerInfo) -> tuple[Promise, ...]:
    """What the info says about its class. The promises of a fused step wait for one on this machine."""
    return (
        *ALWAYS,
        *(IF_COMPLEX if info.supports_complex else ()),
        # where states are codes, real and imaginary parts share the largest value of their block
        *(IF_COMPLEX_APART if info.supports_complex and info.optim_cls not in CODED else ()),
        *(IF_SPARSE if info.supports_sparse else ()),
        *(IF_DIFFERENTIABLE if "differentiable" in info.supported_impls else ()),
        *(IF_FUSED if "cpu" in info.supports_fused_on and fuses(info.optim_cls) else ()),
    )


PAIRS = [(promise, info) for info in INFOS for promise in promises(info)]


@pytest.mark.parametrize(("promise", "info"), PAIRS, ids=[f"{info.name}-{promise.__name__}" for promise, info in PAIRS])
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")
def test_a_promise_of_torchs_suite_is_kept(promise: Promise, info: OptimizerInfo) -> None:
    assert promise(info) > 0


@pytest.mark.parametrize("info", INFOS, ids=[info.name for info in INFOS])
def test_flags_are_taken_where_the_info_says_so(info: OptimizerInfo) -> None:
    defaults = info.optim_cls(Fit().params).defaults
    assert ("capturable" in defaults) == info.has_capturable_arg
    for flag in info.supported_impls:
        assert flag in defaults
    for flag in info.not_og_supported_flags:
        assert flag in defaults or flag == "capturable"
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        info.optim_cls(Fit().params, no_such_flag=1)


def table() -> str:
    """For each class: promises kept, promises made, configurations that they were tried on."""
    lines = [f"{'class':10} {'kept':>5} {'made':>5} {'configurations':>15}"]
    for info in INFOS:
        kept = tried = 0
        made = promises(info)
        for promise in made:
            try:
                tried += promise(info)
                kept += 1
            except (AssertionError, ArithmeticError, LookupError, TypeError, ValueError, RuntimeError) as error:
                lines.append(f"  {promise.__name__}: {type(error).__name__} {str(error)[:100]}")
        lines.append(f"{info.name:10} {kept:5} {len(made):5} {tried:15}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
