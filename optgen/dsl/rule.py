"""Rule: the recurrences of one optimizer, or the factor of one learning-rate schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sympy
from sympy import Indexed, IndexedBase

from optgen.dsl.expression import expression
from optgen.dsl.fields import field_problems
from optgen.dsl.inputs import input_problems
from optgen.dsl.names import caller, check_identifier, name_problem, shown
from optgen.dsl.structural import Structural
from optgen.dsl.symbols import Declaration, Hyper, t
from optgen.errors import Loc, Problem, RuleError


@dataclass(frozen=True, slots=True, init=False)
class Eq:
    """One equation, `lhs = rhs`, that knows where it was written. It never evaluates, as sympy.Eq does."""

    lhs: Any
    rhs: Any
    loc: Loc | None = field(compare=False)

    def __init__(self, lhs: Any, rhs: Any) -> None:
        loc = caller()
        object.__setattr__(self, "lhs", expression(lhs, "the left side of the equation", loc))
        object.__setattr__(self, "rhs", expression(rhs, "the right side of the equation", loc))
        object.__setattr__(self, "loc", loc)

    def _sympy_(self) -> Any:
        """As a condition, in a Piecewise or beside & | ~, an equation is SymPy's relation."""
        return sympy.Equality(self.lhs, self.rhs)

    def __and__(self, other: Any) -> Any:
        return sympy.And(self, other)

    def __or__(self, other: Any) -> Any:
        return sympy.Or(self, other)

    def __invert__(self) -> Any:
        return sympy.Not(self)


