"""Fields: of which type and form each part of a rule is, besides its equations."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from optgen.dsl.names import OPTIONS, name_problem
from optgen.dsl.structural import Structural
from optgen.errors import Loc, Problem

Check = Callable[[Any], bool]


def field_problems(holder: Any, loc: Loc) -> Iterator[Problem]:
    """What is wrong with the fields of a rule or a schedule, each looked at alone."""
    for name, (admits, wanted, example) in FIELDS.items():
        if hasattr(holder, name) and not admits(getattr(holder, name)):
            yield Problem(f"{name} must be {wanted}", loc.of(name), f"write {name}={example}")
    if hasattr(holder, "group_constants") and isinstance(holder.group_constants, Mapping):
        for key in holder.group_constants:
            problem = name_problem(key, "group constant", loc.of("group_constants"))
            if problem or key in OPTIONS:
                yield problem or Problem(f"group constant {key!r} is an option", loc, "remove it")


def _is_text(value: Any) -> bool:
    return type(value) is str  # a subclass may print as something else than it holds


def _is_list(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _is_requirements(value: Any) -> bool:
    return _is_list(value) and all(isinstance(x, tuple) and len(x) == 2 and _is_text(x[1]) for x in value)


def _is_structural(value: Any) -> bool:
    return _is_list(value) and all(isinstance(one, Structural) for one in value)


def _is_rank(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value <= 64)


def _is_count(value: Any) -> bool:
    return value is None or (type(value) is int and value >= 0)


def _is_storage(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_is_text(x) for pair in value.items() for x in pair)


def _is_flag(value: Any) -> bool:
    return type(value) is bool


def _is_rates(value: Any) -> bool:
    return isinstance(value, Mapping) and all(_is_text(task) and _is_range(rates) for task, rates in value.items())


def _is_range(rates: Any) -> bool:
    numbers = isinstance(rates, tuple) and len(rates) == 2 and all(type(x) in (int, float) for x in rates)
    return numbers and 0 <= rates[0] <= rates[1] < math.inf


FIELDS: Mapping[str, tuple[Check, str, str]] = {
    "equations": (_is_list, "a list of equations", "[Eq(theta[t], ...), ...]"),
    "state_keys": (lambda v: isinstance(v, Mapping), "a dict of quantities and names", '{m: "momentum_buffer"}'),
    "inputs": (lambda v: isinstance(v, Mapping), "a dict of quantities and names", '{H: "hessian"}'),
    "init": (lambda v: isinstance(v, Mapping), "a dict of quantities and values", "{v: 1e-6}"),
    "requires": (_is_requirements, "a list of pairs of a condition and a text", '[(momentum > 0, "...")]'),
    "ndim": (_is_rank, "None or a number of axes", "2"),
    "min_ndim": (_is_rank, "None or a number of axes", "2"),
    "min_numel": (_is_count, "None or a number of elements", "4096"),
    "storage": (_is_storage, "a dict of names and storage formats", '{"m": "int8"}'),
    "options": (_is_text, "a text", '"--storage int8"'),
    "name": (_is_text, "a text", '"MyRule"'),
    "doc": (_is_text, "a text", '"MyRule. Authors, Title, year."'),
    "source": (_is_text, "a text", '"my_rule.py"'),
    "to_train": (_is_list, "a list of equations", "[Eq(theta[t], ...), ...]"),
    "to_eval": (_is_list, "a list of equations", "[Eq(theta[t], ...), ...]"),
    "structural": (_is_structural, "a list of structural parameters", '[structural("steps", 5)]'),
    "signature": (_is_text, "a text", '"lr betas * maximize foreach"'),
    "state_at_construction": (_is_flag, "True or False", "True"),
    "sparse": (_is_flag, "True or False", "True"),
    "sparse_refusal": (_is_text, "a text", '"MyRule does not support sparse gradients"'),
    "group_constants": (
        lambda v: isinstance(v, Mapping) and all(_is_flag(x) for x in v.values()),
        "a dict of names and Booleans",
        '{"decoupled_weight_decay": True}',
    ),
    "typical_lr": (_is_rates, "a dict of tasks and (lowest, highest) rates", '{"pretraining": (1e-4, 3e-4)}'),
    "use": (_is_text, "a text", '"LLM training"'),
}
