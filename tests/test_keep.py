"""Keep: what does not change is not written."""

from __future__ import annotations

from optgen.dsl import Eq, Piecewise, Rule, flag, hyper, literal, matmul, t, tensors, total, transpose
from optgen.dsl.symbols import elems
from optgen.ir_text import show
from optgen.passes import lower, without_copies

theta, g, p, q, r, s = tensors("theta g p q r s")
lr = hyper("lr", 0.1)


def kept(*equations: Eq, **given: object) -> str:
    made = Rule(param=theta, grad=g, equations=equations, name="Kept", **given)  # type: ignore[arg-type]
    return show(without_copies(lower(made)).steps[0])


def test_a_state_that_stays_is_read_as_its_past_and_not_written() -> None:
    text = kept(Eq(p[t], p[t - 1]), Eq(theta[t], theta[t - 1] - lr * (g[t] + total(p[t] * g[t], elems))),
                init={p: theta})
    assert "state p_prev" in text
    assert "sum of g * p_prev over" in text
    assert "p_prev <-" not in text
    assert "p =" not in text


def test_a_product_reads_the_past_as_well() -> None:
    text = kept(Eq(p[t], p[t - 1]), Eq(q[t], matmul(p[t], transpose(g[t]))),
                Eq(theta[t], theta[t - 1] - lr * matmul(q[t], g[t])), init={p: theta})
    assert "p_prev @ g^T" in text


def test_what_is_a_copy_of_another_state_or_is_changed_is_written() -> None:
    text = kept(Eq(p[t], q[t - 1]), Eq(q[t], g[t]), Eq(r[t], 2 * r[t - 1]), Eq(s[t], p[t - 1] + r[t]),
                Eq(theta[t], theta[t - 1] - lr * s[t]), init={r: theta})
    assert {line.strip() for line in text.partition("writes:\n")[2].splitlines()} == {
        "theta_prev <- theta", "p_prev <- p", "q_prev <- q", "r_prev <- r"}


def test_a_scalar_of_the_host_that_stays_is_handed_on() -> None:
    text = kept(Eq(p[t], p[t - 1]), Eq(theta[t], theta[t - 1] - p[t] * g[t]), init={p: lr})
    assert "p_prev <- p" in text


def test_a_copy_keeps_its_name_where_another_variant_computes_it() -> None:
    slow = flag("slow", False)
    with literal():
        made = Rule(param=theta, grad=g, name="Kept", equations=[
            Eq(p[t], Piecewise((p[t - 1], slow), (p[t - 1] + g[t], True))), Eq(theta[t], theta[t - 1] - lr * p[t])],
            init={p: theta})
    moving, staying = (show(step) for step in without_copies(lower(made)).steps)
    assert "theta_prev - lr * p\n" in moving
    assert "theta_prev - lr * p\n" in staying
    assert "p_prev <- p" in moving
    assert "p_prev <-" not in staying