@dataclass(frozen=True, slots=True)
class Rule:
    """An optimizer: what one step does to one parameter.

    param, grad: the quantities that hold the parameter and its gradient.
    inputs: quantities that a step is given besides, by name: tensors shaped as the parameter, each at t only.
    equations: in the order in which they are computed. A quantity is state if and only if its past is read.
    state_keys: names of states in a checkpoint; `{t: "step"}` stores the step count.
    init: what a state starts from, 0 if absent: a number, an expression of hyperparameters, param, grad.
    requires: pairs (condition on hyperparameters, message), checked whenever values are given.
    ndim, min_ndim, min_numel, otherwise: which shapes the rule is for, and the rule for all others, a Rule. What both
    call by one name is one argument of the constructor, with the default and the bounds that this rule gives it.
    structural: parameters that are fixed when the class is built.
    to_train, to_eval: equations that change the parameter and the states when the mode changes, in both directions.
    signature: constructor arguments in order, `*` before the keyword-only ones, where a class of torch sets it.
    state_at_construction: the constructor creates the states, not a parameter's first step.
    sparse: sparse gradients are accepted. sparse_refusal: what is said of one else, where a class of torch has words
    of its own. group_constants: what the class of torch keeps in its groups besides.
    typical_lr: task -> (lowest, highest) learning rate. use: what it is used for, in a line.
    storage: the formats of states, by their names, and of the parameter, as `param`; see `stored`. options: those of
    `optgen build` that made this rule of the one in its file.
    Raises RuleError for what is no equation, a state key that is invalid or given twice, an unknown quantity.
    """

    param: Any
    grad: Any
    equations: Sequence[Eq]
    inputs: Mapping[Any, str] = field(default_factory=dict)
    state_keys: Mapping[Any, str] = field(default_factory=dict)
    init: Mapping[Any, Any] = field(default_factory=dict)
    requires: Sequence[tuple[Any, str]] = ()
    ndim: int | None = None
    min_ndim: int | None = None
    min_numel: int | None = None
    otherwise: Any = None
    name: str = ""
    doc: str = ""
    source: str = ""
    signature: str = ""
    structural: Sequence[Structural] = ()
    to_train: Sequence[Eq] = ()
    to_eval: Sequence[Eq] = ()
    state_at_construction: bool = False
    sparse: bool = False
    sparse_refusal: str = ""
    group_constants: Mapping[str, bool] = field(default_factory=dict)
    typical_lr: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    use: str = ""
    storage: Mapping[str, str] = field(default_factory=dict)
    options: str = ""
    loc: Loc | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        loc = self.loc or caller(2)
        object.__setattr__(self, "loc", loc)
        _check_fields(self, loc)
        if self.otherwise is not None and not isinstance(self.otherwise, Rule):
            hint = 'write otherwise=another, where another = Rule(...), or load("adamw")'
            raise RuleError(f"otherwise is {_text(self.otherwise)}, not a Rule", loc.of("otherwise"), hint)
        object.__setattr__(self, "equations", tuple(self.equations))
        for name in ("structural", "to_train", "to_eval"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "requires", _conditions(self.requires, loc))
        starts = {q: expression(v, f"the initial value of {_text(q)}", loc.of("init")) for q, v in self.init.items()}
        object.__setattr__(self, "init", starts)
        # what stands in the equations is looked at once they are known to be some
        problems = list(self._check_equations(loc)) or [*self._check_keys(loc), *self._check_quantities(loc)]
        if problems:
            raise RuleError.several(problems)

    def expressions(self) -> Iterator[Any]:
        """Every expression that the rule is made of."""
        for equation in self.equations:
            yield equation.lhs
            yield equation.rhs
        yield from self.init.values()
        yield from (condition for condition, _ in self.requires)

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """The constructor's arguments, in the order of declaration; then those that only `otherwise` has."""
        own = declarations_of(self.expressions())
        names = {d.name for d in own}
        others: tuple[Declaration, ...] = self.otherwise.declarations if self.otherwise is not None else ()
        return (*own, *(d for d in others if d.name not in names))

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of all constructor arguments that the rule itself makes."""
        return (*(d.name for d in self.declarations), *(one.name for one in self.structural))

    @property
    def modes(self) -> dict[str, Rule]:
        """What `train()` and `eval()` do, each as a rule of its own; empty where there is only one mode."""
        found = {"train": self.to_train, "eval": self.to_eval}
        return {name: self._mode(equations) for name, equations in found.items() if equations}

    def _mode(self, equations: Sequence[Eq]) -> Rule:
        """The rule of some equations, in which all other states stay as they are."""
        made = {equation.lhs.base for equation in equations}
        past = {node.base: node for e in equations for node in e.rhs.atoms(Indexed) if node.indices[0] != t}
        states = past.keys() - {self.param}
        kept = [Eq(q[t], past[q]) for q in sorted(states - made, key=str)]
        return replace(
            self, equations=(*equations, *kept), inputs={}, requires=(), signature="", structural=(), to_train=(),
            to_eval=(), otherwise=None, state_at_construction=False,
            init={q: v for q, v in self.init.items() if q in states},
            state_keys={q: key for q, key in self.state_keys.items() if q in states},
        )

    def _check_equations(self, loc: Loc) -> Iterator[Problem]:
        if not self.equations:
            yield Problem("the rule has no equations", loc, "write equations=[Eq(theta[t], ...)]")
        for number, equation in enumerate(self.equations, 1):
            if not isinstance(equation, Eq):
                message = f"equation {number} is {_text(equation)}, not an equation of optgen"
                yield Problem(message, loc.of("equations"), _instead(equation))
            elif not isinstance(equation.lhs, Indexed) or len(equation.lhs.indices) != 1:
                name = next((str(base.label) for base in equation.lhs.atoms(IndexedBase)), "m")
                hint = f"write Eq({name}[t], ...), and all else on the right"
                yield Problem(f"the left side {equation.lhs} is not a quantity at one index", equation.loc, hint)

    def _check_keys(self, loc: Loc) -> Iterator[Problem]:
        loc = loc.of("state_keys")
        seen: dict[Any, Any] = {}
        for quantity, key in self.state_keys.items():
            name = _text(quantity)
            problem = name_problem(key, "state key", loc, frozenset(["param"]))
            if problem:
                yield problem
            elif key in seen:
                yield Problem(
                    f"the state key {key!r} is given to both {seen[key]} and {name}",
                    loc,
                    "give each state a key of its own",
                )
            elif (key == "step") != (quantity == t):
                yield Problem(
                    f"the state key of {name} is {key!r}, but 'step' is that of the step count t and of nothing else",
                    loc,
                    "choose another key; {t: 'step'} stores the count",
                )
            seen[key] = name

    def _check_quantities(self, loc: Loc) -> Iterator[Problem]:
        for where, what in (("param", self.param), ("grad", self.grad)):
            if not isinstance(what, IndexedBase):
                hint = f'write {where}=theta without quotes or index, where theta = tensors("theta")'
                yield Problem(f"{where} is {_text(what)}, which is no quantity", loc.of(where), hint)
        if isinstance(self.param, IndexedBase) and self.param == self.grad:
            yield Problem(f"{_text(self.param)} is both param and grad", loc.of("grad"), "declare a quantity for each")
        taken = {self.param: "param", self.grad: "grad"}
        yield from input_problems(self.inputs, taken, loc.of("inputs"))
        used = {atom for e in self.expressions() for atom in e.atoms(IndexedBase)} | {self.param, self.grad, t}
        for where, quantities in (("state_keys", self.state_keys), ("init", self.init), ("inputs", self.inputs)):
            for quantity in quantities:
                if quantity not in used and (where != "inputs" or isinstance(quantity, IndexedBase)):
                    is_text = isinstance(quantity, str)
                    hint = "write the quantity itself, without quotes" if is_text else "remove it, or correct its name"
                    yield Problem(f"{where} names {_text(quantity)}, which stands in no equation", loc.of(where), hint)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A learning-rate schedule: lr(t) = initial lr * value, with t = 0 at the first step.

    value: an expression of t and hyperparameters; a hyperparameter whose default is None must be given.
    Raises RuleError if the value reads a quantity other than t.
    """

    value: Any
    requires: Sequence[tuple[Any, str]] = ()
    name: str = ""
    doc: str = ""
    source: str = ""
    use: str = ""
    loc: Loc | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        loc = self.loc or caller(2)
        object.__setattr__(self, "loc", loc)
        _check_fields(self, loc)
        object.__setattr__(self, "value", expression(self.value, "the value of the schedule", loc))
        object.__setattr__(self, "requires", _conditions(self.requires, loc))
        symbols = {s for s in self.value.free_symbols if not isinstance(s, (Hyper, Indexed))}
        strangers = sorted(str(s) for s in symbols - {t})
        if strangers:
            raise RuleError(
                f"the schedule reads {', '.join(strangers)}",
                loc,
                "a schedule is an expression of t and hyperparameters declared with hyper(...)",
            )

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """The constructor's arguments, in the order of declaration."""
        return declarations_of([self.value, *(condition for condition, _ in self.requires)])


