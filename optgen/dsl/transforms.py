"""Transformations: functions from a rule to a rule, which compose with each other and with any rule.

What a transformation adds has names of its own; `prefix` is put before each, so that one may be used twice. Equations
keep their place in the source; what is added stands where the transformation was called.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sympy import Add, Float, Indexed

from optgen.dsl.change import Change, equation
from optgen.dsl.functions import Max, Min, Piecewise, floor, mean, norm, sign
from optgen.dsl.load import literal
from optgen.dsl.names import caller
from optgen.dsl.rule import Eq, Rule
from optgen.dsl.symbols import Bounds, Hyper, cols, elems, model, t
from optgen.errors import RuleError

POSITIVE = Bounds(above=0)
FRACTION = Bounds(at_least=0, at_most=1)


def clip_global_norm(rule: Rule, max_norm: float = 1.0, prefix: str = "") -> Rule:
    """The rule on gradients of which all together have at most the norm `max_norm`, as torch's clip_grad_norm_ does.

    The norm is taken over the parameters that the rule steps at once, all groups together.
    """
    change = Change(rule, "clip_global_norm", "Clipped", prefix, caller())
    if rule.otherwise is not None:
        raise RuleError("clip_global_norm is given a rule with `otherwise`, whose parameters have two norms",
                        change.loc, "clip each of the two rules before they are joined")
    with literal():
        limit = change.hyper("max_norm", max_norm, POSITIVE)
        clipped = change.quantity(f"{rule.grad.label}_clipped")
        g = rule.grad[t]
        change.gradient(clipped, g * Min(limit / (norm(g, model) + Float(1e-6)), 1))
        return change.made()


def centralize_gradient(rule: Rule, prefix: str = "") -> Rule:
    """The rule on gradients of matrices whose rows have the mean 0; other parameters follow the rule as it is.

    Yong, Huang, Hua & Zhang, Gradient Centralization, ECCV 2020, https://arxiv.org/abs/2004.01461, for linear layers.
    """
    change = Change(rule, "centralize_gradient", "Centralized", prefix, caller())
    if rule.otherwise is not None or rule.ndim not in (None, 2):
        raise RuleError("centralize_gradient is given a rule that is for some shapes only", change.loc,
                        "centralize the rule for matrices before it is given to another as `otherwise`")
    with literal():
        centred = change.quantity(f"{rule.grad.label}_centred")
        change.gradient(centred, rule.grad[t] - mean(rule.grad[t], cols))
        return replace(change.made(), ndim=2, min_ndim=None, otherwise=None if rule.ndim == 2 else rule)


def decay_weights(rule: Rule, weight_decay: float = 1e-2, prefix: str = "") -> Rule:
    """The rule with decoupled weight decay: each step also subtracts lr * weight_decay * parameter.

    Loshchilov & Hutter, Decoupled Weight Decay Regularization, ICLR 2019, https://arxiv.org/abs/1711.05101.
    """
    change = Change(rule, "decay_weights", "Decayed", prefix, caller())
    with literal():
        decay = change.hyper("weight_decay", weight_decay, Bounds(at_least=0))
        lr = next((s for e in rule.expressions() for s in e.atoms(Hyper) if s.name == "lr"), None)
        if lr is None:
            raise RuleError("decay_weights is given a rule without lr, by which the decay is multiplied", change.loc,
                            'declare lr = hyper("lr", ...) in the rule')
        theta = rule.param
        change.parameter("step", lambda stepped: stepped - lr * decay * theta[t - 1])
        return change.nested(lambda other: decay_weights(other, weight_decay, prefix))


def cautious(rule: Rule, prefix: str = "") -> Rule:
    """The rule without the part of an update that would go up the gradient; what is left is scaled up for it.

    Liang, Chen, Liu & Liu, Cautious Optimizers, 2024, https://arxiv.org/abs/2411.16085, Algorithm 1. The update is what
    the equation of the parameter adds to it: decay that stands in a term of its own is not masked.
    """
    change = Change(rule, "cautious", "Cautious", prefix, caller())
    with literal():
        update, mask = change.quantity(f"{rule.param.label}_move"), change.quantity("mask")

        def masked(stepped: Any) -> Any:
            kept, added = _split(rule, stepped)
            change.add(update, added)
            change.add(mask, Max(-(sign(update[t]) * sign(rule.grad[t])), 0))
            return kept + update[t] * (mask[t] / Max(mean(mask[t], elems), Float(1e-3)))

        change.parameter("", masked)
        return change.nested(lambda other: cautious(other, prefix))


def average_weights(rule: Rule, decay: float = 0.999, prefix: str = "") -> Rule:
    """The rule with an exponential moving average of the parameters, the state `ema`, as torch.optim.swa_utils.

    It starts as the parameter after its first step. The parameters are those of the rule, and change places with the
    average by `eval()` and back by `train()`, unless the rule has these already.
    """
    change = Change(rule, "average_weights", "Averaged", prefix, caller())
    with literal():
        rate = change.hyper("ema_decay", decay, FRACTION)
        ema, theta = change.quantity("ema"), rule.param
        change.add(ema, Piecewise((theta[t], Eq(t, 1)), (rate * ema[t - 1] + (1 - rate) * theta[t], True)))
        made = change.nested(lambda other: average_weights(other, decay, prefix))
        swap = [equation(theta[t], ema[t - 1], change.loc), equation(ema[t], theta[t - 1], change.loc)]
        return made if rule.modes else replace(made, to_train=swap, to_eval=swap)


def lookahead(rule: Rule, k: int = 5, alpha: float = 0.5, prefix: str = "") -> Rule:
    """The rule with slow weights, the state `slow`: every k steps they go a part of the way, and the rule starts there.

    Zhang, Lucas, Hinton & Ba, Lookahead Optimizer: k steps forward, 1 step back, NeurIPS 2019,
    https://arxiv.org/abs/1907.08610, Algorithm 1. The slow weights start as the parameters.
    """
    change = Change(rule, "lookahead", "Lookahead", prefix, caller())
    with literal():
        period = change.hyper("k", k, Bounds(at_least=1))
        rate = change.hyper("alpha", alpha, FRACTION)
        slow, half = change.quantity("slow"), Float(0.5)
        syncs = floor((t + half) / period) > floor((t - half) / period)  # k divides t, however these are rounded

        def synced(fast: Any) -> Any:
            change.add(slow, Piecewise((slow[t - 1] + rate * (fast - slow[t - 1]), syncs), (slow[t - 1], True)))
            change.init[slow] = rule.param
            return Piecewise((slow[t], syncs), (fast, True))

        change.parameter("fast", synced)
        return change.nested(lambda other: lookahead(other, k, alpha, prefix))


def _split(rule: Rule, stepped: Any) -> tuple[Any, Any]:
    """What an update starts from, the parameter or a decayed one, and what it adds: the terms after the first.

    Where it has no such terms, the parameter and the difference to it.
    """
    if isinstance(stepped, Add) and rule.grad not in _roots(rule, stepped.args[0]) >= {rule.param}:
        rest = stepped.args[1:]
        return stepped.args[0], rest[0] if len(rest) == 1 else Add(*rest)
    return rule.param[t - 1], stepped - rule.param[t - 1]


def _roots(rule: Rule, expr: Any) -> set[Any]:
    """What an expression is computed of in this step, states among it."""
    sides = {equation.lhs: equation.rhs for equation in rule.equations}
    found: set[Any] = set()
    waiting = [*expr.atoms(Indexed)]
    while waiting:
        quantity = waiting.pop()
        if quantity in sides:
            waiting += sides[quantity].atoms(Indexed)
        else:
            found.add(quantity.base)
    return found
