"""Numbers in modules for NumPy: the lines that make known hyperparameters, counts and extents."""

from __future__ import annotations

from optgen.backends._formats import params
from optgen.constructor import bounds
from optgen.dsl.symbols import Kind
from optgen.listing import quote
from optgen.passes import Program
from optgen.wrapping import wrap

EXTENT = {
    "numel": "{0}.size",
    "rows": "{0}.shape[-2] if {0}.ndim > 1 else 1",
    "cols": "{0}.shape[-1] if {0}.ndim else 1",
}


def floats(program: Program, used: set[str]) -> list[str]:
    """Lines that check the hyperparameters in use and make Python floats of them."""
    lines = []
    for d in program.rule.declarations:
        if d.is_tuple and used & set(d.names):
            none = ["none=float(np.finfo(float).eps)"] if d.none_is_eps else []
            given = ", ".join([quote(d.name), d.name, str(len(d.names)), *none, *bounds(d)])
            names = [name if name in used else "_" for name in d.names]
            lines.append(f"{', '.join(names)}{',' * (len(names) == 1)} = numbers({given})")
        elif not d.is_tuple and d.name in used and d.kind is Kind.REAL:
            told = [f"refusal={quote(d.refusal)}"] if d.refusal else []
            lines += wrap(f"{d.name} = number({', '.join([quote(d.name), d.name, *bounds(d), *told])})")
    return lines


def numbers_of(program: Program, param: str, read: set[str]) -> list[str]:
    """The lines that make known the count, extents and machine epsilon of a parameter, as far as they are read."""
    extents = [f"{name} = {text.format(param)}" for name, text in EXTENT.items() if name in read]
    eps = "2.0**-7" if params(program) else f"float(np.finfo({param}.dtype).eps)"  # of bfloat16, which NumPy lacks
    epsilons = [
        f"{name} = {eps} if {d.name}[{k}] is None else float({d.name}[{k}])"
        for d in program.rule.declarations
        for k, name in enumerate(d.names)
        if d.none_is_eps and d.default[k] is None and name in read
    ]
    return [*(["t = steps[i]"] if "t" in read else []), *extents, *epsilons]
