"""Small rules that each show one thing: a reduction, a product, a recurrence on the host, a guard, a first step."""

from __future__ import annotations

from collections.abc import Callable

from optgen.dsl import (
    Abs,
    And,
    Eq,
    Max,
    Min,
    Ne,
    Or,
    Piecewise,
    Rule,
    amax,
    cols,
    elems,
    first,
    flag,
    hyper,
    literal,
    load,
    matmul,
    mean,
    model,
    norm,
    rms,
    rows,
    sign,
    sqrt,
    t,
    tensors,
    total,
    transpose,
)
from optgen.dsl.rule import Schedule

theta, g, m, v, s, r, c, u, d, x = tensors("theta g m v s r c u d x")
lr = hyper("lr", 1e-3, at_least=0)
beta1, beta2 = hyper("betas", (0.9, 0.999), at_least=0, below=1)
eps = hyper("eps", 1e-8, at_least=0)
decay = hyper("weight_decay", 0, at_least=0)
switch = flag("sharp", False)


def rule(name: str, *equations: Eq, **more: object) -> Rule:
    """A rule of these equations for theta and g."""
    return Rule(param=theta, grad=g, name=name, equations=equations, **more)  # type: ignore[arg-type]


def down(step: object) -> Eq:
    """theta moves down by lr times the step."""
    return Eq(theta[t], theta[t - 1] - lr * step)


def normalised() -> Rule:
    return rule("Normalised", down(g[t] / (norm(g[t], elems) + eps)))


def trusting() -> Rule:
    """LARS: a ratio of two norms scales the step."""
    return rule("Trusting", Eq(u[t], g[t] + decay * theta[t - 1]),
                down(norm(theta[t - 1], elems) / (norm(u[t], elems) + eps) * u[t]))


def factored() -> Rule:
    """Adafactor's second moment: a row and a column statistic make a matrix."""
    square = g[t] ** 2 + eps
    return rule("Factored",
                Eq(r[t], beta2 * r[t - 1] + (1 - beta2) * mean(square, cols)),
                Eq(c[t], beta2 * c[t - 1] + (1 - beta2) * mean(square, rows)),
                Eq(v[t], r[t] * c[t] / mean(r[t], rows)),
                Eq(u[t], g[t] / sqrt(v[t])),
                down(u[t] / Max(1, rms(u[t], elems))),
                state_keys={r: "exp_avg_sq_row", c: "exp_avg_sq_col"})


def clipped() -> Rule:
    """The norm over all tensors stepped together limits the gradient."""
    return rule("Clipped", Eq(s[t], norm(g[t], model)), Eq(u[t], g[t] / Max(1, s[t])),
                Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * u[t]), down(m[t]))


def newton_schulz() -> Rule:
    """Muon's orthogonalisation, two steps of it."""
    steps = []
    for k in range(2):
        a = matmul(x[k], transpose(x[k]))
        steps.append(Eq(x[k + 1], 3.4445 * x[k] + matmul(-4.775 * a + 2.0315 * matmul(a, a), x[k])))
    return rule("NewtonSchulz", Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
                Eq(x[0], m[t] / (norm(m[t], elems) + eps)), *steps, down(x[2]), min_ndim=2)


def running_product() -> Rule:
    """NAdam's product of momenta: a recurrence of scalars."""
    mu = beta1 * (1 - 0.5 * 0.96 ** (t * 0.004))
    return rule("RunningProduct", Eq(s[t], s[t - 1] * mu), Eq(m[t], mu * m[t - 1] + (1 - mu) * g[t]),
                down(m[t] / (1 - s[t])), init={s: 1}, state_keys={s: "mu_product"})


def guarded() -> Rule:
    """RAdam's root, of a negative number in the first five steps."""
    most = 2 / (1 - beta2) - 1
    rho = most - 2 * t * beta2**t / (1 - beta2**t)
    scale = sqrt((rho - 4) * (rho - 2) * most / ((most - 4) * (most - 2) * rho))
    return rule("Guarded",
                Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * g[t]),
                Eq(v[t], beta2 * v[t - 1] + (1 - beta2) * g[t] ** 2),
                Eq(u[t], m[t] / (1 - beta1**t)),
                down(Piecewise((u[t] * scale * (sqrt(1 - beta2**t) / (sqrt(v[t]) + eps)), rho > 5), (u[t], True))))


