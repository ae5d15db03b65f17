"""Bad and unusual input, row by row: what a class or a NumPy module makes of it, exact or refused by name.

A row is a function of a torch class (eager, or fused=True where that runs) or of a NumPy module. It returns what
happens, and fails where a result is silently wrong. `python tests/faults.py` prints the table.
"""

from __future__ import annotations

import copy
import io
import math
import pickle
import sys
import warnings
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from every_class import ALIKE, CLASSES, CODED, fuses, stored_in, wide
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

import optgen
from optgen import optim

EXACT = "exact"
Outcome = str


def leaf(*shape: int, dtype: torch.dtype = torch.float32, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def refused(kind: type[Exception], says: str, action: Callable[[], Any]) -> Outcome:
    """The error of an action, which must be of this kind and say this."""
    try:
        action()
    except kind as error:
        if says in str(error):
            return type(error).__name__
        raise AssertionError(f"{says!r} is not in {str(error)!r}") from error
    raise AssertionError(f"not refused: {says}")


def reduces(cls: Any) -> bool:
    """Whether an element depends on the others of its tensor; a sum depends on the order in which they lie."""
    return not cls.rule.elementwise


class Torch:
    """A class under test, eager or fused."""

    def __init__(self, cls: type[Optimizer], fused: bool) -> None:
        self.cls, self.fused, self.reduces = cls, fused, reduces(cls)
        self.kwargs: dict[str, Any] = {"momentum": 0.9} if cls is optim.SGD else ALIKE.get(cls.__name__, {})

    def make(self, params: list[Any], **kwargs: Any) -> Optimizer:
        return self.cls([{"params": params, "fused": self.fused}], **{**self.kwargs, **kwargs})

    def agree(self, a: Tensor, b: Tensor) -> None:
        """Eager steps are equal to the bit, sums apart; a kernel may contract, and divides in another way."""
        few = 16 * torch.finfo(a.dtype).eps if a.is_floating_point() and (self.fused or self.reduces) else 0
        torch.testing.assert_close(a, b, rtol=few, atol=few, equal_nan=True)

    def ends(self, params: list[Tensor], grads: Callable[[int], list[Tensor | None]], steps: int = 3) -> list[Tensor]:
        """Parameters and states after some steps."""
        optimizer = self.make([p.requires_grad_() for p in params])
        for step in range(steps):
            for p, g in zip(params, grads(step), strict=True):
                p.grad = g
            optimizer.step()
        return [p.detach() for p in params] + [x for state in optimizer.state.values() for x in state.values()]


def _laid(x: Tensor, layout: str) -> Tensor:
    match layout:
        case "transposed":
            return x.transpose(0, 1).contiguous().transpose(0, 1)
        case "sliced":
            return torch.stack([x, -x], -1)[..., 0]
        case "channels_last":
            return x.contiguous(memory_format=torch.channels_last)
        case "reversed axes":
            return x.permute(3, 2, 1, 0).contiguous().permute(3, 2, 1, 0)
        case "offset":
            return torch.cat([x.new_zeros(1), x.flatten()])[1:].view(x.shape)
    return x.clone()


LAYOUTS = ("plain", "transposed", "sliced", "channels_last", "reversed axes", "offset")


def other_strides(one: Torch) -> Outcome:
    x, grads = leaf(4, 3, 2, 5), [leaf(4, 3, 2, 5, seed=seed) for seed in range(1, 4)]
    wanted = one.ends([x.clone()], lambda step: [grads[step]])
    for of_param in LAYOUTS:
        for of_grad in (*LAYOUTS, "negated"):
            def laid(step: int, of_grad: str = of_grad) -> list[Tensor | None]:
                g = grads[step]
                return [torch._neg_view(-g) if of_grad == "negated" else _laid(g, of_grad)]

            for a, b in zip(one.ends([_laid(x, of_param)], laid), wanted, strict=True):
                one.agree(a, b)
    return EXACT


def expanded_gradient(one: Torch) -> Outcome:
    grads = [leaf(1, 3, seed=seed).expand(4, 3) for seed in range(1, 4)]
    ends = (one.ends([leaf(4, 3)], lambda step, f=f: [f(grads[step])]) for f in (lambda g: g, Tensor.contiguous))
    for a, b in zip(*ends, strict=True):
        one.agree(a, b)
    return EXACT


def gradient_of_another_shape(one: Torch) -> Outcome:
    p = leaf(3).requires_grad_()
    optimizer = one.make([("layer", p)])
    p.grad = torch.ones(3)
    optimizer.step()
    before = copy.deepcopy(optimizer.state_dict())
    p.data = torch.zeros(2, 2)
    said = refused(ValueError, "parameter 'layer': the ", optimizer.step)
    assert str(before) == str(optimizer.state_dict())
    return said


def gradient_of_another_dtype(one: Torch) -> Outcome:
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        ends = []
        for given in (dtype, torch.float32):
            p = leaf(6).requires_grad_()
            p.grad_dtype = given
            optimizer = one.make([p])
            for seed in range(3):
                p.grad = leaf(6, seed=seed).to(dtype).to(given)
                optimizer.step()
            ends.append(p.detach())
        one.agree(*ends) if dtype is not torch.float64 else torch.testing.assert_close(*ends)
    return EXACT


def state_of_another_kind(one: Torch) -> Outcome:
    said = ""
    for spoil in (
        lambda x: torch.zeros(4),
        lambda x: x.to(torch.int32),
        lambda x: x.to("meta"),
        lambda x: x.to(torch.complex64),
        lambda x: 0.0,
    ):
        p = leaf(3).requires_grad_()
        optimizer = one.make([("layer", p)])
        p.grad = torch.ones(3)
        optimizer.step()
        state = optimizer.state[p]
        key = next(key for key, value in state.items() if value.ndim)
        state[key], before = spoil(state[key]), p.detach().clone()
        said = refused(ValueError, f"parameter 'layer': the state {key!r} is ", optimizer.step)
        assert torch.equal(p, before)
        assert "step" not in state or state["step"] == 1
    return said


def expanded_parameter(one: Torch) -> Outcome:
    shared = [torch.zeros(3, 1).expand(3, 4), torch.zeros(6).as_strided((3, 3), (1, 1))]
    said = {refused(ValueError, "elements share memory", lambda x=x: one.make([x.requires_grad_()])) for x in shared}
    return said.pop()


def not_finite_gradient(one: Torch) -> Outcome:
    """Elements beside it are right, if none depends on another; it poisons those that it poisons in torch, if any."""
    g = torch.tensor([math.nan, math.inf, -math.inf, 1.0])
    mine = one.ends([leaf(4)], lambda _: [g], steps=2)
    if one.cls in CODED:  # a block shares its largest value, so that a NaN spreads over all of it
        assert not all(torch.isfinite(x).all() for x in mine)
    elif one.reduces:
        assert not torch.isfinite(mine[0][:3]).any()
    else:
        clean = one.ends([leaf(4)[3:].clone()], lambda _: [g[3:].clone()], steps=2)
        one.agree(mine[0][3:], clean[0])
    theirs = getattr(torch.optim, one.cls.__name__, None)
    if theirs is not None and one.cls.rule.otherwise is None:  # torch's Muon takes no vector
        p = leaf(4).requires_grad_()
        optimizer = theirs([p], **one.kwargs)
        for _ in range(2):
            p.grad = g.clone()
            optimizer.step()
        poisoned = ~torch.isfinite(p.detach())  # torch's lerp takes Inf from Inf, where ours adds them
        assert torch.equal(~torch.isfinite(mine[0]), poisoned)
        torch.testing.assert_close(mine[0][~poisoned], p.detach()[~poisoned])
    return EXACT


def overflow_under_amp(one: Torch) -> Outcome:
    optimizer = one.make([leaf(3).requires_grad_()])
    (p,) = optimizer.param_groups[0]["params"]
    p.grad = torch.ones(3)
    optimizer.step()
    before = copy.deepcopy((p.detach(), optimizer.state_dict()["state"]))
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    scaler.scale(torch.ones(()))
    p.grad = torch.tensor([1.0, math.inf, 1.0])
    scaler.step(optimizer)
    scaler.update()
    assert scaler.get_scale() == 2.0
    assert torch.equal(p, before[0])
    assert str(optimizer.state_dict()["state"]) == str(before[1])
    return EXACT


def half_with_tiny_gradients(one: Torch) -> Outcome:
    for dtype in (torch.float16, torch.bfloat16):
        ends = []
        for kind in (dtype, torch.float32):
            p = leaf(5, dtype=dtype).to(kind).requires_grad_()
            optimizer = one.cls([{"params": [p], "fused": one.fused, **wide(one.cls)}], **one.kwargs)
            p.grad = torch.full((5,), 1e-7).to(dtype).to(kind)
            optimizer.step()
            ends.append(p.detach().to(dtype))
        assert torch.isfinite(ends[0]).all()
        torch.testing.assert_close(*ends, rtol=torch.finfo(dtype).eps, atol=1e-7)
        p = leaf(5, dtype=dtype).requires_grad_()
        optimizer = one.make([p])
        for _ in range(3):
            p.grad = torch.full((5,), 1e-7).to(dtype)
            optimizer.step()
        assert torch.isfinite(p).all()  # torch's loop squares in float16, where 1e-14 is 0
    return EXACT


def no_elements(one: Torch) -> Outcome:
    shapes = [(0,), (3, 0, 2), (), (2,)]
    ends = one.ends([leaf(*s) for s in shapes], lambda step: [leaf(*s, seed=step) for s in shapes])
    alone = one.ends([leaf(*s) for s in shapes[2:]], lambda step: [leaf(*s, seed=step) for s in shapes[2:]])
    for a, b in zip(ends[2:4], alone[:2], strict=True):
        one.agree(a, b)
    return EXACT


def integer_parameter(one: Torch) -> Outcome:
    says = "parameter 0 of group 0: its dtype is torch.int64"
    return refused(ValueError, says, lambda: one.make([torch.zeros(3).long()]))


def duplicate_parameter(one: Torch) -> Outcome:
    p, q = leaf(3).requires_grad_(), leaf(3).requires_grad_()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        twice = one.make([p, p])
    assert any("duplicate parameters" in str(w.message) for w in seen)
    once = one.make([q])
    p.grad = torch.ones(3)
    twice.step()
    for _ in range(2):
        q.grad = torch.ones(3)
        once.step()
    if one.cls.rule.combine:  # type: ignore[attr-defined]  # to the norm of the model it counts twice
        assert torch.isfinite(p).all()
    else:
        one.agree(p.detach(), q.detach())
    return "UserWarning, as torch"


def sparse_gradient(one: Torch) -> Outcome:
    kwargs = {"weight_decay": 0.0} if "weight_decay" in one.make([leaf(1)]).defaults else {}
    dense, p = (leaf(5, 2).requires_grad_() for _ in range(2))
    optimizer, other = one.make([p], **kwargs), one.make([dense], **kwargs)
    g = torch.sparse_coo_tensor(torch.tensor([[0, 3, 0]]), leaf(3, 2), (5, 2), check_invariants=True)
    p.grad, dense.grad = g, g.to_dense()
    if not one.cls.rule.sparse:  # type: ignore[attr-defined]
        before = p.detach().clone()
        said = refused(RuntimeError, "does not support sparse gradients", optimizer.step)
        assert torch.equal(p, before)
        return said
    optimizer.step()
    other.step()
    one.agree(p.detach(), dense.detach())
    return EXACT


def invalid_lr(cls: type[Optimizer], lr: Any) -> str:
    """What is said of a learning rate, for which some classes of torch have their own words."""
    words: str = next(one.refusal for one in cls.rule.hypers if one.name == "lr")  # type: ignore[attr-defined]
    return (words or "Invalid learning rate: {}").format(lr)


def bad_learning_rate(one: Torch) -> Outcome:
    said = ""
    for lr in (math.nan, "0.1", -1.0, None, torch.tensor(math.nan)):
        words = invalid_lr(one.cls, lr)
        refused(ValueError, words, lambda lr=lr: one.make([leaf(2)], lr=lr))
        optimizer = one.make([leaf(2).requires_grad_()], lr=0.1)
        (p,) = optimizer.param_groups[0]["params"]
        refused(ValueError, words, lambda o=optimizer, lr=lr: o.add_param_group({"params": [leaf(2)], "lr": lr}))
        saved = copy.deepcopy(optimizer.state_dict())
        saved["param_groups"][0]["lr"] = lr
        refused(ValueError, words, lambda o=optimizer, saved=saved: o.load_state_dict(saved))
        p.grad = torch.ones(2)
        optimizer.step()  # a fused step may remember what it has looked at
        optimizer.step()
        before = copy.deepcopy(optimizer.state_dict())
        if isinstance(lr, float):
            LambdaLR(optimizer, lambda _, lr=lr: lr * 10)
        else:
            optimizer.param_groups[0]["lr"] = lr
        said = refused(ValueError, invalid_lr(one.cls, ""), optimizer.step)
        optimizer.param_groups[0].update(differentiable=True, fused=None)
        refused(ValueError, invalid_lr(one.cls, ""), optimizer.step)
        assert str(optimizer.state_dict()["state"]) == str(before["state"])
    return said


def checkpoint_that_lacks_a_key(one: Torch) -> Outcome:
    p = leaf(3).requires_grad_()
    optimizer = one.make([("layer", p)])
    p.grad = torch.ones(3)
    optimizer.step()
    saved = copy.deepcopy(optimizer.state_dict())
    key, _ = saved["state"][0].popitem()
    saved["state"][0]["other"] = torch.ones(3)
    says = f"parameter 'layer': missing ['{key}'], extra ['other']"
    return refused(ValueError, says, lambda: optimizer.load_state_dict(saved))


def checkpoint_in_another_order(one: Torch) -> Outcome:
    params = [leaf(3, seed=1).requires_grad_(), leaf(3, seed=2).requires_grad_()]
    first, second = one.make([*zip("ab", params, strict=True)]), one.make([*zip("ba", params[::-1], strict=True)])
    for p, seed in zip(params, (3, 4), strict=True):
        p.grad = leaf(3, seed=seed)
    first.step()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for p in params:
        assert all(torch.equal(second.state[p][key], value) for key, value in first.state[p].items())
    return EXACT


def _trained(one: Torch, dtype: torch.dtype = torch.bfloat16) -> tuple[Tensor, Optimizer]:
    p = leaf(5, dtype=dtype).requires_grad_()
    optimizer = one.cls([{"params": [p], "fused": one.fused, **wide(one.cls)}], **one.kwargs)
    for seed in range(3):
        p.grad = leaf(5, dtype=dtype, seed=seed)
        optimizer.step()
    return p, optimizer


def state_in_its_own_dtype(one: Torch) -> Outcome:
    p, optimizer = _trained(one)
    fresh = one.make([p.detach().clone().requires_grad_()])
    stream = io.BytesIO()
    torch.save(optimizer.state_dict(), stream)
    stream.seek(0)
    fresh.load_state_dict(torch.load(stream, weights_only=True))
    for a, b in zip(next(iter(fresh.state.values())).values(), optimizer.state[p].values(), strict=True):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    return EXACT


def one_state_dict_for_two(one: Torch) -> Outcome:
    p, optimizer = _trained(one)
    saved = optimizer.state_dict()
    before = copy.deepcopy(saved)
    twins = [one.make([p.detach().clone().requires_grad_()]) for _ in range(2)]
    for twin in twins:
        twin.load_state_dict(saved)
    (q,) = twins[0].param_groups[0]["params"]
    q.grad = torch.ones_like(q)
    twins[0].step()
    assert str(saved) == str(before) == str(twins[1].state_dict())
    return EXACT


def deepcopy_and_pickle(one: Torch) -> Outcome:
    p, optimizer = _trained(one)
    others = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    for seed in range(10):
        for other in (optimizer, *others):
            (q,) = other.param_groups[0]["params"]
            q.grad = leaf(5, dtype=q.dtype, seed=seed)
            other.step()
    for other in others:
        (q,) = other.param_groups[0]["params"]
        assert torch.equal(p, q)
        assert p is not q
    return EXACT


def frozen_midway(one: Torch) -> Outcome:
    a, b = leaf(3).requires_grad_(), leaf(3, seed=1).requires_grad_()
    optimizer = one.make([a, b])
    for step in range(4):
        a.grad, b.grad = leaf(3, seed=step), None if step in (1, 2) else leaf(3, seed=step)
        before, held = b.detach().clone(), copy.deepcopy(optimizer.state.get(b, {}))
        optimizer.step()
        if b.grad is None:  # what is common to the model goes on
            held.update({key: optimizer.state[a][key] for key in one.cls.rule.common})
            assert torch.equal(b, before)
            assert str(held) == str(optimizer.state[b])
    counts = [optimizer.state[p].get("step") for p in (a, b)]
    assert counts == ([4, 2] if "step" in optimizer.state[a] else [None, None])
    return EXACT


def subclass_of_tensor(one: Torch) -> Outcome:
    """Its address is not for a kernel to read: an eager step, whatever was asked for."""

    class Tagged(Tensor):
        pass

    p, q = leaf(4).as_subclass(Tagged).requires_grad_(), leaf(4).requires_grad_()
    optimizer, other = one.make([p]), Torch(one.cls, fused=False).make([q])
    for seed in range(3):
        p.grad, q.grad = leaf(4, seed=seed).as_subclass(Tagged), leaf(4, seed=seed)
        optimizer.step()
        other.step()
    assert torch.equal(p.as_subclass(Tensor), q)
    return EXACT


TORCH_ROWS: dict[str, Callable[[Torch], Outcome]] = {
    "parameter and gradient of any strides": other_strides,
    "expanded gradient": expanded_gradient,
    "gradient of another shape": gradient_of_another_shape,
    "gradient of another dtype": gradient_of_another_dtype,
    "state of another shape, dtype or device": state_of_another_kind,
    "expanded or overlapping parameter": expanded_parameter,
    "NaN or Inf gradient": not_finite_gradient,
    "overflow under a GradScaler": overflow_under_amp,
    "half precision, tiny gradients": half_with_tiny_gradients,
    "0-d and zero-element tensors": no_elements,
    "integer parameter": integer_parameter,
    "duplicate parameter": duplicate_parameter,
    "sparse gradient": sparse_gradient,
    "lr is NaN, text, None, negative": bad_learning_rate,
    "checkpoint lacks a key or is another rule's": checkpoint_that_lacks_a_key,
    "named checkpoint in another order": checkpoint_in_another_order,
    "float32 state of bfloat16 parameters": state_in_its_own_dtype,
    "one state dict loaded by two": one_state_dict_for_two,
    "deepcopy or pickle, then step": deepcopy_and_pickle,
    "frozen midway, gradient missing": frozen_midway,
    "subclass of Tensor": subclass_of_tensor,
}


class Arrays:
    """A NumPy module under test."""

    def __init__(self, module: ModuleType, cls: Any) -> None:
        self.module, self.step, self.cls, self.reduces = module, module.step, cls, reduces(cls)
        self.kwargs: dict[str, Any] = {"momentum": 0.9} if cls is optim.SGD else {}

    def ends(self, x: Any, grads: list[Any], **kwargs: Any) -> list[Any]:
        """Parameter and states after some steps."""
        params, state = [x], self.module.init([x], **self.kwargs)
        for t, g in enumerate(grads, 1):
            params, state = self.step(params, [g], state, t, **self.kwargs, **kwargs)
        return [params[0], *state[0].values()]

    def refuses(self, says: str, *args: Any, **kwargs: Any) -> Outcome:
        before = pickle.dumps(args)
        said = refused(ValueError, says, lambda: self.step(*args, **{**self.kwargs, **kwargs}))
        assert pickle.dumps(args) == before
        return said


def array(*shape: int, dtype: Any = np.float32, seed: int = 0) -> Any:
    return leaf(*shape, seed=seed).numpy().astype(dtype)


def same(a: list[Any], b: list[Any], few: float = 0) -> None:
    for x, y in zip(a, b, strict=True):
        np.testing.assert_allclose(x, y, rtol=few, atol=few)


def arrays_of_any_strides(one: Arrays) -> Outcome:
    x, grads = array(4, 3, 2, 5), [array(4, 3, 2, 5, seed=s) for s in range(1, 4)]
    wanted, few = one.ends(x, grads), 16 * np.finfo(np.float32).eps if one.reduces else 0
    for of_param in LAYOUTS:
        for of_grad in LAYOUTS:
            given = [_laid(torch.from_numpy(g), of_grad).numpy() for g in grads]
            same(one.ends(_laid(torch.from_numpy(x), of_param).numpy(), given), wanted, few)
            mine = _laid(torch.from_numpy(x), of_param).numpy()
            one.ends(mine, given, out=True)
            same([mine], wanted[:1], few)
    return EXACT


def broadcast_gradient(one: Arrays) -> Outcome:
    grads = [np.broadcast_to(array(1, 3, seed=s), (4, 3)) for s in range(1, 4)]
    same(one.ends(array(4, 3), grads), one.ends(array(4, 3), [g.copy() for g in grads]))
    return EXACT


def array_gradient_of_another_shape(one: Arrays) -> Outcome:
    one.refuses("there are 2 parameters, 1 gradients", [array(3), array(3)], [array(3)], [{}, {}], 1)
    one.refuses("gradient of parameter 0 is a list", [array(2)], [[1.0, 1.0]], [{}], 1)
    given = [array(3)] * 2, [array(3), array(1)], [{}, {}]
    return one.refuses("parameter 1 has shape (3,), its gradient (1,)", *given, 1)


def array_gradient_of_another_dtype(one: Arrays) -> Outcome:
    g = array(3)
    for dtype in (np.float16, np.float64, np.int32):
        same(one.ends(array(3), [g.astype(dtype)]), one.ends(array(3), [g.astype(dtype).astype(np.float32)]))
    return one.refuses("gradient of parameter 0 is complex64", [array(3)], [g.astype(np.complex64)], [{}], 1) and EXACT


def array_state_of_another_kind(one: Arrays) -> Outcome:
    _, state = one.step([array(3)], [array(3)], [{}], 1, **one.kwargs)
    key = next(key for key, value in state[0].items() if np.ndim(value))
    for wrong in (np.zeros(4, np.float32), np.zeros(3, np.complex64), "text"):
        spoilt = {**state[0], key: wrong}
        said = one.refuses(f"the state {key!r} of parameter 0 is ", [array(3)], [array(3)], [spoilt], 2)
    return said


def overlapping_array(one: Arrays) -> Outcome:
    shared = np.lib.stride_tricks.as_strided(np.zeros(6, np.float32), (3, 3), (4, 4))
    one.refuses("cannot be written", [np.broadcast_to(array(3), (2, 3))], [array(2, 3)], [{}], 1, out=True)
    return one.refuses("elements of parameter 0 share memory", [shared], [array(3, 3)], [{}], 1, out=True)


def array_gradient_not_finite(one: Arrays) -> Outcome:
    g = np.array([math.nan, math.inf, -math.inf, 1.0], np.float32)
    with np.errstate(all="ignore"):
        mine = one.ends(array(4), [g, g])[0]
        if one.cls in CODED:  # as above
            assert not np.isfinite(mine[0])
        elif one.reduces:
            assert not np.isfinite(mine[:3]).any()
        else:
            same([mine[3:]], one.ends(array(4)[3:], [g[3:], g[3:]])[:1])
    return EXACT


def half_arrays(one: Arrays) -> Outcome:
    return one.refuses("parameter 0 is float16", [array(3, dtype=np.float16)], [array(3, dtype=np.float16)], [{}], 1)


def arrays_of_no_elements(one: Arrays) -> Outcome:
    for shape in ((0,), (3, 0, 2)):
        assert one.ends(array(*shape), [array(*shape)])[0].shape == shape
    assert one.ends(array(), [array(seed=1)])[0].shape == ()
    return EXACT


def integer_array(one: Arrays) -> Outcome:
    return one.refuses("parameter 0 is int64", [np.zeros(3, np.int64)], [array(3)], [{}], 1)


def duplicate_array(one: Arrays) -> Outcome:
    """Both start from the same value and end at the same, also in place."""
    x, g = array(3), array(3, seed=1)
    wanted = one.ends(x, [g])[0]
    new, _ = one.step([x, x], [g, g], [{}, {}], 1, **one.kwargs)
    same(new, [wanted, wanted])
    one.step([x, x], [g, g], [{}, {}], 1, **one.kwargs, out=True)
    same([x], [wanted])
    return EXACT


def sparse_array(one: Arrays) -> Outcome:
    return one.refuses("gradient of parameter 0 is ", [array(3)], [torch.zeros(3).to_sparse()], [{}], 1)


def bad_learning_rate_of_arrays(one: Arrays) -> Outcome:
    said = ""
    for lr in (math.nan, "0.1", -1.0, None):
        said = one.refuses(invalid_lr(one.cls, lr), [array(2)], [array(2)], [{}], 1, lr=lr)
    for t in (0, 1.5, "1", [1, 2]) if "counts" in vars(one.module) else ():
        one.refuses("Invalid t: ", [array(2)], [array(2)], [{}], t)
    return said


def foreign_state_of_arrays(one: Arrays) -> Outcome:
    return one.refuses("the state of parameter 0: extra ['other']", [array(3)], [array(3)], [{"other": array(3)}], 1)


def one_state_for_two_arrays(one: Arrays) -> Outcome:
    state = one.module.init([array(3)], **one.kwargs)
    before = pickle.dumps(state)
    one.step([array(3)], [array(3)], state, 1, **one.kwargs)
    assert pickle.dumps(state) == before
    return EXACT


def copied_arrays(one: Arrays) -> Outcome:
    params, state = one.step([array(3)], [array(3)], [{}], 1, **one.kwargs)
    mine, theirs = ((params, s) for s in (state, pickle.loads(pickle.dumps(state))))
    for t in range(2, 12):
        mine = one.step(mine[0], [array(3, seed=t)], mine[1], t, **one.kwargs)
        theirs = one.step(theirs[0], [array(3, seed=t)], theirs[1], t, **one.kwargs)
    same(mine[0], theirs[0])
    return EXACT


def array_without_gradient(one: Arrays) -> Outcome:
    params, state = one.step([array(3)], [array(3)], [{}], 1, **one.kwargs)
    again, kept = one.step(params, [None], state, 2, **one.kwargs)
    same(again, params)
    assert pickle.dumps(kept) == pickle.dumps(state)
    return EXACT


NUMPY_ROWS: dict[str, Callable[[Arrays], Outcome]] = {
    "parameter and gradient of any strides": arrays_of_any_strides,
    "expanded gradient": broadcast_gradient,
    "gradient of another shape": array_gradient_of_another_shape,
    "gradient of another dtype": array_gradient_of_another_dtype,
    "state of another shape, dtype or device": array_state_of_another_kind,
    "expanded or overlapping parameter": overlapping_array,
    "NaN or Inf gradient": array_gradient_not_finite,
    "half precision, tiny gradients": half_arrays,
    "0-d and zero-element tensors": arrays_of_no_elements,
    "integer parameter": integer_array,
    "duplicate parameter": duplicate_array,
    "sparse gradient": sparse_array,
    "lr is NaN, text, None, negative": bad_learning_rate_of_arrays,
    "checkpoint lacks a key or is another rule's": foreign_state_of_arrays,
    "one state dict loaded by two": one_state_for_two_arrays,
    "deepcopy or pickle, then step": copied_arrays,
    "frozen midway, gradient missing": array_without_gradient,
}


# Where a parameter has a format of its own, NumPy takes its bits, which test_parameter_formats.py looks at.
IN_NUMPY = [cls for cls in CLASSES if "param=" not in stored_in(cls)]


def arrays_of(cls: Any) -> Arrays:
    return Arrays(optgen.compile(CODED.get(cls, cls.__name__.lower()), "numpy"), cls)


def outcomes(row: str) -> Iterator[tuple[str, str, Outcome]]:
    """(class, backend, outcome) of one row."""
    for cls in CLASSES:
        for fused in (False, *([True] if fuses(cls) else [])):
            yield cls.__name__, "fused" if fused else "eager", TORCH_ROWS[row](Torch(cls, fused))
        if row in NUMPY_ROWS and cls in IN_NUMPY:
            yield cls.__name__, "numpy", NUMPY_ROWS[row](arrays_of(cls))


def table() -> str:
    """For each row and backend the outcomes, with the number of classes of each."""
    lines = [f"{'input':45} {'backend':8} outcome (classes)"]
    for row in TORCH_ROWS:
        counted: dict[str, dict[Outcome, int]] = {}
        for _, backend, outcome in outcomes(row):
            of = counted.setdefault(backend, {})
            of[outcome] = of.get(outcome, 0) + 1
        for backend, of in counted.items():
            lines.append(f"{row:45} {backend:8} " + ", ".join(f"{outcome} ({n})" for outcome, n in of.items()))
    return "\n".join(lines)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(table(), file=sys.stdout)
