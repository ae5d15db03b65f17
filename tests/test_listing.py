"""Listing: headers, quotes, arguments and scalars that every backend prints alike."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_rules import NAMES, beta1, beta2, down, eps, g, lr, m, named, rule, s, theta, u

from optgen import listing, oracle, wrapping
from optgen.common import apart, common
from optgen.dsl import Eq, Min, Piecewise, Rule, elems, flag, hyper, literal, load, model, norm, t, total
from optgen.dsl.load import built_in_names
from optgen.dsl.rule import Schedule
from optgen.ir import Statement, Step
from optgen.passes import Program, lower
from optgen.passes.phase import phase

HYPERS = (hyper("rate", 1e-3), *hyper("pair", (0.5, 0.25)), flag("loud", True), hyper("given", None))


def test_the_header_says_what_it_is_where_it_comes_from_and_what_it_computes() -> None:
    lines = listing.header(load("lion"), "numpy")
    assert lines[0].startswith("Lion. Written by optgen ")
    assert lines[0].endswith(" from rules/lion.py; do not edit.")
    assert "    optgen build lion --backend numpy" in lines
    assert any("Chen" in line for line in lines)
    assert "    m[t] = beta2*m[t - 1] + (1 - beta2)*g[t]" in lines
    assert all(len(line) <= wrapping.WIDTH for line in lines)


def test_the_header_of_a_rule_without_a_file_names_none() -> None:
    lines = listing.header(named("clipped"), "numpy")
    assert "from a Rule object" in lines[0]
    assert not any("optgen build" in line for line in lines)


@pytest.mark.parametrize("doc", ['Ends """ here', "back\\slash", "line\nend", "nul\0", "\u202ereversed", '"', "'''",
                                 '"""\nimport os\n"""', "\ud800"])
def test_a_docstring_cannot_be_left_by_what_it_holds(doc: str) -> None:
    hostile = replace(named("clipped"), doc=doc, use=doc)
    text = "\n".join(listing.header(hostile, "numpy"))
    tree = ast.parse(f'"""{text}\n"""\n')
    assert len(tree.body) == 1
    assert isinstance(tree.body[0], ast.Expr)
    text.encode("utf-8")


@given(st.text(max_size=30))
def test_a_quoted_text_is_the_text(text: str) -> None:
    assert ast.literal_eval(listing.quote(text)) == text
    assert listing.quote(text).isprintable()


@pytest.mark.parametrize(("hyper_", "kind", "value"), [
    (HYPERS[0], "float", "0.001"), (HYPERS[1], "tuple[float, float]", "(0.5, 0.25)"), (HYPERS[3], "bool", "True"),
    (HYPERS[4], "float | None", "None")])
def test_an_argument_has_its_type_and_its_default(hyper_: Any, kind: str, value: str) -> None:
    assert listing.annotation(hyper_.declaration) == kind
    assert listing.default(hyper_.declaration) == value


def test_an_argument_may_be_of_another_number() -> None:
    assert listing.annotation(HYPERS[0].declaration, "float | Tensor") == "float | Tensor"
    assert listing.annotation(HYPERS[1].declaration, "int") == "tuple[int, int]"


def test_names_in_code_are_words_that_are_no_attributes_and_stand_in_no_text_or_comment() -> None:
    lines = ["x = np.sqrt(y_1) + 2e3 * kept['z']", "    # not these", 'message = "nor these" + w']
    assert listing.names_in(lines) == {"x", "np", "y_1", "kept", "message", "w"}


WORDS = st.sampled_from(["alpha", "beta1 * gamma", "np.sqrt(delta + epsilon)", "(zeta - eta)", "1 / theta", "2.5e-3"])


@given(st.lists(WORDS, min_size=1, max_size=40), st.sampled_from(["x = ", "return ", 'kept["y"] = ']),
       st.sampled_from([" + ", " * ", " - "]), st.sampled_from(["", "    ", "            "]))
def test_a_long_line_is_broken_into_one_statement_that_means_the_same(
    words: list[str], opens: str, joiner: str, margin: str
) -> None:
    line = f"{margin}{opens}{joiner.join(words)}"
    lines = wrapping.wrap(line)
    nest = "def f():\n" + "".join("    " * (depth - 1) + "if 1:\n" for depth in range(2, len(margin) // 4 + 1))
    head = nest if margin else "def f():\n"
    lined = [part if margin else "    " + part for part in lines]
    assert ast.dump(ast.parse(head + "\n".join(lined))) == ast.dump(ast.parse(head + ("" if margin else "    ") + line))
    assert all(len(part) <= wrapping.WIDTH for part in lines)


@pytest.mark.parametrize(
    ("line", "broken"),
    [
        ("x = " + "alpha * " * 12 + "a - " + "beta * " * 12 + "b",
         ["x = (", "    " + "alpha * " * 12 + "a", "    - " + "beta * " * 12 + "b", ")"]),
        ("x = a - b * (" + "alpha * " * 12 + "a - " + "beta * " * 12 + "b)",
         ["x = a - b * (", "    " + "alpha * " * 12 + "a", "    - " + "beta * " * 12 + "b", ")"]),
        ("x = f(" + "alpha, " * 14 + 'words="' + "a, b (c " * 6 + '")',
         ["x = f(", "    " + ("alpha, " * 14)[:-1], '    words="' + "a, b (c " * 6 + '"', ")"]),
        ("return [" + "alpha * " * 12 + "x for x in xs if " + "beta * " * 4 + "x]",
         ["return [", "    " + "alpha * " * 12 + "x", "    for x in xs if " + "beta * " * 4 + "x", "]"]),
    ],
)
def test_a_long_line_is_broken_where_it_binds_least(line: str, broken: list[str]) -> None:
    assert wrapping.wrap(line) == broken


def test_a_text_is_never_broken() -> None:
    text = "a text that is longer than a line " * 5
    assert wrapping.wrap(f'x = f(1, "{text}")') == ["x = f(", "    1,", f'    "{text}"', ")"]


def test_a_comment_and_a_line_that_fits_stay_as_they_are() -> None:
    long = "    # " + "word " * 40
    assert wrapping.wrap(long) == [long]
    assert wrapping.wrap("x = 1") == ["x = 1"]


def test_a_signature_is_one_line_if_it_fits_and_else_one_line_an_argument() -> None:
    assert listing.signature("f", ["a: int", "*", "b: float = 1.0"], "None") == [
        "def f(a: int, *, b: float = 1.0) -> None:"]
    many = [f"argument_number_{k}: float" for k in range(6)]
    lines = listing.signature("f", many, "dict[str, float]")
    assert lines == ["def f(", *(f"    {a}," for a in many), ") -> dict[str, float]:"]


def quoted(step: Step, program: Program, body: Sequence[Statement]) -> list[str]:
    return [item[0] if isinstance(item, tuple) else item.target for item in listing.quoted(program, step, body)]


def test_each_equation_is_quoted_before_its_first_statement() -> None:
    with literal():
        program = lower(rule("Quoted", Eq(u[t], norm(g[t] + lr, elems) * g[t]), down(u[t])))
    (step,) = program.steps
    assert quoted(step, program, step.body) == [
        "# u[t] = norm(g[t] + lr, elems)*g[t]", "u_base", "u_base_sq_sum", "u",
        "# theta[t] = theta[t - 1] - lr*u[t]", "theta"]
    first = next(iter(listing.quoted(program, step, step.body, "//")))
    assert isinstance(first, tuple)
    assert first[0].startswith("// u[t]")


def test_an_equation_that_spans_two_phases_is_quoted_in_both() -> None:
    with literal():
        program = lower(rule("Spanning", Eq(u[t], norm(g[t], model)), Eq(m[t], m[t - 1] + g[t]), down(m[t] / u[t])))
    (step,) = program.steps
    assert [quoted(step, program, part.body) for part in phase(step, everywhere=False)] == [
        ["# u[t] = norm(g[t], model)", "g_sq_sum", "# m[t] = m[t - 1] + g[t]", "m"],
        ["# u[t] = norm(g[t], model)", "u", "# theta[t] = theta[t - 1] - lr*(m[t]/u[t])", "theta"]]


def test_a_phase_computes_the_scalars_that_it_needs_and_the_last_one_what_is_stored() -> None:
    with literal():
        made = rule("Scalars", Eq(s[t], s[t - 1] * beta1), Eq(u[t], norm((1 - beta2) * g[t], model)),
                    down(m[t] * (1 - s[t]) / u[t]), Eq(m[t], m[t - 1] + (2 + eps) * g[t]),)
        made = replace(made, equations=(*made.equations[:2], made.equations[3], made.equations[2]))
        (step,) = lower(made).steps
    parts = phase(step, everywhere=False)
    lines = [[item[0] for item in listing.host_lines(step, part, part is parts[-1])] for part in parts]
    assert lines == [["one_minus_beta2 = 1 - beta2", "two_plus_eps = 2 + eps"],
                     ["s = s_prev * beta1", "one_minus_s = 1 - s"]]


def test_what_is_reduced_over_the_model_is_listed_once_with_how_it_combines() -> None:
    program = lower(named("scaled_over_the_model"))
    phases = {listing.variant_of(s): phase(s, everywhere=False) for s in program.steps}
    assert [[(name, op.value) for name, op in listing.totals(phases, k)] for k in range(3)] == [
        [("g_sq_sum", "sum")], [("s", "max")], []]


def factor(make: Callable[[], Any]) -> list[str]:
    with literal():
        return listing.returned(Schedule(make(), name="Factor"))


def test_a_schedule_returns_from_its_branches() -> None:
    total_steps = hyper("total_steps", None)
    lines = factor(lambda: Piecewise((t / total_steps, t < total_steps), (2, t < 2 * total_steps), (Min(t, 3), True)))
    assert lines == ["if t < total_steps:", "    return t / total_steps", "if t < 2 * total_steps:", "    return 2",
                     "return min(t, 3)"]
    assert factor(lambda: 1 - t / total_steps) == ["return 1 - t / total_steps"]


@pytest.mark.parametrize(("name", "elementwise", "matrix", "late"), [
    ("adamw", True, False, False), ("normalised", False, False, False), ("factored", False, True, False),
    ("newton_schulz", False, True, False), ("clipped", False, False, False), ("starting", True, False, True),
    ("square_state", False, True, False), ("running_product", True, False, False), ("growing", False, False, False)])
def test_what_a_rule_looks_at_is_known(name: str, elementwise: bool, matrix: bool, late: bool) -> None:
    program = lower(named(name))
    assert listing.is_elementwise(program) is elementwise
    assert listing.needs_matrix(program) is matrix
    assert listing.starts_late(program) is late


def test_a_state_that_starts_from_the_gradient_starts_late() -> None:
    with literal():
        made = rule("Late", Eq(m[t], m[t - 1] + g[t]), down(m[t]), init={m: g})
        early = rule("Early", Eq(m[t], m[t - 1] + g[t]), down(m[t]), init={m: theta})
    assert listing.starts_late(lower(made))
    assert not listing.starts_late(lower(early))


@pytest.mark.parametrize("name", NAMES)
def test_host_names_are_those_that_the_variant_holds_on_the_host(name: str) -> None:
    for step in lower(named(name)).steps:
        host = listing.host_names(step)
        assert {statement.target for statement in step.host} <= host
        assert not {statement.target for statement in step.body} & host


def test_a_module_is_called_as_its_file_or_as_its_class() -> None:
    assert listing.module_name(load("warmup_cosine")) == "warmup_cosine"
    assert listing.module_name(named("running_product")) == "runningproduct"


def test_the_variants_of_a_program_are_woven_under_its_conditions() -> None:
    with literal():
        made: Rule = rule("Woven", down(Piecewise((g[t], lr > 1), (total(g[t], elems) * g[t], True))))
        program = lower(made)
    lines = listing.woven(program, lambda step: [(f"{s.target} = {len(step.body)}",) for s in step.body])
    assert lines == ["if lr <= 1:", "    g_sum = 2", "    theta = 2", "else:", "    theta = 1"]
    assert listing.condition_texts(program) == ["lr > 1"]


def test_the_states_that_are_common_to_all_parameters_are_told_by_their_keys() -> None:
    assert "(d_numerator, d_max, d)" in " ".join(apart(lower(load("prodigy"))))
    assert [apart(lower(load(name))) for name in ("adammini", "lamb", "nadam", "muon")] == [[], [], [], []]


def test_the_oracle_reads_off_the_equations_which_states_are_common() -> None:
    rules = [made for name in built_in_names() if isinstance(made := load(name), Rule)]
    found = {made.name: {*oracle.common_states(made, (3, 4), {})} for made in rules}
    assert found == {made.name: {*common(lower(made))} for made in rules}
    assert [name for name, keys in found.items() if keys] == ["Prodigy"]
