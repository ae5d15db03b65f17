"""Verify: right code passes, code with one seeded bug does not, and a report cannot pass by proving nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import needs
import numpy as np
import pytest

from optgen import compile
from optgen.bounds import BF16, FP32, FP64
from optgen.dsl import (
    Eq,
    Max,
    Piecewise,
    Rule,
    cols,
    elems,
    exp,
    first,
    flag,
    hyper,
    literal,
    load,
    matmul,
    mean,
    model,
    norm,
    rows,
    sign,
    sqrt,
    t,
    tensors,
    total,
    transpose,
)
from optgen.errors import OptgenError
from optgen.testing import assert_equivalent
from optgen.verify import Row, Verdict, cases, passed, summary, table, verify_in_interpreter, verify_rule
from optgen.verify.interpreter import read_row, write_row
from optgen.verify.lockstep import run
from optgen.verify.report import judged
from optgen.verify.runners import Storage, numpy_runner, torch_runner

SMALL = cases.Shapes("small", ((5, 7), (4,)), missing=True)
SINGLE, DOUBLE = Storage(FP32, FP32), Storage(FP64, FP64)


def altered(name: str, old: str, new: str) -> ModuleType:
    """The generated NumPy module with one piece of its text replaced."""
    whole = compile(name, "numpy")
    assert whole.__file__ is not None
    text = Path(whole.__file__).read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in the generated code any more: choose another bug to seed"
    module = ModuleType(f"{whole.__package__}.altered")
    module.__package__ = whole.__package__
    exec(text.replace(old, new), module.__dict__)
    return module


def faults(name: str, module: ModuleType, storage: Storage = SINGLE) -> list[str]:
    """What lock-step finds wrong with a NumPy module, over all variants of the rule."""
    rule, found = load(name), []
    assert isinstance(rule, Rule)
    for variant in cases.variants(rule):
        values = cases.parameters(SMALL, storage.param, 1)
        runner = numpy_runner(module, values, variant.hypers, "plain", storage)
        found += run(rule, runner, variant.hypers, SMALL, storage, 1).faults
    return found


ADAMW_BUGS = {
    "beta1 instead of 1 - beta1": ("one_minus_beta1 = 1 - beta1", "one_minus_beta1 = beta1"),
    "betas swapped in m": ("m = beta1 * m_prev", "m = beta2 * m_prev"),
    "betas swapped in v": ("v = beta2 * v_prev", "v = beta1 * v_prev"),
    "gradient not squared": ("(g * g)", "g"),
    "gradient's sign in m": ("one_minus_beta1 * g", "one_minus_beta1 * -g"),
    "no bias correction of m": ("m_hat = m * inv_one_minus_beta1_t", "m_hat = m"),
    "no bias correction of v": ("v_hat = v * inv_one_minus_beta2_t", "v_hat = v"),
    "bias correction of v by beta1": ("1 / (1 - beta2**t)", "1 / (1 - beta1**t)"),
    "t counted from 0": ("1 - beta1**t", "1 - beta1 ** (t + 1)"),
    "eps in the root": ("np.sqrt(v_hat) + eps", "np.sqrt(v_hat + eps)"),
    "no eps": ("np.sqrt(v_hat) + eps", "np.sqrt(v_hat)"),
    "no root": ("np.sqrt(v_hat) + eps", "v_hat + eps"),
    "sign of the update": ("theta_prev - lr *", "theta_prev + lr *"),
    "sign of the decay": ("+ weight_decay * theta_prev", "- weight_decay * theta_prev"),
    "decay of the gradient": ("weight_decay * theta_prev", "weight_decay * g"),
    "decay without lr": ("(np.sqrt(v_hat) + eps) + weight_decay * theta_prev)",
                         "(np.sqrt(v_hat) + eps)) - weight_decay * theta_prev"),
    "half of lr": ('number("lr", lr, at_least=0)', 'number("lr", lr, at_least=0) / 2'),
    "lr off by a millionth": ('number("lr", lr, at_least=0)', 'number("lr", lr, at_least=0) * 1.000001'),
    "update by m instead of m_hat": ("(m_hat / ", "(m / "),
    "m stored as its corrected value": ('new["exp_avg"] = np.asarray(m,', 'new["exp_avg"] = np.asarray(m_hat,'),
    "m never stored": ('new["exp_avg"] = np.asarray(m,', 'new["exp_avg"] = np.asarray(m_prev,'),
    "maximum turned minimum": ("np.maximum(v_max_prev, v)", "np.minimum(v_max_prev, v)"),
    "maximum of the past left out": ("np.maximum(v_max_prev, v)", "v"),
    "states started at one": ('kept["exp_avg_sq"] = np.zeros_like', 'kept["exp_avg_sq"] = np.ones_like'),
    "a state too many": ("    return (list(params)", '    new_state[0]["other"] = 0.0\n    return (list(params)'),
    "a state under another key": ('"exp_avg"', '"average"'),
    "argument overwritten": ("m_prev = kept[", "theta_prev *= 2\n        m_prev = kept["),
    "gradient in half precision": ("m_prev = kept[",
                                   "g = g.astype(np.float16).astype(g.dtype)\n        m_prev = kept["),
}


@pytest.mark.parametrize("bug", ADAMW_BUGS)
def test_a_bug_seeded_in_adamw_is_found(bug: str) -> None:
    assert faults("adamw", altered("adamw", *ADAMW_BUGS[bug]))


SGD_BUGS = {
    "dampening at the first step": ("if first:", "if False:"),
    "dampening's sign": ("1 - dampening", "1 + dampening"),
    "no decay": ("g + weight_decay * theta_prev", "g"),
    "momentum on the gradient": ("momentum * b_prev", "momentum * g"),
    "nesterov left out": ("momentum * b", "0 * b"),
}


@pytest.mark.parametrize("bug", SGD_BUGS)
def test_a_bug_seeded_in_sgd_is_found(bug: str) -> None:
    old, new = SGD_BUGS[bug]
    path = compile("sgd", "numpy").__file__
    assert path is not None
    if old == "if first:" and old not in Path(path).read_text(encoding="utf-8"):
        old, new = "g_wd if first", "g_wd if False"
    assert faults("sgd", altered("sgd", old, new))


@pytest.mark.parametrize("name", ["adamw", "sgd", "lion"])
@pytest.mark.parametrize("storage", [SINGLE, DOUBLE], ids=str)
def test_generated_code_has_no_fault(name: str, storage: Storage) -> None:
    assert faults(name, compile(name, "numpy"), storage) == []


def test_float64_code_that_computes_in_float32_is_found() -> None:
    module = altered("adamw", "m_prev = kept[", "g = np.float64(np.float32(g))\n        m_prev = kept[")
    assert faults("adamw", module, DOUBLE)


theta, g, g_c, m, r, c, u, p, X = tensors("theta g g_c m r c u p X")
lr = hyper("lr", 0.1)
beta = hyper("beta", 0.9, at_least=0, below=1)
lookahead = flag("lookahead", False)
with literal():
    RULES = {
        "ANorm": [Eq(theta[t], theta[t - 1] - lr * g[t] / (norm(g[t], elems) + 1e-6))],
        "Factored": [
            Eq(r[t], beta * r[t - 1] + (1 - beta) * mean(g[t] ** 2, cols)),
            Eq(c[t], beta * c[t - 1] + (1 - beta) * mean(g[t] ** 2, rows)),
            Eq(theta[t], theta[t - 1] - lr * g[t] / (sqrt(r[t] * c[t] / (mean(r[t], rows) + 1e-12)) + 1e-6))],
        "Clipped": [
            Eq(g_c[t], g[t] / Max(1, sqrt(total(total(g[t] ** 2, elems), model)))),
            Eq(m[t], beta * m[t - 1] + g_c[t]),
            Eq(theta[t], theta[t - 1] - lr * m[t])],
        "Orthogonal": [
            Eq(X[0], g[t] / (norm(g[t], elems) + 1e-6)),
            *(Eq(X[k + 1], 1.5 * X[k] - 0.5 * matmul(matmul(X[k], transpose(X[k])), X[k])) for k in range(2)),
            Eq(theta[t], theta[t - 1] - lr * X[2])],
        "HostRecurrence": [
            Eq(p[t], p[t - 1] * (1 - beta / (t + 1))),
            Eq(theta[t], theta[t - 1] - lr * p[t] * g[t])],
        "InTime": [
            Eq(u[t], Piecewise((g[t], t <= 2), (sign(g[t]), t <= 4), (g[t] * exp(-t), True))),
            Eq(theta[t], theta[t - 1] - lr * u[t])],
        "First": [
            Eq(m[t], Piecewise((g[t], first), (beta * m[t - 1] + (1 - beta) * g[t], True))),
            Eq(theta[t], theta[t - 1] - lr * Piecewise((g[t] - g[t - 1] + m[t], lookahead), (m[t], True)))],
        "FromParam": [
            Eq(m[t], beta * m[t - 1] + (1 - beta) * theta[t - 1]),
            Eq(theta[t], m[t] - lr * g[t])],
    }
INIT = {"HostRecurrence": {p: 1}, "FromParam": {m: theta}}
MATRICES = ("Factored", "Orthogonal")


@pytest.mark.parametrize("name", RULES)
def test_reductions_products_and_branches_agree_with_the_oracle_on_numpy_and_torch(name: str) -> None:
    rule = Rule(param=theta, grad=g, equations=RULES[name], init=INIT.get(name, {}), name=name)
    shapes = cases.Shapes("few", ((5, 7), (2, 3, 4)) if name in MATRICES else ((5, 7), (4,), ()), missing=True)
    for backend, storage in [("numpy", SINGLE), ("numpy", DOUBLE), ("torch", SINGLE), ("torch", Storage(BF16, BF16))]:
        module = compile(rule, backend)
        for variant in cases.variants(rule):
            values = cases.parameters(shapes, storage.param, 1)
            make = numpy_runner if backend == "numpy" else torch_runner
            runner = make(module, values, variant.hypers, "plain", storage)
            tally = run(rule, runner, variant.hypers, shapes, storage, 1)
            assert tally.faults == [], (backend, str(storage), variant.name)
            assert tally.ratio > 1e-3


def test_every_outcome_of_the_static_conditions_is_a_variant_and_none_breaks_a_requirement() -> None:
    rule = load("sgd")
    found = cases.variants(rule)
    outcomes = {(v.hypers["momentum"] != 0, v.hypers["weight_decay"] != 0, v.hypers["nesterov"]) for v in found}
    assert outcomes == {(False, False, False), (False, True, False), (True, False, False), (True, True, False),
                        (True, False, True), (True, True, True)}
    assert all(v.hypers["dampening"] == 0 for v in found if v.hypers["nesterov"])
    assert any(v.hypers["dampening"] != 0 for v in found)


def test_shapes_that_a_rule_is_not_for_are_left_out() -> None:
    matrices = Rule(param=theta, grad=g, equations=RULES["Orthogonal"], name="Orthogonal")
    assert {len(s) for shapes in cases.shapes_for(matrices) for s in shapes.shapes} == {2, 3}
    assert {len(s) for shapes in cases.shapes_for(replace(matrices, ndim=2)) for s in shapes.shapes} == {2}
    assert {len(s) for shapes in cases.shapes_for(load("adamw")) for s in shapes.shapes} == {0, 1, 2, 3}


@pytest.mark.parametrize("layout", ["plain", "slice", "transposed"])
def test_a_layout_changes_strides_and_no_value(layout: str) -> None:
    values = np.arange(12.0).reshape(3, 4)
    laid = cases.lay(values, layout)
    assert (laid == values).all()
    assert laid.flags.c_contiguous == (layout == "plain")


def test_verify_rule_covers_every_shape_dtype_and_variant_and_tells_its_progress() -> None:
    told: list[tuple[int, int, str]] = []
    rule = load("lion")
    rows = verify_rule(rule, {name: compile(rule, name) for name in ("numpy", "torch")}, lambda *p: told.append(p))
    assert passed(rows), table(rows)
    assert {row.shape for row in rows} == {shapes.name for shapes in cases.SHAPES}
    assert {(row.backend, row.dtype) for row in rows} == {
        ("numpy", "fp32"), ("numpy", "fp64"), ("torch", "fp32"), ("torch", "fp64"), ("torch", "bf16"),
        ("torch", "fp16"), ("torch", "bf16, fp32 states")}
    assert len(rows) == 7 * 11 * len(cases.variants(rule))
    assert told[-1][0] == told[-1][1] == len(rows)


@pytest.mark.parametrize("name", ["constant", "cosine", "linear", "warmup_constant", "warmup_cosine", "warmup_linear"])
def test_schedules_agree_with_the_oracle(name: str) -> None:
    assert_equivalent(name)


def test_a_wrong_schedule_is_found() -> None:
    rule = load("warmup_linear")
    rows = verify_rule(rule, {"numpy": compile("warmup_cosine", "numpy")})
    assert not passed(rows)


def test_triton_without_its_interpreter_is_skipped_and_does_not_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    rows = verify_rule(load("sgd"), {"triton": compile("sgd", "torch")})
    assert [row.verdict for row in rows] == [Verdict.SKIPPED]
    assert "TRITON_INTERPRET" in rows[0].reason
    assert not passed(rows)


@needs.triton
def test_triton_is_verified_in_a_process_of_its_own() -> None:
    rows = verify_in_interpreter("lion")
    assert passed(rows), table(rows)
    assert {row.backend for row in rows} == {"triton"}
    assert {row.shape for row in rows if row.reason} <= {"slice"}, "a layout that should be fused was stepped eagerly"


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(OptgenError, match="does not know the backend 'fortran'"):
        verify_rule(load("sgd"), {"fortran": ModuleType("fortran")})


def row(**changed: Any) -> Row:
    plain = Row("Lion", "numpy", "fp32", "defaults", "odd", ratio=0.5, decided=100, elements=100, bound=1e3)
    return replace(plain, **changed)


def test_a_bound_that_is_never_used_is_vacuous_and_fails() -> None:
    rows = judged([row(ratio=1e-7), row(ratio=0)])
    assert {r.verdict for r in rows} == {Verdict.VACUOUS}
    assert not passed(rows)
    assert passed(judged([row(ratio=1e-7), row()]))
    assert passed(judged([row(ratio=0, bound=2.0)])), "an exact result within a narrow bound is right"


def test_too_many_open_elements_fail() -> None:
    assert not passed(judged([row(decided=99)]))
    assert passed(judged([row(decided=9995, elements=10000)]))


def test_a_summary_shows_the_worst() -> None:
    rows = [row(variant="a"), row(variant="b", ratio=2.0, verdict=Verdict.FAIL, reason="why"), row(backend="torch")]
    merged = summary(rows)
    assert [(r.backend, r.ratio, r.verdict, r.variant) for r in merged] == [
        ("numpy", 2.0, Verdict.FAIL, "2 variants"), ("torch", 0.5, Verdict.PASS, "1 variants")]
    assert "why" in table(merged)


def test_a_row_survives_its_way_between_processes() -> None:
    assert read_row(write_row(row(verdict=Verdict.FAIL, reason="why"))) == row(verdict=Verdict.FAIL, reason="why")


def test_assert_equivalent_shows_a_table_of_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = altered("sgd", "theta_prev - lr", "theta_prev + lr")
    monkeypatch.setattr("optgen.testing.compile", lambda rule, backend: wrong)
    with pytest.raises(AssertionError, match="SGD") as told:
        assert_equivalent("sgd", backends=["numpy"])
    assert "times the bound" in str(told.value)
