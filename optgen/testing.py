"""Testing: `assert_equivalent(rule)` is `optgen verify` for a test suite of your own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from optgen.build import compile
from optgen.dsl.load import load
from optgen.dsl.rule import Rule, Schedule
from optgen.verify import is_coded, passed, summary, table, verify_in_interpreter, verify_rule
from optgen.verify.interpreter import write_row

__all__ = ["assert_equivalent"]


def assert_equivalent(rule: str | Path | Rule | Schedule, backends: Sequence[str] = ("numpy", "torch")) -> None:
    """Raises AssertionError, with a table of the worst of every dtype and shape, unless all backends compute the rule.

    rule: a built-in name, the path of a rule file, or a Rule. The triton backend needs a name or a path, unless the
    process has TRITON_INTERPRET=1. Raises OptgenError for an unknown name or backend.
    """
    loaded = load(rule) if isinstance(rule, (str, Path)) else rule
    apart = "triton" in backends and isinstance(rule, (str, Path)) and os.environ.get("TRITON_INTERPRET") != "1"
    modules = {name: compile(loaded, "torch" if name in ("c", "triton") else name)
               for name in backends if not (apart and name == "triton")}
    reader = compile(loaded, "numpy") if is_coded(loaded) else None
    rows = verify_rule(loaded, modules, reader=reader)
    if apart and isinstance(rule, (str, Path)):
        rows += verify_in_interpreter(rule)
    if not passed(rows):
        wrong = [row for row in rows if row.verdict.value != "pass"]
        raise AssertionError(f"the backends of {loaded.name} do not all compute its equations\n"
                             f"{table(summary(wrong or rows))}")


def _child(name: str) -> None:
    """Verifies the triton backend and prints a line of JSON for each step of progress and for the rows."""
    rule = load(Path(name) if name.endswith(".py") else name)

    def told(*progress: object) -> None:
        print(json.dumps({"progress": progress}), flush=True)

    reader = compile(rule, "numpy") if is_coded(rule) else None
    rows = verify_rule(rule, {"triton": compile(rule, "torch")}, told, reader)
    print(json.dumps({"rows": [write_row(row) for row in rows]}), flush=True)


if __name__ == "__main__":
    _child(sys.argv[1])
