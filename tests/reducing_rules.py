"""Rules with reductions, for the backends that have some: of one tensor, by rows and columns, and over the model."""

from __future__ import annotations

from collections.abc import Callable

from small_rules import c, down, eps, g, m, named, r, rule, s, theta, u

from optgen.dsl import (
    Eq,
    Ne,
    Piecewise,
    Rule,
    amax,
    cols,
    elems,
    first,
    hyper,
    mean,
    model,
    norm,
    numel,
    rows,
    t,
    total,
)

clip = hyper("clip", 0, at_least=0)


def mixed() -> Rule:
    """Every kind of reduction and of statistic, in one variant of two, in four phases."""
    return rule("Mixed", Eq(r[t], 0.5 * r[t - 1] + mean(g[t] ** 2, cols)),
                Eq(c[t], amax(abs(g[t] * theta[t - 1]), rows)),
                Eq(s[t], total(total(r[t], elems), model) + amax(c[t], elems)),
                Eq(m[t], 0.5 * m[t - 1] + g[t] / (1 + r[t] + c[t - 1])),
                Eq(u[t], Piecewise((m[t] / (1 + norm(m[t], model)), Ne(clip, 0)), (m[t] + mean(r[t], rows), True))),
                down(u[t] / (eps + amax(abs(u[t]), elems)) / (1 + s[t - 1] + abs(total(u[t] * c[t], cols)))))


def stepwise() -> Rule:
    """A norm of each tensor, then one of all of them, then another of each: three passes that wait for one another."""
    return rule("Stepwise", Eq(u[t], g[t] / (norm(g[t], elems) + eps)), Eq(s[t], norm(u[t] * theta[t - 1], model)),
                Eq(m[t], 0.5 * m[t - 1] + u[t] * s[t]), down(m[t] / (1 + mean(m[t] ** 2, elems))))


def started() -> Rule:
    """A state that starts as the gradient at the first step, beside a sum and the number of elements."""
    return rule("Started", Eq(m[t], Piecewise((g[t], first), (0.5 * m[t - 1] + g[t] / numel, True))),
                down(m[t] / (1 + norm(m[t], elems))))


def apart() -> Rule:
    """A state that is a scalar of the host in one variant, and of each tensor in the other."""
    return rule("Apart", Eq(s[t], Piecewise((norm(g[t], elems), Ne(clip, 0)), (0.5 * s[t - 1] + 1 / t, True))),
                down(g[t] / (1 + s[t - 1] + amax(abs(theta[t - 1]), elems))))


def widened() -> Rule:
    """A state of each tensor in one variant, and of each element in the other."""
    return rule("Widened", Eq(s[t], 0.5 * s[t - 1] + Piecewise((g[t], Ne(clip, 0)), (norm(g[t], elems), True))),
                down(g[t] / (1 + abs(s[t - 1]))))


def turned() -> Rule:
    """A state of each column in one variant, and of each row in the other."""
    squares = Piecewise((mean(g[t] ** 2, cols), Ne(clip, 0)), (amax(g[t] ** 2, rows), True))
    return rule("Turned", Eq(s[t], 0.5 * s[t - 1] + squares), down(g[t] / (1 + s[t])))


def gathered() -> Rule:
    """Sums and maxima of the model over elements, and over what there is one of per tensor; a state of each kind."""
    return rule("Gathered", Eq(u[t], g[t] / (eps + amax(abs(g[t]), model))),
                Eq(r[t], total(mean(u[t] ** 2, elems), model) + amax(norm(theta[t - 1], elems), model)),
                Eq(s[t], 0.5 * s[t - 1] + amax(u[t] * theta[t - 1], elems) + r[t]),
                Eq(m[t], 0.5 * m[t - 1] + u[t] * s[t]),
                down(m[t] / (1 + abs(s[t - 1]) + Piecewise((mean(abs(m[t]), elems), Ne(clip, 0)), (0.5, True)))))


def sized() -> Rule:
    """What the language itself names: the extents of a matrix, and whether a step is the first."""
    return rule("Sized", Eq(m[t], 0.5 * m[t - 1] + g[t] / rows),
                Eq(r[t], 0.5 * r[t - 1] + mean(g[t] ** 2, cols) / cols),
                down(m[t] * Piecewise((2, first), (1 + 1 / t, True)) / (1 + r[t] * numel)))


RULES: dict[str, Callable[[], Rule]] = {
    **{name: lambda name=name: named(name)  # type: ignore[misc]
       for name in ("normalised", "trusting", "factored", "clipped", "growing", "past_of_a_statistic",
                    "scaled_over_the_model")},
    "mixed": mixed,
    "stepwise": stepwise,
    "started": started,
    "apart": apart,
    "widened": widened,
    "turned": turned,
    "gathered": gathered,
    "sized": sized,
}