def starting() -> Rule:
    return rule("Starting", Eq(m[t], Piecewise((g[t], first), (beta1 * m[t - 1] + g[t], True))), down(m[t]))


def remembering() -> Rule:
    """The gradient of the step before is a state."""
    return rule("Remembering", Eq(u[t], g[t] + beta1 * (g[t] - g[t - 1])), down(u[t]), state_keys={g: "previous_grad"})


def growing() -> Rule:
    """Prodigy's estimate of the distance, one number for the whole model that the next step reads."""
    return rule("Growing",
                Eq(r[t], beta2 * r[t - 1] + total(d[t - 1] * g[t] * (x[t - 1] - theta[t - 1]), model)),
                Eq(s[t], beta2 * s[t - 1] + d[t - 1] * g[t]),
                Eq(d[t], Max(d[t - 1], r[t] / (total(Abs(s[t]), model) + eps))),
                Eq(x[t], x[t - 1]),
                Eq(m[t], beta1 * m[t - 1] + (1 - beta1) * d[t] * g[t]),
                down(m[t] * d[t]), init={d: 1e-6, x: theta})


def past_of_a_statistic() -> Rule:
    """Values over the model and over a tensor that are state themselves; reductions of a past."""
    return rule("PastOfAStatistic", Eq(s[t], total(g[t] * theta[t - 1], model)), Eq(r[t], total(m[t - 1] ** 2, elems)),
                Eq(m[t], m[t - 1] + g[t]), Eq(c[t], amax(Abs(g[t]), rows)),
                down(g[t] * Min(1, Abs(s[t - 1])) / (1 + r[t] + r[t - 1] + c[t - 1])))


def square_state() -> Rule:
    """Shampoo's statistics: states as long as rows by rows and cols by cols."""
    return rule("SquareState", Eq(s[t], s[t - 1] + matmul(g[t], transpose(g[t]))),
                Eq(c[t], c[t - 1] + matmul(transpose(g[t]), g[t])), down(matmul(matmul(s[t], g[t]), c[t])), min_ndim=2)


def scaled_over_the_model() -> Rule:
    """Two rounds of communication: the second needs the first's result and what it stored."""
    return rule("ScaledOverTheModel", Eq(m[t], beta1 * m[t - 1] + g[t] / (1 + norm(g[t], model))),
                Eq(r[t], mean(m[t] ** 2, cols)), Eq(s[t], amax(Abs(m[t]), model)),
                down(m[t] * sqrt(r[t]) / (s[t] + eps)))


def variants() -> Rule:
    """Static conditions under And, Or and Not, and one that depends on t beside them."""
    either = Or(switch, Ne(decay, 0))
    both = And(~switch, lr > 0.5)
    return rule("Variants", Eq(u[t], Piecewise((g[t] + decay * theta[t - 1], either), (g[t], True))),
                Eq(m[t], beta1 * m[t - 1] + u[t]),
                Eq(d[t], Piecewise((m[t], both), (sign(m[t]), t <= 3), (u[t], True))), down(d[t]))


def switched_off() -> Rule:
    """A number that one variant reduces and the other knows beforehand."""
    return rule("SwitchedOff", Eq(r[t], Piecewise((norm(g[t], elems), switch), (1, True))), down(lr * r[t] * g[t]))


def branching() -> Rule:
    """Branches on elements, on t and on both."""
    return rule("Branching", Eq(u[t], Piecewise((g[t], g[t] > 0), (lr, t <= 2), (g[t] / t, True))),
                down(Piecewise((u[t], And(t > 1, u[t] < theta[t - 1])), (0.5, True)) * (2 * beta1) * u[t]))


SMALL: dict[str, Callable[[], Rule]] = {
    made.__name__: made
    for made in (normalised, trusting, factored, clipped, newton_schulz, running_product, guarded, starting,
                 remembering, growing, past_of_a_statistic, square_state, scaled_over_the_model, variants, switched_off,
                 branching)
}
BUILT_IN = ("adagrad", "adam", "adamw", "lion", "rmsprop", "sgd")
NAMES = (*BUILT_IN, *SMALL)


def named(name: str) -> Rule:
    """The built-in or the small rule of this name."""
    if name in BUILT_IN:
        found = load(name)
        assert not isinstance(found, Schedule)
        return found
    with literal():
        return SMALL[name]()
