"""Load: a built-in rule by name, or a user's rule file by path, read literally."""

from __future__ import annotations

import ast
import difflib
import hashlib
import io
import linecache
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import sympy

from optgen.dsl.comparisons import decided_problems
from optgen.dsl.names import FILES, check_identifier
from optgen.dsl.names import shown as text_of
from optgen.dsl.raised import raised
from optgen.dsl.rule import Rule, Schedule
from optgen.dsl.structural import wished
from optgen.errors import Loc, OptgenError, RuleError, printable

LARGEST_FILE = 1_000_000  # bytes


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


def load(name_or_path: str | Path, **structure: int | str | None) -> Rule | Schedule:
    """The rule that a built-in name or the path of a rule file stands for.

    structure: values of structural parameters, which take their defaults if they are not given.
    Raises OptgenError for an unknown name or a missing file, RuleError for a file that raises or holds no rule.
    """
    with wished(structure):
        return _found(name_or_path)


def _found(name_or_path: str | Path) -> Rule | Schedule:
    text = str(name_or_path)
    if text.endswith(".py") or "/" in text or isinstance(name_or_path, Path):
        return _load(Path(text), printable(text), "")
    name = text.lower()
    if name in built_in_names():
        return _load(built_in_folder() / f"{name}.py", f"rules/{name}.py", f"rules/{name}.py")
    near = difflib.get_close_matches(name, built_in_names(), 1)
    raise OptgenError(
        f"there is no built-in rule '{printable(text)}'\nhint: "
        + (f"did you mean {near[0]}? There " if near else "there ")
        + f"are {', '.join(built_in_names())}; or give the path of a rule file, which ends in .py"
    )


def _load(path: Path, shown: str, source: str) -> Rule | Schedule:
    """The module-level `rule` of a file. `shown` is its path in messages, `source` in generated files."""
    nowhere = Loc(shown, 1, 0)
    stem = check_identifier(path.stem, "the file name", nowhere, FILES)
    text = _text(path, shown)
    module = _execute(text, shown)
    rule = getattr(module, "rule", None)
    if not isinstance(rule, (Rule, Schedule)):
        raise _no_rule(module, text, shown)
    doc = module.__doc__.strip() if isinstance(module.__doc__, str) else ""
    name = rule.name or check_identifier(_class_name(doc, stem), "the class", nowhere)
    told = doc or rule.doc if rule.source else rule.doc or doc  # a rule made of another file's brings that file's text
    return replace(rule, name=name, doc=told, source=source or path.name)


def _no_rule(module: ModuleType, text: str, shown: str) -> RuleError:
    """What is wrong with a module whose `rule` is missing or something else."""
    instead = "rule = Rule(...) or rule = Schedule(...)"
    other = next((name for name, held in vars(module).items() if isinstance(held, (Rule, Schedule))), None)
    if not hasattr(module, "rule"):
        hint = f"call it rule instead of {other}" if other else f"end the file with {instead}"
        return RuleError("the file defines no `rule`", _line(text, shown, other or ""), hint)
    comma = "remove the comma at the end: it makes a tuple of the rule"
    found = f"`rule` is {text_of(module.rule)}, not a Rule or a Schedule"
    return RuleError(found, _line(text, shown, "rule"), comma if type(module.rule) is tuple else f"write {instead}")


def _line(text: str, shown: str, name: str) -> Loc:
    """The last line that defines a name, or the whole file."""
    opening = re.compile(rf"(def |class )?{re.escape(name)}\b")
    found = [number for number, line in enumerate(io.StringIO(text), 1) if name and opening.match(line)]
    return Loc(shown, found[-1], found[-1]) if found else Loc(shown, 1, 0)


def _text(path: Path, shown: str) -> str:
    """The text of a rule file."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_FILE:
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
            what = "larger than a rule can be" if stat.S_ISREG(found.st_mode) else what
            raise OptgenError(f"{shown} is {what}, not a rule file\nhint: give the path of a Python file")
        return path.read_text(encoding="utf-8-sig")
    except (FileNotFoundError, NotADirectoryError):
        hint = "`optgen new NAME` writes one to start from"
        hint = f"the built-in rule is called {path.stem}" if path.stem in built_in_names() else hint
        raise OptgenError(f"there is no rule file {shown}\nhint: {hint}") from None
    except UnicodeDecodeError:
        raise OptgenError(f"{shown} is not a text file\nhint: a rule file is Python, saved as UTF-8") from None
    except (OSError, ValueError) as error:  # a path that holds a zero is a ValueError
        why = error.strerror if isinstance(error, OSError) else "no file has such a name"
        raise OptgenError(f"{shown} cannot be read: {why}\nhint: give the path of a Python file") from None


def _execute(source: str, shown: str) -> ModuleType:
    # Lines as Python counts them: str.splitlines also ends one at a form feed
    linecache.cache[shown] = (len(source), None, list(io.StringIO(source)), shown)
    module = ModuleType("optgen_rule_" + hashlib.sha256(shown.encode()).hexdigest()[:12])
    module.__file__ = shown
    try:
        tree = ast.parse(source, shown)
        problems = list(decided_problems(tree, shown))
        if problems:
            raise RuleError.several(problems)
        with literal():
            code = compile(tree, shown, "exec", dont_inherit=True)
            exec(code, module.__dict__)  # a rule file is Python that the user chose to run
    except (RuleError, KeyboardInterrupt):
        raise
    except BaseException as error:  # whatever a rule file raises is the user's to see, at the line that raised it
        raise raised(error, shown) from error
    return module


def _class_name(doc: str, stem: str) -> str:
    word = doc.split(".")[0].strip() if doc else ""
    return word if word.lower() == stem.replace("_", "").lower() else _camel(stem)


def _camel(stem: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in stem.split("_"))
