"""Every seeded fault fits the code that it is for; tests/*_mutants.py, run as programs, show which test catches it."""

from __future__ import annotations

import bench_mutants
import compiler_mutants
import pytest
import runtime_mutants
from mutation import ROOT, Mutant

EVERY = (*compiler_mutants.MUTANTS, *runtime_mutants.MUTANTS, *bench_mutants.MUTANTS)


@pytest.mark.parametrize("mutant", EVERY, ids=[mutant.fault for mutant in EVERY])
def test_a_mutant_fits_the_code_and_names_a_test(mutant: Mutant) -> None:
    assert not mutant.misfit((ROOT / mutant.home / mutant.file).read_text(encoding="utf-8"))
    assert (ROOT / "tests" / mutant.test.split(" ")[0]).is_file()


def test_a_replacement_that_does_not_fit_is_told() -> None:
    assert Mutant("f", "a.py", "x", "y", "t").misfit("x x") == "f: 'x' stands 2 times in a.py"
    assert not Mutant("f", "a.py", "x", "y", "t").misfit("x")
