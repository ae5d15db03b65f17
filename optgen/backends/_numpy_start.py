"""How states start in a module for NumPy."""

from __future__ import annotations

from collections.abc import Iterator

from optgen.backends._numpy_formats import kept, places
from optgen.dsl.rule import Rule
from optgen.ir import Place, Role, Step, Var
from optgen.languages import HOST
from optgen.listing import annotation, extents, host_names
from optgen.printers import to_text
from optgen.weave import Item

LIKE = {  # an array of a state's shape, by the extents of its axes
    (): "{0}.sum()",
    ("batch",): "{0}[..., :1, :1]",
    ("batch", "rows"): "{0}[..., :1]",
    ("batch", "cols"): "{0}[..., :1, :]",
    ("batch", "rows", "cols"): "{0}",
    ("batch", "rows", "rows"): "np.broadcast_to({0}[..., :1], (*{0}.shape[:-1], {0}.shape[-2]))",
    ("batch", "cols", "cols"): "np.broadcast_to({0}[..., :1, :], (*{0}.shape[:-2], {0}.shape[-1], {0}.shape[-1]))",
    ("batch", "cols", "rows"): "np.swapaxes({0}, -1, -2)",
}


def type_of(rule: Rule, name: str) -> str:
    """The type of a hyperparameter that the start of a state reads."""
    return next(annotation(d) if not d.is_tuple else "float" for d in rule.declarations if name in d.names)


def start_items(step: Step) -> Iterator[Item]:
    """A line for each state."""
    param = step.of_role(Role.PARAM)[0].name
    for state in step.of_role(Role.STATE):
        value = _initial(state, param, host_names(step))
        yield (f"{', '.join(places(state, 'kept'))} = {kept(state, value, value)}",)


def _initial(state: Var, param: str, host: frozenset[str]) -> str:
    if state.tensor_init:
        return f"{state.init.name}.copy()"
    value = to_text(state.init, HOST, host)
    if state.place is Place.HOST:
        return f"float({value})"
    like = LIKE[extents(state)].format(param)
    return f"np.zeros_like({like})" if value in ("0", "0.0") else f"np.full_like({like}, {value})"
