"""Transformations compose with every kind of rule, agree with the oracle, and compute what torch and papers compute."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial, reduce
from itertools import product
from typing import Any

import pytest
import pytorch_optimizer
import torch
from agreement import TURNS, agree
from small_rules import g, lr, named, rule, theta
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from workshop import Workshop

import optgen
from optgen import optim
from optgen.dsl import (
    Eq,
    Rule,
    average_weights,
    cautious,
    centralize_gradient,
    clip_global_norm,
    decay_weights,
    literal,
    load,
    lookahead,
    t,
)
from optgen.dsl.load import built_in_names
from optgen.errors import RuleError

STEPS = 50
CLOSE = 1e-12
Transformation = Callable[[Rule], Rule]
TRANSFORMATIONS: dict[str, Transformation] = {
    "clip": partial(clip_global_norm, max_norm=0.5),
    "cautious": cautious,
    "decay": partial(decay_weights, weight_decay=0.1, prefix="more_"),
    "average": partial(average_weights, decay=0.9),
    "lookahead": partial(lookahead, k=2, prefix="outer_"),
}
ORDERS = [("clip", "decay"), ("lookahead", "cautious", "clip"), ("average", "lookahead"), ("decay", "cautious")]
ELEMENTWISE = ("adan", "sgd")
REDUCING = ("scaled_over_the_model", "trusting", "factored")  # over the model, by norms, by rows and columns
PAIRS = list(product((*ELEMENTWISE, *REDUCING), [*((name,) for name in TRANSFORMATIONS), *ORDERS]))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("transforms"))


def composed(rule: Rule, *names: str) -> Rule:
    """The rule under several transformations, the last of which is nearest to it."""
    return reduce(lambda made, name: TRANSFORMATIONS[name](made), reversed(names), rule)


def rule_of(name: str) -> Rule:
    made = load(name) if name in built_in_names() else named(name)
    assert isinstance(made, Rule)
    return made


@pytest.mark.parametrize(("rule", "names"), PAIRS, ids=["-".join((rule, *names)) for rule, names in PAIRS])
def test_a_transformed_rule_agrees_with_the_oracle(rule: str, names: tuple[str, ...], workshop: Workshop) -> None:
    made, seen = composed(rule_of(rule), *names), Counter[str]()
    agree(made, PAIRS.index((rule, names)) % TURNS, False, workshop, seen)
    assert seen["decided"] > 0.5 * seen["elements"] > 0, seen


# What each computes, against what others wrote.


def model(seed: int = 0) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=random, dtype=torch.float64).requires_grad_() for shape in [(5, 3), (7,)]]


def gradients(params: list[Tensor], step: int) -> None:
    random = torch.Generator().manual_seed(step)
    for param in params:
        param.grad = torch.randn(param.shape, generator=random, dtype=torch.float64)


def trained(rule: Rule, settings: dict[str, Any]) -> tuple[list[Tensor], Any]:
    params = model()
    optimizer = optgen.optimizer(rule)(params, **settings)
    for step in range(STEPS):
        gradients(params, step)
        optimizer.step()
    return params, optimizer


def assert_close(mine: list[Tensor], theirs: list[Tensor]) -> None:
    for a, b in zip(mine, theirs, strict=True):
        assert (a - b).abs().max() <= CLOSE * b.abs().max()


@pytest.mark.parametrize("max_norm", [0.5, 100.0])
def test_clipping_is_that_of_torch(max_norm: float) -> None:
    theirs = model()
    optimizer = torch.optim.AdamW(theirs, weight_decay=0.1)
    for step in range(STEPS):
        gradients(theirs, step)
        torch.nn.utils.clip_grad_norm_(theirs, max_norm)
        optimizer.step()
    mine, _ = trained(clip_global_norm(rule_of("adamw")), {"weight_decay": 0.1, "max_norm": max_norm})
    assert_close(mine, theirs)


@pytest.mark.parametrize("name", ["adan", "past"])
def test_past_gradients_are_those_that_were_clipped(name: str) -> None:
    """They start as the gradient of the first step in Adan, and at 0 in the other rule."""
    with literal():
        past = rule("Past", Eq(theta[t], theta[t - 1] - lr * (g[t] + 0.5 * g[t - 1])))
    made = past if name == "past" else rule_of(name)
    theirs = model()
    optimizer = optgen.optimizer(made)(theirs, lr=0.1)
    for step in range(STEPS):
        gradients(theirs, step)
        torch.nn.utils.clip_grad_norm_(theirs, 0.5)
        optimizer.step()
    mine, _ = trained(clip_global_norm(made), {"lr": 0.1, "max_norm": 0.5})
    assert_close(mine, theirs)


@pytest.mark.parametrize(("k", "alpha"), [(5, 0.5), (3, 0.8), (1, 0.5)])
def test_lookahead_is_that_of_pytorch_optimizer(k: int, alpha: float) -> None:
    theirs = model()
    optimizer = pytorch_optimizer.Lookahead(torch.optim.AdamW(theirs, lr=0.01), k=k, alpha=alpha)
    for step in range(STEPS):
        gradients(theirs, step)
        optimizer.step()
    mine, _ = trained(lookahead(rule_of("adamw")), {"lr": 0.01, "k": k, "alpha": alpha})
    assert_close(mine, theirs)


def test_the_average_is_that_of_torch() -> None:
    theirs = torch.nn.ParameterList(model())
    optimizer = torch.optim.SGD(theirs, lr=0.01, momentum=0.9)
    averaged = AveragedModel(theirs, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for step in range(STEPS):
        gradients([*theirs], step)
        optimizer.step()
        averaged.update_parameters(theirs)
    mine, ours = trained(average_weights(rule_of("sgd")), {"lr": 0.01, "momentum": 0.9, "ema_decay": 0.9})
    assert_close(mine, [*theirs])
    assert_close([ours.state[param]["ema"] for param in mine], [*averaged.module])


def test_the_mask_is_that_of_timm() -> None:
    """AdamW as in timm.optim with caution=True: the decay stands alone, and the first moment is masked and rescaled."""
    theirs, lr, decay = [p.detach() for p in model()], 0.01, 0.1
    m, v = [torch.zeros_like(p) for p in theirs], [torch.zeros_like(p) for p in theirs]
    for step in range(STEPS):
        gradients(theirs, step)
        for i, p in enumerate(theirs):
            g, t = p.grad, step + 1
            p.mul_(1 - lr * decay)
            m[i].lerp_(g, 0.1)
            v[i].mul_(0.999).addcmul_(g, g, value=0.001)
            mask = (m[i] * g > 0).to(g.dtype)
            mask.div_(mask.mean().clamp(min=1e-3))
            p.sub_(lr / (1 - 0.9**t) * m[i] * mask / ((v[i] / (1 - 0.999**t)).sqrt() + 1e-8))
    settings = {"lr": lr, "weight_decay": decay, "decoupled_weight_decay": True}
    mine, _ = trained(cautious(rule_of("adam")), settings)
    assert_close(mine, theirs)


def test_gradients_are_centralized_as_in_pytorch_optimizer() -> None:
    """Of matrices, over all but the first axis; a vector is left alone."""
    theirs = model()
    optimizer = torch.optim.AdamW(theirs, weight_decay=0.1)
    for step in range(STEPS):
        gradients(theirs, step)
        for param in theirs:
            pytorch_optimizer.centralize_gradient(param.grad, gc_conv_only=False)
        optimizer.step()
    mine, _ = trained(centralize_gradient(rule_of("adamw")), {"weight_decay": 0.1})
    assert_close(mine, theirs)


@pytest.mark.parametrize("name", ["adan", "sgd", "trusting", "factored"])
def test_a_centralized_rule_agrees_with_the_oracle(name: str, workshop: Workshop) -> None:
    made = lookahead(centralize_gradient(replace(rule_of(name), min_ndim=None)), k=2, prefix="outer_")
    seen = Counter[str]()
    for turn in range(0, TURNS, 3):
        agree(made, turn, False, workshop, seen)
    assert seen["decided"] > 0.5 * seen["elements"] > 0, seen


def test_sgd_with_decayed_weights_is_sgdw() -> None:
    theirs, buffers = [p.detach() for p in model()], [torch.zeros_like(p) for p in model()]
    for step in range(STEPS):
        gradients(theirs, step)
        for p, b in zip(theirs, buffers, strict=True):
            b.mul_(0.9).add_(p.grad)
            p.copy_(p * (1 - 0.05 * 0.1) - 0.05 * b)
    rule = decay_weights(rule_of("sgd"), 0.1, prefix="decoupled_")
    mine, _ = trained(rule, {"lr": 0.05, "momentum": 0.9})
    assert_close(mine, theirs)


def test_both_rules_that_otherwise_joins_are_transformed() -> None:
    """A matrix and a vector, which Adafactor steps by different rules."""
    theirs = model()
    optimizer = torch.optim.Adafactor(theirs, lr=0.05)
    for step in range(STEPS):
        before = [p.detach().clone() for p in theirs]
        gradients(theirs, step)
        optimizer.step()
        for p, old in zip(theirs, before, strict=True):
            p.detach().sub_(0.05 * 0.1 * old)
    mine, _ = trained(decay_weights(rule_of("adafactor"), 0.1, prefix="more_"), {"lr": 0.05})
    assert_close(mine, theirs)


# How they fail, and what they leave as it is.


@pytest.mark.parametrize(("make", "text"), [
    (lambda: decay_weights(rule_of("sgd")), "decay_weights adds the hyperparameter weight_decay, but the rule has a "),
    (lambda: lookahead(lookahead(rule_of("adamw"))), "lookahead adds the hyperparameter k, but the rule has a "),
    (lambda: clip_global_norm(rule_of("adamw"), -1.0), "clip_global_norm is given -1.0 for max_norm, which must be "),
    (lambda: lookahead(rule_of("adamw"), prefix="a b"), "hyperparameter 'a bk' is not a valid name"),
    (lambda: cautious("adamw"), "cautious is given 'adamw', not a Rule"),
])
def test_a_mistake_is_told_where_it_was_made(make: Callable[[], Rule], text: str) -> None:
    with pytest.raises(RuleError) as told:
        make()
    (problem,) = told.value.problems
    assert text in problem.message
    assert problem.loc
    assert problem.loc.file == __file__
    assert problem.hint


def test_a_prefix_lets_one_transformation_be_used_twice() -> None:
    rule = lookahead(lookahead(rule_of("adamw")), k=7, prefix="outer_")
    made = optgen.optimizer(rule)(model())
    assert (made.defaults["k"], made.defaults["outer_k"]) == (5, 7)


def test_equations_keep_their_place_and_new_ones_stand_where_the_function_was_called() -> None:
    old = rule_of("adamw")
    rule = clip_global_norm(old)
    assert rule.equations[0].loc
    assert rule.equations[0].loc.file == __file__
    assert [eq.loc for eq in rule.equations[1:]] == [eq.loc for eq in old.equations]


def test_a_transformed_rule_steps_as_the_plain_one_where_nothing_is_changed() -> None:
    """Clipping at a norm that is never reached, slow weights that always follow, no decay: to the last bit."""
    plain, _ = trained(rule_of("adan"), {})
    for made, settings in [(clip_global_norm(rule_of("adan")), {"max_norm": 1e9}),
                           (lookahead(rule_of("adan"), k=1000), {}), (average_weights(rule_of("adan")), {})]:
        mine, _ = trained(made, settings)
        assert all(torch.equal(a, b) for a, b in zip(mine, plain, strict=True)), made.name


def test_a_transformed_class_resumes_from_its_state_dict() -> None:
    params, optimizer = trained(average_weights(lookahead(rule_of("adamw"))), {"k": 3})
    others = [copy.deepcopy(p) for p in params]
    resumed = type(optimizer)(others, k=3)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for some, one in ((params, optimizer), (others, resumed)):
        gradients(some, 1000)
        one.step()
    assert all(torch.equal(a, b) for a, b in zip(params, others, strict=True))


def test_the_prebuilt_class_is_left_alone() -> None:
    assert type(optgen.optimizer(cautious(rule_of("adamw")))).__name__ != optim.AdamW.__name__