def declarations_of(expressions: Any) -> tuple[Declaration, ...]:
    """The declarations of all hyperparameters in the expressions, each once, in the order of declaration."""
    found = {a.declaration for e in expressions for a in e.atoms(Hyper)}
    return tuple(sorted(found, key=lambda d: d.order))


def _check_fields(made: Rule | Schedule, loc: Loc) -> None:
    problems = list(field_problems(made, loc))
    if problems:
        raise RuleError.several(problems)
    if made.name:
        check_identifier(made.name, "rule", loc)


def _conditions(requires: Sequence[tuple[Any, str]], loc: Loc) -> tuple[tuple[Any, str], ...]:
    loc = loc.of("requires")
    return tuple((expression(condition, "a condition of requires", loc), message) for condition, message in requires)


def _instead(equation: Any) -> str:
    """What to write for something that is no equation."""
    match equation:
        case bool():
            return "Python decides a == b at once: write Eq(a, b)"
        case tuple():
            return "a comma after Eq(...) makes a tuple of it: remove the comma"
        case _:
            return "use Eq of optgen: sympy.Eq evaluates its arguments, and Eq(x, x) becomes True"


def _text(value: Any) -> str:
    """What stands where a quantity or an equation should, in a message."""
    if isinstance(value, (IndexedBase, sympy.Symbol)):
        return str(value)
    return f"SymPy's {type(value).__name__}" if isinstance(value, sympy.Basic) else shown(value)
