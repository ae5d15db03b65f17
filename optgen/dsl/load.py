"""Load: a built-in rule by name, or a user's rule file by path, read literally."""

from __future__ import annotations

import hashlib
import linecache
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import sympy

from optgen.dsl.names import check_identifier
from optgen.dsl.rule import Rule, Schedule
from optgen.errors import Loc, OptgenError, RuleError


@contextmanager
def literal() -> Iterator[None]:
    """Within this context SymPy keeps the author's order and parentheses. Rule files always run inside it."""
    with sympy.evaluate(False):
        yield


def built_in_folder() -> Path:
    """Where the rules that come with optgen lie: `optgen/_rules` when installed, `rules/` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "_rules"
    return installed if installed.is_dir() else package.parent / "rules"


def built_in_names() -> tuple[str, ...]:
    """The names of all rules and schedules that come with optgen."""
    return tuple(sorted(path.stem for path in built_in_folder().glob("*.py") if not path.stem.startswith("_")))


def load(name_or_path: str | Path) -> Rule | Schedule:
    """The rule that a built-in name or the path of a rule file stands for.

    Raises OptgenError for an unknown name or a missing file, RuleError for a file that raises or holds no rule.
    """
    text = str(name_or_path)
    if text.endswith(".py") or "/" in text or isinstance(name_or_path, Path):
        return load_file(Path(text))
    if text.lower() in built_in_names():
        return load_file(built_in_folder() / f"{text.lower()}.py", f"rules/{text.lower()}.py")
    raise OptgenError(
        f"there is no built-in rule {text!r}\nhint: choose one of {', '.join(built_in_names())}, "
        "or give the path of a rule file that ends in .py"
    )


def load_file(path: Path, shown: str | None = None) -> Rule | Schedule:
    """The module-level `rule` of a file, named after its docstring or its file. `shown` is its path in messages."""
    shown = shown or str(path)
    try:
        source = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise OptgenError(f"there is no rule file {shown}\nhint: `optgen new NAME` writes one to start from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise OptgenError(
            f"the rule file {shown} cannot be read: {error}\nhint: it must be a text file in UTF-8"
        ) from None
    module = _execute(source, shown)
    rule = getattr(module, "rule", None)
    start = Loc(shown, 1, 1)
    if not isinstance(rule, (Rule, Schedule)):
        raise RuleError(
            f"the file defines no `rule`, found {type(rule).__name__}",
            start,
            "end it with rule = Rule(...) or rule = Schedule(...)",
        )
    stem = check_identifier(path.stem, "file name", start)
    doc = (module.__doc__ or "").strip()
    return replace(rule, name=rule.name or _class_name(doc, stem), doc=rule.doc or doc, source=_provenance(shown))


def _execute(source: str, shown: str) -> ModuleType:
    lines = source.splitlines(keepends=True)
    linecache.cache[shown] = (len(source), None, lines, shown)
    module = ModuleType("optgen_rule_" + hashlib.sha256(shown.encode()).hexdigest()[:12])
    module.__file__ = shown
    try:
        with literal():
            exec(compile(source, shown, "exec"), module.__dict__)  # a rule file is Python that the user chose to run
    except (RuleError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # whatever a rule file raises is the user's to see, at the line that raised it
        raise _raised(error, shown) from error
    return module


def _raised(error: BaseException, shown: str) -> RuleError:
    line = error.lineno or 1 if isinstance(error, SyntaxError) else 1
    for frame in traceback.extract_tb(sys.exc_info()[2]):
        line = frame.lineno or line if frame.filename == shown else line
    hint = (
        "a condition on hyperparameters belongs in a Piecewise; Python's `if` cannot decide it"
        if "truth value" in str(error)
        else "the file stops at this line; correct it and run again"
    )
    return RuleError(f"the rule file raises {type(error).__name__}: {error}", Loc(shown, line, line), hint)


def _class_name(doc: str, stem: str) -> str:
    word = doc.split(".")[0].strip() if doc else ""
    return word if word.replace("-", "").lower() == stem.replace("_", "") and word.isidentifier() else _camel(stem)


def _camel(stem: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in stem.split("_"))


def _provenance(shown: str) -> str:
    return shown if shown.startswith("rules/") else Path(shown).name
