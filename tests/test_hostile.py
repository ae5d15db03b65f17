"""Hostile names: each of 10,000 builds code that is right, or is refused with an error that says so; none is ever run.

Right means: the code for these names is the code for harmless ones with the names exchanged, and nothing that generated
code itself uses is called by one of them where it is used.
"""

from __future__ import annotations

import ast
import contextlib
import keyword
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import needs
import numpy as np
import pytest
import sympy
import torch
from hostile_names import texts, words
from workshop import Workshop

from optgen.backends import torch as torch_backend
from optgen.build import Built, build
from optgen.dsl import (
    Eq,
    Ne,
    Piecewise,
    Rule,
    cols,
    elems,
    first,
    flag,
    hyper,
    literal,
    load,
    matmul,
    mean,
    norm,
    rows,
    sqrt,
    t,
    tensors,
    transpose,
)
from optgen.dsl.names import RESERVED, check_identifier
from optgen.dsl.rule import Schedule
from optgen.errors import OptgenError, RuleError
from optgen.starter import write_starter

NAMES = texts()
EVERY = 1 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 4  # names, one is tried
FORBIDDEN = (
    "exec",
    "compile",
    "import",
    "open",
    "os.",
    "subprocess.",
    "shutil.",
    "socket.",
    "ctypes.",
    "pty.",
    "glob.",
)
theta, g = tensors("theta g")


