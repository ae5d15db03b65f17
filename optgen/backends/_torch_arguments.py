"""The arguments of the functions in a module for PyTorch: what each reads, typed, and given by keyword."""

from __future__ import annotations

from optgen.dsl.symbols import EXTENTS, Kind
from optgen.ir import TENSOR, Phase, Place, Reduce, Role, Statement, reads
from optgen.listing import names_in, variant_of
from optgen.passes import Program, asked_given


def asked_of(program: Program, lines: list[str]) -> list[str]:
    """The hyperparameters that lines of code read, as typed arguments by keyword."""
    read = names_in(lines)
    found = [
        f"{n}: {'bool' if d.kind is Kind.FLAG else 'Scalar'}"
        for d in program.rule.declarations
        for n in d.names
        if n in read
    ]
    found += [f"{name}: bool" for name in asked_given(program) if name in read]
    return ["*", *found] if found else []


def host_arguments(program: Program, lines: list[str]) -> list[str]:
    read = names_in(lines)
    given = {"t": "int", "first": "bool", "numel": "int", "rows": "int", "cols": "int"}
    past = {
        v.name: "Scalar = 0.0"
        for s in program.steps
        for v in s.of_role(Role.STATE)
        if v.place is Place.HOST and v.name in read
    }
    keywords = [*asked_of(program, lines)[1:], *(f"{name}: {kind}" for name, kind in past.items())]
    return [
        *(f"{name}: {kind}" for name, kind in given.items() if name in read),
        *(["*", *keywords] if keywords else []),
    ]


def update_arguments(
    program: Program, phases: dict[tuple[bool, ...], tuple[Phase, ...]], k: int, lines: list[str], takes_grad: bool
) -> list[str]:
    read = names_in(lines)
    given = [f"{program.rule.param.label}_prev", *([str(program.rule.grad.label)] if takes_grad else [])]
    in_all: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for step in program.steps:
        part = phases[variant_of(step)][k : k + 1]
        local = {s.target for p in part for s in p.body if not is_shared(s)}
        for name in dict.fromkeys(
            [n for p in part for n in (*p.loads, *(n for s in p.body for n in reads(s)), *(w.value for w in p.stores))]
        ):
            if name in local or name in given:
                continue
            var = step.var(name)
            in_all[name] = in_all.get(name, 0) + 1
            kinds[name] = "Tensor" if var.place is Place.DEVICE else "bool" if var.boolean else "Scalar"
    asked = {n for d in program.rule.declarations for n in d.names if n in read}
    kinds |= {
        n: "bool" if d.kind is Kind.FLAG else "Scalar" for d in program.rule.declarations for n in d.names if n in asked
    }
    kinds |= {name: "bool" for name in asked_given(program) if name in read}
    in_all |= {name: len(program.steps) for name in asked_given(program)}
    kinds |= {e.name: "int" for e in EXTENTS if e.name in read}
    in_all |= {e.name: len(program.steps) for e in EXTENTS}
    absent = {"Tensor": " | None = None", "bool": " = False", "Scalar": " = 0.0"}
    order = sorted(kinds, key=lambda n: (kinds[n] != "Tensor", n not in asked, list(kinds).index(n)))
    typed = [
        f"{n}: {kinds[n]}{'' if n in asked or in_all[n] == len(program.steps) else absent[kinds[n]]}" for n in order
    ]
    return [*(f"{name}: Tensor" for name in given), *(["*", *typed] if typed else [])]


def is_shared(statement: Statement) -> bool:
    return isinstance(statement, Reduce) and TENSOR in statement.over
