"""Cases: which variants of a rule, shapes, layouts and numbers a backend is compared on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sympy.core.relational import Relational

from optgen import oracle
from optgen.bounds import FP16, Format
from optgen.dsl.functions import REDUCTIONS, bfloat16, matmul, transpose
from optgen.dsl.inputs import Given
from optgen.dsl.rule import Rule, Schedule
from optgen.dsl.symbols import EXTENTS, Declaration, Hyper, Kind, cols, model, rows

Hypers = Mapping[str, Any]
Array = Any
NUMBERS = (0.5, 0, 0.03, 1, 2, -0.5)  # tried in this order where a hyperparameter has no value of its own
MOST_COMBINATIONS = 4096
MOST_IN_PRODUCTS = 100  # elements: the bound of a product of products grows by a power of their length


MOST_IF_ROUNDED = 16  # and where products are rounded, each sum may lie near a tie, from where on nothing is known


@dataclass(frozen=True, slots=True)
class Variant:
    """Values of hyperparameters, and a name that says what is special about them."""

    name: str
    hypers: Hypers


@dataclass(frozen=True, slots=True)
class Shapes:
    """A class of shapes: one model. layout: how each tensor lies in memory. wild: magnitudes from 1e-15 to 1e10.

    extreme: from 1e-38 to 1e18, where squares underflow and overflow, and a bound may leave an element open.
    """

    name: str
    shapes: tuple[tuple[int, ...], ...]
    layout: str = "plain"
    wild: bool = False
    extreme: bool = False
    missing: bool = False


SHAPES = (
    Shapes("0-d", ((),)),
    Shapes("empty", ((0,), (0, 4), (5, 3))),
    Shapes("odd", ((17,),)),
    Shapes("tall", ((19, 4),)),
    Shapes("wide", ((3, 23),)),
    Shapes("3-d", ((2, 5, 7),)),
    Shapes("slice", ((12, 5), (7,)), layout="slice"),
    Shapes("transposed", ((6, 11), (4, 3)), layout="transposed"),
    Shapes("several", ((8, 3), (9,), (), (2, 3, 4)), missing=True),
    Shapes("large", ((70001,),), wild=True),
    Shapes("extreme", ((2003,),), extreme=True),
)
MATRICES = (Shapes("large", ((263, 267),), wild=True), Shapes("extreme", ((43, 47),), extreme=True))


def shapes_for(rule: Rule) -> list[Shapes]:
    """The classes of shapes that a rule is for."""
    most = MOST_IN_PRODUCTS if any(eq.rhs.has(matmul) for eq in rule.equations) else None
    most = MOST_IF_ROUNDED if most and any(eq.rhs.has(bfloat16) for eq in rule.equations) else most
    every = [*SHAPES, *(MATRICES if _is_matrix_rule(rule) else [])]
    return [kept for shapes in (every if most is None else [smaller(shapes, most) for shapes in every])
            if (kept := replace(shapes, shapes=tuple(s for s in shapes.shapes if _fits(rule, len(s))))).shapes]


def _fits(rule: Rule, ndim: int) -> bool:
    least = max(rule.min_ndim or 0, 2 if _is_matrix_rule(rule) else 0)
    fits = (rule.ndim is None or ndim == rule.ndim) and ndim >= least
    return fits or (rule.otherwise is not None and _fits(rule.otherwise, ndim))


def _is_matrix_rule(rule: Rule) -> bool:
    nodes = [node for equation in rule.equations for node in equation.rhs.atoms(*REDUCTIONS, matmul, transpose)]
    return any(isinstance(node, (matmul, transpose)) or node.args[1] in (rows, cols) for node in nodes)


def variants(rule: Rule | Schedule) -> list[Variant]:
    """One variant for every outcome that the static conditions can have, and one with other numbers."""
    if isinstance(rule, Schedule):
        return _schedule_variants(rule)
    declarations = rule.declarations
    base = {d.name: _lively(d) for d in declarations}
    asked = [d for d in declarations if any(d.name == a.declaration.name for a in _in_conditions(rule))]
    deciding = {symbol.declaration.name for atom in _static_atoms(rule) for symbol in atom.atoms(Hyper)}
    found: dict[tuple[Any, ...], Variant] = {}
    choices = itertools.product(*(_candidates(d, d.name in deciding) for d in asked))
    for values in itertools.islice(choices, MOST_COMBINATIONS):
        changed = dict(zip([d.name for d in asked], values, strict=True))
        hypers = {**base, **changed}
        if _allowed(rule, hypers):
            name = ", ".join(f"{key}={value}" for key, value in changed.items()) or "defaults"
            found.setdefault(_outcome(rule, hypers), Variant(name, hypers))
    last = next(reversed(found.values()))
    other = {**last.hypers, **{d.name: _moved(d, last.hypers[d.name]) for d in declarations}}
    if _allowed(rule, other) and _outcome(rule, other) == _outcome(rule, last.hypers):
        found["other numbers",] = Variant("other numbers", other)
    return list(found.values())


def with_eps(rule: Rule, hypers: Hypers, eps: float) -> Hypers:
    """Values of hyperparameters with a machine epsilon where None stands for one."""
    machine = {d.name for part in _with_otherwise(rule) for d in part.declarations if d.none_is_eps}

    def standing(value: Any) -> Any:
        return tuple(map(standing, value)) if isinstance(value, tuple) else eps if value is None else value

    return {name: standing(value) if name in machine else value for name, value in hypers.items()}


def _with_otherwise(rule: Rule) -> Iterator[Rule]:
    yield rule
    if rule.otherwise is not None:
        yield from _with_otherwise(rule.otherwise)


def _static_atoms(rule: Rule) -> list[Any]:
    """Flags, and relations that read nothing but hyperparameters and extents, in the order of the equations."""
    return [atom for part in _with_otherwise(rule) for atom in _static_atoms_of(part)]


def _static_atoms_of(part: Rule) -> list[Any]:
    found: dict[Any, None] = {}
    for equation in part.equations:
        atoms = equation.rhs.atoms(Relational, Hyper)
        found |= dict.fromkeys(sorted((a for a in atoms if _is_static(a)), key=str))
    return list(found)


def _is_static(atom: Any) -> bool:
    if isinstance(atom, Hyper):
        return atom.declaration.kind is Kind.FLAG
    return bool(atom.free_symbols) and all(isinstance(s, Hyper) or s in EXTENTS for s in atom.free_symbols)


def _in_conditions(rule: Rule) -> set[Hyper]:
    conditions = [*_static_atoms(rule), *(c for part in _with_otherwise(rule) for c, _ in part.requires)]
    return {symbol for condition in conditions for symbol in condition.atoms(Hyper)}


def _outcome(rule: Rule, hypers: Hypers) -> tuple[Any, ...]:
    parts = [(part, oracle.among(rule, part, hypers)) for part in _with_otherwise(rule)]
    atoms = [(part, given, atom) for part, given in parts for atom in _static_atoms_of(part)]
    static = [(part, given, atom) for part, given, atom in atoms if not set(EXTENTS) & atom.free_symbols]
    return tuple(oracle.decide(part, atom, given) for part, given, atom in static)


def _allowed(rule: Rule | Schedule, hypers: Hypers) -> bool:
    whole = rule if isinstance(rule, Rule) else oracle.as_rule(rule)
    return all(
        oracle.decide(part, needed, oracle.among(whole, part, hypers))
        for part in _with_otherwise(whole)
        for needed, _ in part.requires
    )


def _candidates(declaration: Declaration, deciding: bool) -> list[Any]:
    if declaration.kind is Kind.FLAG:
        return [declaration.default, not declaration.default]
    if declaration.is_tuple:
        return [declaration.default]
    values = [declaration.default if deciding else _lively(declaration), declaration.default, *NUMBERS]
    return list(dict.fromkeys(v for v in values if v is not None and declaration.bounds.admit(v)))


def _lively(declaration: Declaration) -> Any:
    """The default; another number where the default is none or switches a term off."""
    if declaration.kind is Kind.FLAG or declaration.is_tuple or declaration.default:
        return declaration.default
    return next(v for v in NUMBERS if declaration.bounds.admit(v))


def _moved(declaration: Declaration, value: Any) -> Any:
    """Another number near it, so that no default can be built in."""
    if declaration.is_tuple:
        return tuple(v if v is None else _nearby(declaration, v, i) for i, v in enumerate(value))
    return value if declaration.kind is Kind.FLAG or value is None else _nearby(declaration, value, 0)


def _nearby(declaration: Declaration, value: float, position: int) -> float:
    moved = value * (0.7 - 0.15 * position)
    return moved if declaration.bounds.admit(moved) and not isinstance(value, int) else value


def _schedule_variants(schedule: Schedule) -> list[Variant]:
    counts = iter((12, 3, 1))
    choices = []
    for declaration in schedule.declarations:
        first = declaration.default if declaration.default is not None else next(counts)
        least = declaration.bounds.at_least
        values = [first, *([least] if least is not None else []), *([0.1] if declaration.default is not None else [])]
        choices.append(list(dict.fromkeys(v for v in values if declaration.bounds.admit(v))))
    names = [d.name for d in schedule.declarations]
    made = [dict(zip(names, values, strict=True)) for values in itertools.product(*choices)]
    return [Variant(", ".join(f"{k}={v}" for k, v in hypers.items()) or "defaults", hypers)
            for hypers in made if _allowed(schedule, hypers)]


def lay(values: Array, layout: str) -> Array:
    """The same values, as a slice of a larger array, as a transpose, or as they are."""
    if layout == "slice" and values.ndim:
        wide = np.zeros((*values.shape[:-1], 2 * values.shape[-1]), values.dtype)
        wide[..., ::2] = values
        return wide[..., ::2]
    if layout == "transposed" and values.ndim > 1:
        return np.ascontiguousarray(np.swapaxes(values, -1, -2)).swapaxes(-1, -2)
    return np.array(values)


def parameters(shapes: Shapes, form: Format, seed: int) -> list[Array]:
    """Parameters in float64: mostly around 1, some small enough to show an update in a narrow format."""
    rng = np.random.default_rng(seed)
    low, high = _range(shapes, form, (-3.0, 0.0), (-10.0, 4.0), (-4.0, 2.0))
    return [np.asarray(rng.normal(size=s) * 10 ** rng.uniform(low, high, s)) for s in shapes.shapes]


def _range(
    shapes: Shapes, form: Format, plain: tuple[float, float], wild: tuple[float, float], in_fp16: tuple[float, float]
) -> tuple[float, float]:
    """Powers of ten from which magnitudes are drawn. in_fp16: those of wild ones there."""
    if shapes.extreme:
        return (-8.0, 5.0) if form is FP16 else (-38.0, 18.0)
    if not shapes.wild:
        return plain
    return in_fp16 if form is FP16 else wild


def gradients(shapes: Shapes, form: Format, seed: int) -> list[Array]:
    """Gradients in float64, a tenth of them zero. Their squares may be states, so fp16 has to hold these too."""
    rng = np.random.default_rng(seed)
    low, high = _range(shapes, form, (-3.0, 1.0), (-15.0, 10.0), (-4.0, 1.5))
    return [np.where(rng.random(s) < 0.1, 0.0, rng.normal(size=s) * 10 ** rng.uniform(low, high, s))
            for s in shapes.shapes]


def inputs(rule: Rule, shapes: Shapes, form: Format, seed: int, number: int) -> dict[str, list[Array | None]]:
    """What a step is given by name besides gradients. What a rule can do without is absent now and then: of all
    tensors, or of every other one unless the rule looks at all of them together."""
    parts = list(_with_otherwise(rule))
    used = [(part, quantity, name) for part in parts for quantity, name in part.inputs.items()]
    asked = {name for part, q, name in used for e in part.equations if Given(q) in e.rhs.free_symbols}
    over_model = any(node.args[1] == model for p in parts for e in p.equations for node in e.rhs.atoms(*REDUCTIONS))
    made: dict[str, list[Array | None]] = {}
    for k, name in enumerate(dict.fromkeys(name for _, _, name in used)):
        drawn: list[Array | None] = list(gradients(shapes, form, seed + 7919 * (k + 1)))
        absent = {0: [], 1: range(len(drawn)), 2: [] if over_model else range(0, len(drawn), 2)}[(number + k) % 3]
        made[name] = [None if name in asked and i in absent else x for i, x in enumerate(drawn)]
    return made


def smaller(shapes: Shapes, most: int) -> Shapes:
    """The same class with at most about so many elements: mpmath is a thousand times slower than NumPy."""
    scale = [max(1.0, (np.prod(s) / most) ** (1 / max(len(s), 1))) for s in shapes.shapes]
    cut: Sequence[tuple[int, ...]] = [tuple(int(n / f) | 1 if f > 1 else n for n in s)
                                      for s, f in zip(shapes.shapes, scale, strict=True)]
    return replace(shapes, shapes=tuple(cut))