class _Watch:
    """Records what the interpreter is asked to run, import, open or start, while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.seen: list[str] = []
        sys.addaudithook(self.hook)

    def hook(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.on and event.startswith(FORBIDDEN):
            self.seen.append(f"{event} {arguments!r:.200}")

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        self.on, self.seen = True, []
        try:
            yield
        finally:
            self.on = False

    def ran(self) -> list[str]:
        """What was seen, without the opening of source files, which messages quote, and the listing of rules."""
        return [event for event in self.seen if not event.startswith(("open ", "os.listdir", "os.scandir"))]


WATCH = _Watch()


def rule(*equations: Eq, **more: object) -> Rule:
    return Rule(param=theta, grad=g, equations=equations or [Eq(theta[t], theta[t - 1] - g[t])], **more)  # type: ignore[arg-type]


def state_key(name: str) -> object:
    m = tensors("moment")
    return rule(Eq(m[t], m[t - 1] + g[t]), Eq(theta[t], theta[t - 1] - m[t]), state_keys={m: name})


# Every door that a name comes in by.
DOORS: dict[str, Callable[[str], object]] = {
    "tensors": tensors,
    "hyper": lambda name: hyper(name, 0.5),
    "names of a tuple": lambda name: hyper("pair", (0.5, 0.5), names=f"{name} other_one"),
    "flag": lambda name: flag(name, False),
    "class": lambda name: rule(name=name),
    "schedule": lambda name: Schedule(value=1 / (1 + t), name=name),
    "group constant": lambda name: rule(group_constants={name: True}),
    "state key": state_key,
}
CHEAP = {"tensors", "hyper", "names of a tuple", "flag", "schedule"}  # the others make a whole rule of each name


def is_plain(name: str) -> bool:
    """What this test holds for a name that nobody could object to, or that must be refused."""
    return bool(re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,63}", name, re.ASCII)) and not keyword.iskeyword(name)


def test_there_are_ten_thousand_of_them() -> None:
    assert len(NAMES) >= 10_000
    assert len(accepted()) >= 1_000
    assert len(NAMES) - len(accepted()) >= 5_000


@cache
def accepted() -> tuple[str, ...]:
    """The names that a quantity or a hyperparameter may have."""
    return tuple(name for name in NAMES if is_plain(name) and not _refusal(partial(check_identifier, name, "x", None)))


def _refusal(make: Callable[[], object]) -> str:
    """The whole message, or nothing. Any other error is a failure of the test."""
    try:
        make()
    except OptgenError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("door", DOORS)
def test_every_door_refuses_what_is_no_plain_name_and_runs_nothing(door: str) -> None:
    make = DOORS[door]
    refused = 0
    for name in ("harmless", "x.y", "lambda"):
        _refusal(partial(make, name))  # what is imported late is imported now
    for name in NAMES if door in CHEAP else NAMES[::3]:
        with WATCH.watching():
            said = _refusal(partial(make, name))
        assert WATCH.ran() == [], name
        if said:
            refused += 1
            assert "hint: " in said, name
            assert all(line.isprintable() for line in said.split("\n")), name
            assert len(said) < 4000
        else:
            nameless = door in ("class", "schedule") and not name
            key = door == "state key" and is_plain(f"{name}_")  # never stands in code but in quotes
            assert all(map(is_plain, name.split())) or nameless or key, (door, name)
    assert refused > 2_000


def test_no_name_of_a_file_reaches_the_file_system_unless_it_is_plain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _refusal(partial(load, Path("x.y.py")))  # what is imported late is imported now
    for name in NAMES:
        if is_plain(Path(f"{name}.py").stem):
            continue  # a path to a plain name
        with WATCH.watching():
            said = _refusal(partial(load, Path(f"{name}.py")))
        assert said, name
        assert not WATCH.seen, name
    assert not list(tmp_path.iterdir())


def test_a_new_rule_is_written_under_a_plain_name_or_not_at_all(tmp_path: Path) -> None:
    for name in NAMES:
        said = _refusal(partial(write_starter, name, tmp_path))
        made = list(tmp_path.iterdir())
        assert [path.name for path in made] == ([] if said else [f"{name}.py"]), name
        if made:
            assert is_plain(name)
            made[0].unlink()


def test_what_sympy_takes_as_a_name_is_refused_in_equations() -> None:
    """Symbols, quantities and functions that SymPy made, whatever they are called, are not those of the language."""
    for name in ("Fine", "x.y"):
        _refusal(partial(build, [rule(Eq(theta[t], sympy.Symbol(name) * sympy.Function(name)(g[t])), name="Warm")]))
    build([rule(name="Warm")])  # what is imported late is imported now
    for name in NAMES[::61]:
        if not name or "\0" in name or not name.isprintable():
            continue  # Python refuses such names for a class, which SymPy makes of a function
        foreign = sympy.Symbol(name), sympy.IndexedBase(sympy.Symbol(name)), sympy.Function(name)
        with literal():
            symbol, base, function = foreign
            for made in (symbol * g[t], base[t] + g[t], function(g[t])):
                bad = rule(Eq(theta[t], theta[t - 1] - made), name="Foreign")
                with WATCH.watching():
                    said = _refusal(partial(build, [bad]))
                assert said, name
                assert WATCH.ran() == []


def test_a_text_is_never_taken_for_an_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever an expression or a number is wanted, a text is an error before SymPy sees it."""

    def caught(text: object, *_: object, **__: object) -> None:
        pytest.fail(f"{text!r} was read as an expression")

    for attempt in attempts("x.y"):
        _refusal(attempt)  # what is imported late is imported now
    monkeypatch.setattr("sympy.parsing.sympy_parser.parse_expr", caught)
    monkeypatch.setattr("sympy.parsing.sympy_parser.eval_expr", caught)
    for name in NAMES[::37]:
        for attempt in attempts(name):
            with WATCH.watching(), pytest.raises(RuleError):
                attempt()
            assert WATCH.ran() == []


