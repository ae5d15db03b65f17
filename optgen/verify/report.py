"""Report: what one comparison found, and what several say together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, cast

VACUOUS_BELOW = 1e-6  # a bound that is never used by more than this proves nothing,
SHARP_BELOW = 64.0  # unless it is at most so many ulp: exact results are no fault of a narrow bound
DECIDED_AT_LEAST = 0.999  # the share of elements that no discontinuity leaves open
# Of a rule that rounds: 0.05 * g is g / 20, so of gradients with the 11 bits of fp16, of which each fifth is a multiple
# of five, some per cent lie at a tie of 8 bits; what a product then makes of one that is in doubt is in doubt.
DECIDED_IF_ROUNDED = 0.99


class Verdict(Enum):
    """PASS: every element within its bound. VACUOUS: a bound too wide to prove anything. SKIPPED: not compared."""

    PASS = "pass"
    FAIL = "FAIL"
    VACUOUS = "VACUOUS"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Row:
    """One rule, backend, dtype, variant and class of shapes.

    ratio: worst error over bound. ulp: worst error in units in the last place of what is stored. relative: worst
    max|a - b| / max|b|. decided: elements compared away from discontinuities, of `elements`. bound: the widest, in ulp.
    """

    rule: str
    backend: str
    dtype: str
    variant: str
    shape: str
    ratio: float = 0.0
    ulp: float = 0.0
    relative: float = 0.0
    decided: int = 0
    elements: int = 0
    bound: float = 0.0
    verdict: Verdict = Verdict.PASS
    reason: str = ""


def passed(rows: Iterable[Row]) -> bool:
    """Whether something was compared and nothing failed or proved nothing. What was skipped counts as neither."""
    verdicts = {row.verdict for row in rows}
    return Verdict.PASS in verdicts and not verdicts & {Verdict.FAIL, Verdict.VACUOUS}


def judged(rows: Sequence[Row], rounds: bool = False) -> list[Row]:
    """The rows of one rule, backend and dtype, judged together: is the bound used, is enough decided?

    rounds: whether the rule itself rounds to a narrower format.
    """
    least = DECIDED_IF_ROUNDED if rounds else DECIDED_AT_LEAST
    compared = [row for row in rows if row.elements]
    elements, decided = sum(row.elements for row in compared), sum(row.decided for row in compared)
    worst = max((row.ratio for row in compared), default=0.0)
    if compared and decided < least * elements:
        reason = f"only {decided} of {elements} elements are decided"
        return [_spoiled(row, Verdict.FAIL, reason) for row in rows]
    if any(row.bound > SHARP_BELOW for row in compared) and worst < VACUOUS_BELOW:
        reason = f"no error is above {worst:.1e} of its bound"
        return [_spoiled(row, Verdict.VACUOUS, reason) for row in rows]
    return list(rows)


def _spoiled(row: Row, verdict: Verdict, reason: str) -> Row:
    return replace(row, verdict=verdict, reason=reason) if row.verdict is Verdict.PASS else row


def summary(rows: Iterable[Row], by: Sequence[str] = ("rule", "backend", "dtype", "shape")) -> list[Row]:
    """The worst of the rows that agree in `by`, in order; the other names are counted."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(getattr(row, name) for name in by), []).append(row)
    return [_worst(group, by) for group in groups.values()]


def _worst(rows: list[Row], by: Sequence[str]) -> Row:
    order = [Verdict.SKIPPED, Verdict.PASS, Verdict.VACUOUS, Verdict.FAIL]
    verdict = max((row.verdict for row in rows), key=order.index)
    first = next(row for row in rows if row.verdict is verdict)
    rest = {name: f"{len({getattr(r, name) for r in rows})} {name}s"
            for name in ("rule", "backend", "dtype", "variant", "shape") if name not in by}
    return replace(first, **cast(Any, rest), ratio=max(r.ratio for r in rows), ulp=max(r.ulp for r in rows),
                   relative=max(r.relative for r in rows), decided=sum(r.decided for r in rows),
                   elements=sum(r.elements for r in rows), bound=max(r.bound for r in rows))


def table(rows: Iterable[Row]) -> str:
    """The rows as aligned text."""
    heads = ("rule", "backend", "dtype", "variant", "shape", "error/bound", "ulp", "relative", "verdict", "")
    lines = [heads, *((row.rule, row.backend, row.dtype, row.variant, row.shape, f"{row.ratio:.3g}", f"{row.ulp:.3g}",
                       f"{row.relative:.2g}", row.verdict.value, row.reason) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
                     for line in lines)
