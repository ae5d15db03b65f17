"""Phase: each part of the body reads memory and finished reductions only, and together they are the step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from drawn_rules import rules
from hypothesis import given, settings
from meaning import differences, run, run_phases, written
from small_rules import NAMES, c, down, eps, g, m, named, r, rule, s, theta, u
from stages import pairs, steps

from optgen.dsl import Eq, Rule, cols, elems, literal, mean, model, norm, t, total
from optgen.fused import reduced
from optgen.ir import TENSOR, MatMul, Phase, Place, Reduce, Role, Statement, Step, reads
from optgen.passes.phase import phase

Golden = Callable[[str, str], None]


def assert_phases(made: Rule, everywhere: bool, seed: int = 0) -> None:
    """Asserts that the phases leave in memory what the step does, and hold nothing that they do not need."""
    for step, _, values in pairs(made, "hoist", "hoist", seed):
        parts = phase(step, everywhere)
        a, b = written(step, run(step, values)), run_phases(step, parts, values, everywhere)
        assert not differences(a, b), f"{differences(a, b)} where {step.variant}"
        assert_lean(step, parts, everywhere)


def is_cut(statement: Statement, everywhere: bool) -> bool:
    """Whether other phases read the result of a statement."""
    return isinstance(statement, (Reduce, MatMul)) and (everywhere or TENSOR in getattr(statement, "over", ()))


def assert_lean(step: Step, parts: tuple[Phase, ...], everywhere: bool) -> None:
    for part in parts:
        used = {name for done in part.body for name in reads(done)} | {w.value for w in part.stores}
        assert set(part.loads) <= used, f"{set(part.loads) - used} are loaded for nothing"
        for done in part.body:
            assert done.target in used or is_cut(done, everywhere), f"{done.target} is computed for nothing"
        stored = [v.name for v in step.vars if v.role is not Role.LOCAL and v.place is Place.DEVICE]
        assert {name for name in used if name in stored} == set(part.loads) & set(stored)
        assert [done for done in step.body if done in part.body] == list(part.body), "the order of the step is kept"
    cut = [done.target for part in parts for done in part.body if is_cut(done, everywhere)]
    assert len(cut) == len(set(cut)), "a reduction is made once"
    device = {w for w in step.writes if step.var(w.into).place is Place.DEVICE}
    assert sorted(w.into for part in parts for w in part.stores) == sorted(w.into for w in device)


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_phases_keep_the_meaning(name: str, everywhere: bool) -> None:
    assert_phases(named(name), everywhere)


@pytest.mark.parametrize("everywhere", [False, True])
@given(made=rules())
@settings(max_examples=50)
def test_phases_of_a_drawn_rule_keep_its_meaning(everywhere: bool, made: Rule) -> None:
    assert_phases(made, everywhere)


def assert_nothing_read_back(made: Rule) -> None:
    """Asserts that phases keep their meaning where they load only what stood in memory before the step.

    And where states are stored apart from sums over elements, besides.
    """
    for step, _, values in pairs(made, "hoist", "hoist"):
        states = {v.name for v in step.of_role(Role.STATE)}
        for apart in (set(), states):
            parts = phase(step, everywhere=True, read_back=(), apart=apart)
            a, b = written(step, run(step, values)), run_phases(step, parts, values, True)
            assert not differences(a, b), f"{differences(a, b)} where {step.variant}"
            past = {v.name for v in step.vars if v.role is not Role.LOCAL}
            assert {name for part in parts for name in part.loads} <= past
            for part in parts:
                sums = [s for s in part.body if isinstance(s, Reduce) and reduced(step, s) == "element"]
                assert not (sums and apart & {w.into for w in part.stores})


@pytest.mark.parametrize("name", NAMES)
def test_phases_that_read_nothing_back_keep_the_meaning(name: str) -> None:
    assert_nothing_read_back(named(name))


@given(made=rules())
@settings(max_examples=30)
def test_phases_of_a_drawn_rule_that_read_nothing_back_keep_its_meaning(made: Rule) -> None:
    assert_nothing_read_back(made)


@pytest.mark.parametrize(("name", "loops", "launches"), [
    ("adamw", 1, 1), ("normalised", 1, 2), ("trusting", 1, 2), ("factored", 1, 4), ("clipped", 2, 2),
    ("newton_schulz", 1, 8), ("growing", 2, 2), ("square_state", 1, 5), ("scaled_over_the_model", 3, 3)])
def test_a_body_is_cut_where_a_value_needs_all_of_another(name: str, loops: int, launches: int) -> None:
    step = steps(named(name))[-1]
    assert len(phase(step, everywhere=False)) == loops
    assert len(phase(step, everywhere=True)) == launches


def only(step_rule: Rule) -> Step:
    """The step of a rule that has one variant."""
    (step,) = steps(step_rule)
    return step


def test_what_an_earlier_phase_computed_is_computed_again_or_loaded_if_it_was_stored() -> None:
    with literal():
        step = only(rule("Again", Eq(u[t], g[t] + theta[t - 1]), Eq(m[t], m[t - 1] + u[t]),
                         Eq(s[t], norm(m[t], elems)), down(u[t] * m[t] / s[t])))
    first, second = phase(step, everywhere=True)
    assert [w.value for w in first.stores] == ["m"]
    assert [statement.target for statement in second.body] == ["u", "s", "theta"], "the root of s is cheap"
    assert second.loads == ("theta_prev", "g", "m")


def test_a_past_that_a_later_phase_needs_is_overwritten_there() -> None:
    with literal():
        step = only(rule("Late", Eq(m[t], m[t - 1] + g[t]), Eq(s[t], total(g[t] * m[t], elems)),
                         down(s[t] * m[t - 1])))
    first, second = phase(step, everywhere=True)
    assert not first.stores
    assert [w.into for w in second.stores] == ["theta_prev", "m_prev"]


def test_a_sum_waits_for_the_phase_that_loads_its_elements_anyway() -> None:
    """The norm of all gradients comes first; that of the parameter is needed last."""
    with literal():
        step = only(rule("Wait", Eq(r[t], norm(theta[t - 1], elems)), Eq(u[t], g[t] / norm(g[t], model)),
                         Eq(m[t], 0.5 * m[t - 1] + u[t] + theta[t - 1]), Eq(s[t], norm(m[t], elems)),
                         down(m[t] * r[t] / s[t])))
    first, second, third = phase(step, everywhere=True)
    assert first.loads == ("g",)
    assert {s.target for s in second.body if isinstance(s, Reduce)} == {"theta_prev_sq_sum", "m_sq_sum"}
    assert third.loads == ("theta_prev", "m")


def test_a_state_waits_to_be_stored_where_that_moves_less_memory() -> None:
    with literal():
        step = only(rule("Cautious", Eq(m[t], 0.5 * m[t - 1] + g[t]), Eq(r[t], 0.5 * r[t - 1] + g[t] ** 2),
                         Eq(s[t], norm(m[t] * g[t], elems)), down(m[t] * g[t] * r[t] / s[t])))
    first, second = phase(step, everywhere=True)
    assert [w.value for w in first.stores] == ["m"]
    assert first.loads == ("g", "m_prev")
    assert [w.value for w in second.stores] == ["theta", "r"]


def test_a_state_is_read_back_only_where_that_moves_less_memory() -> None:
    """A norm of it and of the parameter need both; what its mean alone needs is computed again at no more cost."""
    with literal():
        moment = Eq(m[t], 0.5 * m[t - 1] + g[t])
        less, same = (
            only(rule("Back", moment, Eq(s[t], norm(of, elems)), down(m[t] / s[t])))
            for of in (m[t] + theta[t - 1], g[t])
        )
    states = ["m_prev"]
    assert [part.loads for part in phase(less, True, states)] == [("theta_prev", "g", "m_prev"), ("theta_prev", "m")]
    assert [part.loads for part in phase(same, True, states)] == [("g",), ("theta_prev", "g", "m_prev")]


def test_reductions_of_the_same_level_share_a_phase() -> None:
    with literal():
        step = only(rule("Level", Eq(r[t], mean(g[t], cols)), Eq(s[t], total(g[t], elems)),
                         Eq(c[t], total(r[t] * s[t], elems)), down(g[t] * c[t] / (s[t] + eps))))
    parts = phase(step, everywhere=True)
    assert [[s.target for s in part.body if is_cut(s, True)] for part in parts] == [["r", "s"], ["c"], []]


def test_only_reductions_over_the_model_cut_what_numpy_and_pytorch_run() -> None:
    with literal():
        step = only(rule("Model", Eq(s[t], norm(g[t], elems)), Eq(u[t], total(g[t] / s[t], model)), down(u[t] * g[t])))
    parts = phase(step, everywhere=False)
    assert [[s.target for s in part.body if isinstance(s, Reduce)] for part in parts] == [["g_sq_sum", "u"], []]


@pytest.mark.parametrize("name", ["adamw", "factored", "growing"])
def test_the_phases_are_the_golden_text(name: str, golden: Golden) -> None:
    lines = []
    for everywhere in (False, True):
        for number, part in enumerate(phase(steps(named(name))[-1], everywhere), 1):
            lines += [f"phase {number}, cut {'everywhere' if everywhere else 'at the model'}",
                      f"  loads {' '.join(part.loads)}", f"  computes {' '.join(s.target for s in part.body)}",
                      f"  stores {', '.join(f'{w.into} <- {w.value}' for w in part.stores)}"]
    golden(f"golden/{name}_phases.txt", "\n".join(line.rstrip() for line in lines))
