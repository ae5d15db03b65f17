"""Kept: which tensors a launcher steps, column by column: what stays where it is, and what moves from step to step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from ._layout import supports, supports_number

Columns = Sequence[Sequence[Tensor] | None]  # for each name one tensor per parameter, or None


def there(columns: Columns, i: int) -> list[Tensor]:
    """What there is of one parameter in some columns."""
    return [column[i] for column in columns if column is not None]


@dataclass(frozen=True, slots=True)
class Kept:
    """All that stays from step to step.

    rows: for each parameter the index of its row of what the host gives. counts: if the rule stores them.
    hosted: None where that is scalars; where it is hyperparameters, for each name of KEPT the states.
    told: the names of TOLD. firsts: of which parameters it is the first step, empty if of none or if nobody asks.
    places: of each parameter among all of the optimizer, where chance rounds it.
    """

    params: Sequence[Tensor]
    states: Columns
    rows: Sequence[int]
    counts: Sequence[Tensor] | None = None
    hosted: Columns | None = None
    told: Sequence[str] = ()
    firsts: Sequence[bool] = ()
    places: Sequence[int] | None = None

    def columns(self) -> Iterator[Sequence[Tensor] | None]:
        """Parameters, states, counts and what else is kept."""
        yield self.params
        yield from self.states
        yield self.counts
        yield from self.hosted or ()

    def stored(self, i: int) -> list[Tensor | None]:
        """The states of one parameter."""
        return [None if column is None else column[i] for column in self.states]

    def numbers(self, i: int) -> list[Tensor | None]:
        """What the prologue advances of one parameter: the count, if there is one, and states."""
        counts = [] if self.counts is None else [self.counts[i]]
        return [*counts, *(None if column is None else column[i] for column in self.hosted or ())]

    def clock(self, i: int) -> list[int]:
        """The record of one parameter that the prologue reads."""
        numbers = [0] * (self.counts is None) + [0 if x is None else x.data_ptr() for x in self.numbers(i)]
        size = self.params[i].shape
        told = {
            "first": int(bool(self.firsts) and self.firsts[i]),
            "numel": self.params[i].numel(),
            "rows": size[-2] if len(size) > 1 else 1,
            "cols": size[-1] if size else 1,
        }
        return [self.rows[i], *numbers, *(told[name] for name in self.told)]

    def fits(self, moving: Columns, i: int, kinds: Sequence[str]) -> bool:
        """Whether kernels can step this parameter. moving: gradients and inputs. kinds: as `supports`."""
        device = self.params[i].device
        numbers = [] if self.hosted is None else [number for number in self.numbers(i) if number is not None]
        fault = supports(self.params[i], there(moving, i), self.stored(i), kinds)
        return not fault and all(supports_number(number, device) for number in numbers)