def attempts(name: Any) -> Sequence[Callable[[], object]]:
    """Ways to give a text where an expression, a quantity or a number belongs."""
    return (
        lambda: Eq(name, g[t]),
        lambda: Eq(theta[t], name),
        lambda: sqrt(name),
        lambda: norm(name, elems),
        lambda: norm(g[t], name),
        lambda: g[name],
        lambda: Ne(name, 1),
        lambda: Piecewise((name, t > 1), (0, True)),
        lambda: Piecewise((g[t], name), (0, True)),
        lambda: hyper("x", name),
        lambda: hyper("x", 1, at_least=name),
        lambda: Schedule(value=name),
        lambda: rule(init={g: name}),
        lambda: rule(requires=[(name, "text")]),
        lambda: rule(requires=[(t > 0, name), name]),
        lambda: rule(state_keys={name: "key"}),
        lambda: rule(ndim=name),
        lambda: rule(sparse=name),
        lambda: rule(typical_lr={"task": (name, name)}),
        lambda: rule(group_constants={"key": name}),
        lambda: Rule(param=name, grad=g, equations=[Eq(theta[t], 0)]),
    )


TEXTS = [name for name in NAMES if not is_plain(name)]


@pytest.mark.parametrize("text", TEXTS[:: len(TEXTS) // 40])
def test_texts_reach_generated_code_as_texts_only(text: str) -> None:
    """The paper, the use case, the source and the messages of a rule may be any text."""
    lr = hyper("lr", 1e-3)
    text = text[:3000]
    tame = "tame"
    with literal():
        wild, plain = (
            build(
                [
                    rule(
                        Eq(theta[t], theta[t - 1] - lr * g[t]),
                        name="Texts",
                        doc=f"{x}. {x}",
                        use=x,
                        requires=[(lr > 0, x)],
                    )
                ]
            )
            for x in (text, tame)
        )
    assert wild.files.keys() == plain.files.keys()
    for path, code in wild.files.items():
        if path.endswith(".py"):
            shape, wanted = (_shape(ast.parse(made)) for made in (code, plain.files[path]))
            assert shape == wanted, path


def _shape(tree: ast.Module) -> str:
    """The code without the values of its texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


# Right code: the names of these quantities, hyperparameters, keys and classes are exchanged for hostile ones.
SLOTS = "theta g m v u hat s lr betas b1 b2 eps wd flag key1 key2 constant cls".split()
HARMLESS = {slot: f"qz{k}z" for k, slot in enumerate(SLOTS)}


def elementwise(n: Mapping[str, str]) -> Rule:
    """A rule that uses each slot: variants, a recurrence on the host, a guard of the first step, a requirement."""
    with literal():
        theta, g, m, v, u, hat, s = tensors(" ".join(n[slot] for slot in SLOTS[:7]))
        lr, eps, wd = hyper(n["lr"], 1e-3, at_least=0), hyper(n["eps"], 1e-8), hyper(n["wd"], 0.1, at_least=0)
        b1, b2 = hyper(n["betas"], (0.9, 0.99), names=f"{n['b1']} {n['b2']}")
        fast = flag(n["flag"], False)
        step = Piecewise((hat[t], fast), (m[t] / (1 - b1**t), True)) / (sqrt(v[t]) + eps)
        return Rule(
            param=theta,
            grad=g,
            name=n["cls"],
            state_keys={m: n["key1"], v: n["key2"]},
            init={s: 1},
            group_constants={n["constant"]: True},
            requires=[(eps > 0, "must be positive")],
            equations=[
                Eq(u[t], Piecewise((g[t] + wd * theta[t - 1], Ne(wd, 0)), (g[t], True))),
                Eq(m[t], Piecewise((u[t], first), (b1 * m[t - 1] + (1 - b1) * u[t], True))),
                Eq(v[t], b2 * v[t - 1] + (1 - b2) * u[t] ** 2),
                Eq(s[t], s[t - 1] * b1),
                Eq(hat[t], m[t] / (1 - s[t])),
                Eq(theta[t], theta[t - 1] - lr * step),
            ],
        )


def matrices(n: Mapping[str, str]) -> Rule:
    """The same slots in a rule of statistics and products."""
    with literal():
        theta, g, m, v, u, hat, s = tensors(" ".join(n[slot] for slot in SLOTS[:7]))
        lr, eps, wd = hyper(n["lr"], 1e-3, at_least=0), hyper(n["eps"], 1e-8), hyper(n["wd"], 0.1, at_least=0)
        b1, b2 = hyper(n["betas"], (0.9, 0.99), names=f"{n['b1']} {n['b2']}")
        fast = flag(n["flag"], False)
        return Rule(
            param=theta,
            grad=g,
            name=n["cls"],
            state_keys={m: n["key1"], v: n["key2"]},
            init={u: theta},
            group_constants={n["constant"]: True},
            min_ndim=2,
            equations=[
                Eq(m[t], b1 * m[t - 1] + (1 - b1) * mean(g[t] ** 2, cols)),
                Eq(v[t], b2 * v[t - 1] + mean(g[t] ** 2, rows)),
                Eq(s[t], norm(theta[t - 1], elems) / (norm(g[t], elems) + eps)),
                Eq(u[t], u[t - 1] + wd * g[t]),
                Eq(hat[t], matmul(matmul(g[t], transpose(g[t])), g[t]) / sqrt(m[t] * v[t])),
                Eq(theta[t], theta[t - 1] - lr * s[t] * Piecewise((hat[t], fast), (u[t], True))),
            ],
        )


def schedule(n: Mapping[str, str]) -> Schedule:
    """Four slots as a schedule's."""
    with literal():
        a, b, c = (hyper(n[slot], default, at_least=0) for slot, default in (("lr", None), ("eps", 0.5), ("wd", 3)))
        return Schedule(
            value=Piecewise((t / a, t < c), (b ** (t / a), True)), name=n["cls"], requires=[(b > 0, "must be positive")]
        )


KINDS: dict[str, Callable[[Mapping[str, str]], Rule | Schedule]] = {
    made.__name__: made for made in (elementwise, matrices, schedule)
}


@cache
def harmless(kind: str) -> dict[str, str]:
    """The files of a kind of rule, by backend folder and file ending, with harmless names."""
    return _by_backend(build([KINDS[kind](HARMLESS)]))


def _by_backend(made: Built) -> dict[str, str]:
    files = {path: text for path, text in made.files.items() if not Path(path).name.startswith("_")}
    return {f"{Path(path).parent} {Path(path).suffix}": text for path, text in files.items()}


def exchanged(text: str, names: Mapping[str, str]) -> str:
    """A harmless text with each harmless name exchanged, and with each name in lower case, as that of a module."""
    low = names["cls"].lower()
    text = re.sub(rf"(import|return) {HARMLESS['cls']}\n", lambda found: f"{found[1]} {low}\n", text)
    text = re.sub(r"QZ\d+Z", lambda found: names[SLOT_OF[found[0].lower()]].upper(), text)  # a macro of C
    return re.sub(r"qz\d+z", lambda found: names[SLOT_OF[found[0]]], text)


SLOT_OF = {name: slot for slot, name in HARMLESS.items()}


def wrong(kind: str, names: Mapping[str, str]) -> list[str]:
    """What is wrong with the code for these names: nothing, or if they are refused, with each of them alone."""
    try:
        made = build([KINDS[kind](names)])
    except RuleError as error:
        if len(set(names.values()) - set(HARMLESS.values())) < 2:
            return [] if "hint: " in str(error) else [f"no hint: {error}"]
        return [fault for slot, name in names.items() for fault in wrong(kind, {**HARMLESS, slot: name})]
    files = _by_backend(made)
    found = [fault for where, text in files.items() for fault in _faults(kind, where, text, names)]
    told = " ".join(re.findall(r"'(\w+)'", " ".join(why for _, _, why in made.refused)))  # or what is named after it
    refused = {slot: HARMLESS[slot] for slot, name in names.items() if name in told and name != HARMLESS[slot]}
    assert bool(refused) == (files.keys() != harmless(kind).keys()), made.refused
    return found + (wrong(kind, {**names, **refused}) if refused else [])


def _faults(kind: str, where: str, text: str, names: Mapping[str, str]) -> Iterator[str]:
    wanted = exchanged(harmless(kind)[where], names)
    told = {slot: name for slot, name in names.items() if name != HARMLESS[slot]}
    if _code(text, where) == _code(wanted, where):
        met = list(_meetings(kind, where, names))
        if met:
            yield f"{kind} {where}: {met} of {told}"
    elif not _same(text, wanted, where) and not _equal(kind, names):
        yield f"{kind} {where}: not the same code for {told}"


def _equal(kind: str, names: Mapping[str, str]) -> bool:
    """Whether both rules compute the same, where one name had to give way in a variant and the code differs for it."""
    made = [_results(kind, given) for given in (HARMLESS, names)]
    return all(np.array_equal(a, b) for a, b in zip(*made, strict=True))


@cache
def _workshop() -> Workshop:
    return Workshop(Path(tempfile.mkdtemp()))


def _results(kind: str, names: Mapping[str, str]) -> list[np.ndarray[Any, Any]]:
    """The parameter after each of three steps of NumPy's and of torch's code, with the flag off and on."""
    made = KINDS[kind](names)
    assert isinstance(made, Rule)
    modules = _workshop().build(made)
    start = np.linspace(-1, 1, 12, dtype=np.float32).reshape(3, 4)
    found = []
    for fast in (False, True):
        hypers = {names["flag"]: fast}
        weights, states = [start], modules["numpy"].init([start])
        parameter = torch.nn.Parameter(torch.tensor(start))
        chosen = getattr(modules["torch"], next(n for n in dir(modules["torch"]) if n.startswith("Drawn")))
        stepper = chosen([parameter], **hypers)
        for count in (1, 2, 3):
            weights, states = modules["numpy"].step(weights, [start * count], states, count, **hypers)
            parameter.grad = torch.tensor(start * count)
            stepper.step()
            found += [weights[0], parameter.detach().numpy().copy()]
    return found


def _same(text: str, wanted: str, where: str) -> bool:
    """Whether two texts do the same. A scalar that is named after one that is too long may have another name."""
    if _code(text, where) != _code(wanted, where):
        ours, theirs = (dict.fromkeys(words(made)) for made in (text, wanted))
        new, old = ([word for word in a if word not in b] for a, b in ((ours, theirs), (theirs, ours)))
        if len(new) != len(old) or not all(re.search(r"_(scale|if)\d*$", word) for word in new):
            return False
        named = dict(zip(new, old, strict=True))
        text = re.sub(r"\w+", lambda found: named.get(found[0], found[0]), text)
    return _code(text, where) == _code(wanted, where)


def _code(text: str, where: str) -> str:
    """What a text does, without its comments, its layout, its types and the order of its keyword-only arguments."""
    if where.endswith(".py"):
        tree = ast.parse(text)
        for node in ast.walk(tree):
            match node:
                case ast.Expr(value=ast.Constant() as about):
                    about.value = ""
                case ast.arg():
                    node.annotation = None
                case ast.arguments(kwonlyargs=[_, *_]):
                    pairs = zip(node.kwonlyargs, node.kw_defaults, strict=True)
                    node.kwonlyargs, node.kw_defaults = map(
                        list, zip(*sorted(pairs, key=lambda p: p[0].arg), strict=True)
                    )
        return ast.dump(tree)
    return " ".join(re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S).split())


def _meetings(kind: str, where: str, names: Mapping[str, str]) -> Iterator[str]:
    """Names that would stand for two things in one scope, once the harmless ones are exchanged."""
    for scope in _scopes(kind, where):
        ours = sorted(word for word in scope if "qz" in word.lower())
        theirs = [exchanged(word, names) for word in ours]
        yield from sorted(set(theirs) & (scope - set(ours)))
        yield from sorted({name for name in theirs if theirs.count(name) > 1})


@cache
def _scopes(kind: str, where: str) -> tuple[frozenset[str], ...]:
    """The names that each function of a harmless file uses, and that the file does. All of a C file is one scope."""
    text = harmless(kind)[where]
    if not where.endswith(".py"):
        plain = re.sub(
            r"/\*.*?\*/|//[^\n]*|#\s*pragma[^\n]*|#\s*\w+|\"[^\"\n]*\"|(?:\.|->)\s*\w+", "", text, flags=re.S
        )
        return (frozenset(words(plain)),)
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    named = [frozenset(_used(scope, scope)) for scope in (tree, *functions)]
    texts = [{node.value for node in ast.walk(scope) if isinstance(node, ast.Constant)} for scope in functions]
    return (*named, *(frozenset(t for t in found if isinstance(t, str) and t.isidentifier()) for found in texts))


def _used(node: ast.AST, scope: ast.AST) -> Iterator[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name
    if isinstance(node, ast.FunctionDef) and node is not scope:
        return
    match node:
        case ast.Name(id=name) | ast.arg(arg=name) | ast.alias(name=name, asname=None):
            yield name
        case ast.alias(asname=str(name)):
            yield name
    bound = set(words(ast.unparse([c.target for c in node.generators][0]))) if isinstance(node, ast.ListComp) else set()  # noqa: RUF015
    for child in ast.iter_child_nodes(node):
        yield from (name for name in _used(child, scope) if name not in bound)


def used(kind: str) -> list[str]:
    """Every name that the harmless code holds, and every form that a name takes in it, as far as they are accepted."""
    texts = harmless(kind).items()
    found = {word for where, text in texts for word in words(_uncommented(text, where))}
    forms = {re.sub(r"(?i)qz\d+z", "{}", word) for word in found if "qz" in word.lower()} - {"{}"}
    derived = {form.format(*["lr"] * 3) for form in forms} | {form.format(*["m"] * 3) for form in forms}
    plain = sorted(name for name in found | derived if "qz" not in name.lower() and is_plain(name))
    return [name for name in plain if not _refusal(partial(check_identifier, name, "x", None))]


def _uncommented(text: str, where: str) -> str:
    """The code without what is said about it."""
    if not where.endswith(".py"):
        return re.sub(r"/\*.*?\*/|//[^\n]*|#\s*pragma[^\n]*|#\s*\w+", "", text, flags=re.S)
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = ""
    return ast.unparse(tree)


def turns(names: Sequence[str], slots: Sequence[str], every: int) -> Iterator[dict[str, str]]:
    """The names in groups of one for each slot, turned round so that each stands in every slot, or in some of them."""
    spare = [f"spare{k}" for k in range(len(slots))]
    for number, start in enumerate(range(0, len(names), len(slots))):
        group = [*names[start : start + len(slots)], *spare][: len(slots)]
        for turn in range(number % every, len(slots), every):
            yield {**HARMLESS, **{slot: group[(k + turn) % len(slots)] for k, slot in enumerate(slots)}}


@pytest.mark.parametrize("kind", KINDS)
def test_the_harmless_code_holds_what_it_should(kind: str) -> None:
    assert wrong(kind, HARMLESS) == []
    assert wrong(kind, {**HARMLESS, "lr": "rate", "wd": "decay", "cls": "Good"}) == []
    assert len(used(kind)) > (0 if kind == "schedule" else 40)


def test_what_generated_code_imports_of_its_runtime_is_reserved() -> None:
    assert torch_backend.OFFERED <= RESERVED


@pytest.mark.parametrize("kind", KINDS)
def test_no_name_meets_one_that_generated_code_uses(kind: str) -> None:
    """Each name that the code itself uses, in the places of the names that a rule gives."""
    slots = ("lr", "eps", "wd", "cls") if kind == "schedule" else SLOTS
    assert [fault for names in turns(used(kind), slots, EVERY) for fault in wrong(kind, names)] == []


WIDE = 100


def wide(names: Sequence[str]) -> Rule:
    """A rule of a hundred names: states, quantities of one step and hyperparameters, a third each."""
    with literal():
        quantities = [tensors(name) for name in names[: 2 * WIDE // 3]]
        hypers = [hyper(name, 0.5) for name in names[2 * WIDE // 3 :]]
        made, before = [], g[t]
        for k, quantity in enumerate(quantities):
            past = quantity[t - 1] if k % 2 else theta[t - 1]
            made.append(Eq(quantity[t], past + hypers[k % len(hypers)] * before))
            before = quantity[t]
        return Rule(param=theta, grad=g, name="Wide", equations=[*made, Eq(theta[t], theta[t - 1] - before)])


def test_every_name_that_is_accepted_builds_the_code_of_a_harmless_one() -> None:
    plain = [f"qz{k}z" for k in range(WIDE)]
    wanted, scopes = _by_backend(build([wide(plain)])), {}
    for where, text in wanted.items():
        scopes[where] = set(words(_uncommented(text, where)))
    names, apart = list(accepted())[::EVERY], []
    while names:
        group = names[:WIDE]
        names = names[WIDE:]
        group += [f"spare{k}" for k in range(WIDE - len(group))]
        try:
            made = build([wide(group)])
        except RuleError as error:
            told = set(words(str(error)))
            met = {name for name in group if name in told and not name.startswith("spare")} or {group[0]}
            apart += sorted(met)
            names = [name for name in group if name not in met and not name.startswith("spare")] + names
            continue
        exchange = dict(zip(plain, group, strict=True))
        for where, text in _by_backend(made).items():
            same = re.sub(r"qz\d+z", lambda found: exchange[found[0]], wanted[where])  # noqa: B023
            assert _same(text, same, where), (where, group)
    assert len(apart) < len(accepted()) // EVERY // 10  # these meet each other, or what they are named after
    for name in set(apart) - {"theta", "g"}:
        build([wide([name, *plain[1:]])], ["numpy", "torch"])


@pytest.mark.parametrize("name", ["With", "Lambda", "Torch", "Triton", "Int", "Main"])
def test_a_class_whose_module_would_be_reserved_is_refused(name: str) -> None:
    said = _refusal(partial(build, [rule(name=name)]))
    assert f"rule '{name}' would be the module {name.lower()}" in said
    assert f"for example {name}0" in said
    assert build([rule(name=f"{name}0")]).files


@needs.a_c_compiler
def test_what_the_headers_define_is_refused_for_c(tmp_path: Path) -> None:
    """The preprocessor knows no scopes: a name that a header defines would become something else."""
    for name, text in build([rule(name="Plain")], ["c"]).files.items():
        if name.endswith(".h"):
            (tmp_path / Path(name).name).write_text(text)
    include = [word for path in sorted(tmp_path.iterdir()) for word in ("-include", str(path))]
    fixed = ["-std=c99", "-Dreal=float", "-Dgrad_type=fp32", "-DSTORED=1", "-DSCALARS=1"]
    command = [needs.C_COMPILER, *fixed, "-dM", "-E", "-x", "c", *include, "-"]
    said = subprocess.run(command, input="", text=True, capture_output=True, check=True).stdout
    macros = [name for name in re.findall(r"#define (\w+) ", said) if is_plain(name)]  # without arguments
    assert len(macros) > 50
    assert [name for name in macros if not _refusal(partial(_state_of, name))] == []


def _state_of(name: str) -> object:
    m = tensors(name)
    with literal():
        return build([rule(Eq(m[t], m[t - 1] / 2 + g[t]), Eq(theta[t], theta[t - 1] - m[t]), name="Macro")], ["c"])
