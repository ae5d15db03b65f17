"""Infer: every name has the axes and the place that its values have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from drawn_rules import rules
from hypothesis import given, settings
from meaning import SHAPES, run, shape_of
from small_rules import NAMES, beta1, c, d, down, g, m, named, r, rule, s, theta, u, v, x
from stages import assert_same, pairs, steps

from optgen.dsl import Eq, Max, Rule, cols, elems, literal, matmul, mean, model, rows, t, total, transpose
from optgen.errors import RuleError
from optgen.ir import ELEMENT, TENSOR, Place, Role, Step, reads
from optgen.ir_text import show
from optgen.passes import lower

Golden = Callable[[str, str], None]


@pytest.mark.parametrize("name", NAMES)
def test_inferring_keeps_the_meaning(name: str) -> None:
    assert_same(named(name), "flatten", "infer")


def assert_shapes(made: Rule) -> None:
    """Asserts that every value has the shape that its axes say, and is common where they say so."""
    for step, _, values in pairs(made, "infer", "infer"):
        found = run(step, values)
        for var in step.vars:
            if var.role is Role.LOCAL:
                shapes = [shape_of(var, shape) for shape in SHAPES]
                assert [a.shape for a in found[var.name]] == shapes, f"{var.name} where {step.variant}"
            if TENSOR not in var.axes and var.role is not Role.EXTENT and var.place is Place.DEVICE:
                assert len({str(a.tolist()) for a in found[var.name]}) == 1, f"{var.name} differs between tensors"


@pytest.mark.parametrize("name", NAMES)
def test_values_have_the_shape_that_their_axes_say(name: str) -> None:
    assert_shapes(named(name))


@given(rules())
@settings(max_examples=40)
def test_values_of_a_drawn_rule_have_the_shape_that_their_axes_say(made: Rule) -> None:
    assert_shapes(made)


def touched(step: Step) -> set[str]:
    """The names that the parameter or the gradient reaches, through states as well."""
    found = {v.name for v in step.vars if v.role in (Role.PARAM, Role.GRAD) or v.tensor_init}
    while True:
        more = {s.target for s in step.body if found & set(reads(s))}
        more |= {w.into for w in step.writes if w.value in found}
        if more <= found:
            return found
        found |= more


@given(rules())
@settings(max_examples=40)
def test_a_value_is_on_the_host_unless_the_parameter_or_the_gradient_reaches_it(made: Rule) -> None:
    for step in steps(made, "infer"):
        assert {v.name for v in step.vars if v.place is Place.DEVICE} == touched(step)


def axes(*equations: Eq, **more: Any) -> dict[str, str]:
    """The axes of every local and state, as words."""
    step = steps(rule("Shapes", *equations, **more), "infer")[0]
    return {v.name: "host" if v.place is Place.HOST else " ".join(map(str, v.axes))
            for v in step.of_role(Role.STATE, Role.LOCAL)}


def test_a_reduction_over_the_model_of_one_number_a_tensor_is_one_over_tensors() -> None:
    with literal():
        found = axes(Eq(s[t], total(g[t], elems)), Eq(d[t], total(s[t], model)), down(d[t] * g[t]))
    assert found["d"] == ""


def test_each_reduction_leaves_the_axes_that_it_does_not_reduce() -> None:
    with literal():
        found = axes(Eq(r[t], mean(g[t], cols)), Eq(c[t], total(g[t], rows)), Eq(s[t], total(g[t], elems)),
                     Eq(d[t], total(g[t], model)), Eq(u[t], total(r[t], elems)), Eq(v[t], r[t] * c[t]),
                     down(v[t] + u[t] + s[t] + d[t] + g[t]))
    assert found == {"r": "tensor batch rows", "c": "tensor batch cols", "s": "tensor", "d": "", "u": "tensor",
                     "v": "tensor batch rows cols", "theta": "tensor batch rows cols"}


def test_a_state_has_the_smallest_shape_that_its_recurrence_keeps() -> None:
    with literal():
        found = axes(Eq(s[t], s[t - 1] + beta1), Eq(r[t], Max(r[t - 1], c[t - 1])), Eq(c[t], mean(g[t], cols)),
                     Eq(u[t], u[t - 1] + total(r[t - 1], rows)), down(s[t] * r[t] * u[t] * g[t]))
    assert found == {"s": "host", "s_prev": "host", "r": "tensor batch rows", "r_prev": "tensor batch rows",
                     "c": "tensor batch rows", "c_prev": "tensor batch rows", "u": "tensor batch",
                     "u_prev": "tensor batch", "r_prev_sum": "tensor batch",
                     "theta": "tensor batch rows cols"}


def test_a_state_that_starts_from_a_tensor_has_its_shape() -> None:
    with literal():
        found = axes(Eq(x[t], beta1 * x[t - 1]), down(x[t]), init={x: theta})
    assert found["x_prev"] == found["x"] == " ".join(map(str, ELEMENT))


def test_a_product_with_itself_turned_is_square() -> None:
    with literal():
        step = steps(rule("Square", Eq(x[t], matmul(g[t], transpose(g[t]))), Eq(u[t], matmul(transpose(g[t]), g[t])),
                          down(matmul(x[t], matmul(g[t], u[t])))), "infer")[0]
    assert [(str(a), a.extent) for a in step.var("x").axes[2:]] == [("rows", "rows"), ("rows_2", "rows")]
    assert [(str(a), a.extent) for a in step.var("u").axes[2:]] == [("cols", "cols"), ("cols_2", "cols")]


@pytest.mark.parametrize(("equations", "message"), [
    (lambda: [Eq(theta[t], mean(g[t], cols))], "theta is rows by cols, but its update is one number per row"),
    (lambda: [down(matmul(g[t], g[t]))], "do not multiply, cols is not rows"),
    (lambda: [down(matmul(mean(g[t], cols), g[t]))],
     r"mean\(g\[t\], cols\) is one number per row, and matmul takes matrices"),
    (lambda: [Eq(s[t], s[t - 1] + 1), down(total(s[t], elems) * g[t])],
     r"s\[t\] is a scalar, so there are no elements"),
    (lambda: [down(total(total(g[t], elems), elems) * g[t])],
     "is one number per tensor, so there are no elements to reduce over"),
    (lambda: [down(mean(mean(g[t], cols), cols) * g[t])], "is one number per row, so there are no cols to reduce over"),
    (lambda: [down(matmul(g[t], transpose(g[t])) + g[t])],
     r"transpose\(g\[t\]\)\) is rows by rows and g\[t\] is rows by cols: they do not broadcast"),
    (lambda: [Eq(s[t], total(g[t], model)), Eq(d[t], total(s[t], model)), down(d[t] * g[t])],
     "is one number, so there are no elements to reduce over"),
])
def test_shapes_that_do_not_fit_are_refused(equations: Callable[[], list[Eq]], message: str) -> None:
    with literal(), pytest.raises(RuleError, match=message):
        lower(rule("Unfit", *equations()))


def test_all_that_does_not_fit_is_reported_at_once() -> None:
    with literal(), pytest.raises(RuleError) as caught:
        lower(rule("Unfit", Eq(u[t], matmul(g[t], g[t])), Eq(v[t], matmul(theta[t - 1], g[t])), down(u[t] + v[t])))
    assert len([p for p in caught.value.problems if "do not multiply" in p.message]) == 2


def test_a_mismatch_names_both_sides_as_they_are_written() -> None:
    with literal(), pytest.raises(RuleError, match=r"g\[t\]\*m\[t\] is .* and x\[t\] is .*: they do not broadcast"):
        lower(rule("Unfit", Eq(m[t], 2 * g[t]), Eq(x[t], matmul(g[t], transpose(g[t]))), down(Max(g[t] * m[t], x[t]))))


@pytest.mark.parametrize("name", ["adamw", "factored", "growing"])
def test_the_step_after_infer_is_the_golden_text(name: str, golden: Golden) -> None:
    golden(f"golden/{name}_infer.txt", "\n\n".join(show(step) for step in steps(named(name), "infer")))
