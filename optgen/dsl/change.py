"""Change: a rule on its way through a transformation, and the names, equations and states that it gets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from sympy import Indexed

from optgen.dsl.expression import expression
from optgen.dsl.functions import Piecewise
from optgen.dsl.names import check_identifier, shown
from optgen.dsl.rule import Eq, Rule
from optgen.dsl.symbols import Bounds, Declaration, Hyper, Kind, Recurrence, first, next_order, t
from optgen.errors import Loc, RuleError


@dataclass(slots=True)
class Change:
    """One transformation of one rule. name: of the function. title: what the class is called before the rule's name.

    loc: where the function was called. at: where the next equation goes.
    """

    rule: Rule
    name: str
    title: str
    prefix: str
    loc: Loc
    equations: list[Eq] = field(init=False)
    state_keys: dict[Any, str] = field(init=False)
    init: dict[Any, Any] = field(init=False)
    added: list[str] = field(default_factory=list)
    at: int = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.rule, Rule):
            raise RuleError(f"{self.name} is given {shown(self.rule)}, not a Rule", self.loc,
                            'give it a rule, such as load("adamw")')
        self.equations, self.at = list(self.rule.equations), len(self.rule.equations)
        self.state_keys, self.init = dict(self.rule.state_keys), dict(self.rule.init)

    def quantity(self, name: str) -> Any:
        """A new quantity. Raises RuleError if the rule has that name already."""
        return Recurrence(self._fresh(name, "quantity"))

    def hyper(self, name: str, default: Any, bounds: Bounds) -> Any:
        """A new hyperparameter. Raises RuleError if the rule has that name already, or for a default out of bounds."""
        name = self._fresh(name, "hyperparameter")
        if isinstance(default, bool) or not isinstance(default, (int, float)) or not bounds.admit(default):
            limits = f", which must be a number {bounds}"
            raise RuleError(f"{self.name} is given {shown(default)} for {name}{limits}", self.loc, "change it")
        self.added.append(name)
        return Hyper(name, Declaration(name, default, (name,), bounds, Kind.REAL, next_order(), self.loc))

    def _fresh(self, name: str, what: str) -> str:
        rule, made = self.rule, self.prefix + name
        hypers = {n for d in rule.declarations for n in (d.name, *d.names)}
        quantities = {str(node.base.label) for e in rule.expressions() for node in e.atoms(Indexed)}
        taken = {**dict.fromkeys(rule.inputs.values(), "input"),
                 **dict.fromkeys(rule.state_keys.values(), "state key"), **dict.fromkeys(quantities, "quantity"),
                 **dict.fromkeys(hypers, "hyperparameter")}
        if made in taken:
            raise RuleError(f"{self.name} adds the {what} {made}, but the rule has a {taken[made]} of that name",
                            self.loc, f'give what it adds other names, as with prefix="{self.name[0]}_"')
        return check_identifier(made, what, self.loc)

    def add(self, quantity: Any, rhs: Any) -> None:
        """A new equation for quantity[t]."""
        self.equations.insert(self.at, equation(quantity[t], rhs, self.loc))
        self.at += 1

    def gradient(self, quantity: Any, rhs: Any) -> None:
        """What the rule reads of its gradient becomes another quantity, computed first."""
        old, new = self.rule.grad, quantity
        late = [q for q, value in self.init.items() if value == old]
        swaps = {old[t]: new[t], old[t - 1]: new[t - 1]}
        for state in late:  # starts as the gradient, which is now a quantity of this step
            del self.init[state]
            past = new if state == old else state
            swaps[state[t - 1]] = Piecewise((new[t], first), (past[t - 1], True))
        self.state_keys = {new if q == old else q: key for q, key in self.state_keys.items()}
        self.equations = [equation(e.lhs, e.rhs.xreplace(swaps), e.loc) for e in self.equations]
        self.equations.insert(0, equation(new[t], rhs, self.loc))

    def parameter(self, suffix: str, changed: Callable[[Any], Any]) -> None:
        """The equation of the parameter gets another right side, made of its old one.

        With a suffix the old one gets a name of its own, of which the new one is made. What else reads theta[t] reads
        the new one.
        """
        target = self.rule.param[t]
        self.at = next(n for n, e in enumerate(self.equations) if e.lhs == target)
        old = self.equations.pop(self.at)
        stepped = old.rhs
        if suffix:
            quantity = self.quantity(f"{self.rule.param.label}_{suffix}")
            self.equations.insert(self.at, equation(quantity[t], old.rhs, old.loc))
            self.at += 1
            stepped = quantity[t]
        rhs = changed(stepped)
        self.equations.insert(self.at, equation(target, rhs, self.loc if suffix else old.loc))

    def nested(self, again: Callable[[Rule], Rule]) -> Rule:
        """The new rule, its `otherwise` transformed alike."""
        other = self.rule.otherwise
        return replace(self.made(), otherwise=again(other) if other is not None else None)

    def made(self) -> Rule:
        """The new rule."""
        rule = self.rule
        keyword = self.added if "*" in rule.signature.split() else ["*", *self.added] if self.added else []
        name = f"{self.title}{rule.name}" if rule.name else ""
        about = rule.doc.removeprefix(f"{rule.name}.").strip()
        return replace(
            rule,
            equations=self.equations,
            state_keys=self.state_keys,
            init=self.init,
            signature=" ".join([rule.signature, *keyword]) if rule.signature else "",
            name=name,
            doc=f"{name}. By {self.name}. {about}" if rule.doc else "",
            source="",
            sparse=False,
            sparse_refusal="",
            typical_lr=rule.typical_lr,
            use="",
            loc=self.loc,
        )


def equation(lhs: Any, rhs: Any, loc: Loc | None) -> Eq:
    """An equation that stands elsewhere than in this file."""
    made = Eq(lhs, rhs)
    object.__setattr__(made, "rhs", expression(rhs, "the right side of the equation", loc))
    object.__setattr__(made, "loc", loc)
    return made
