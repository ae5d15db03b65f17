"""The shape of the project: which way imports point, how long files grow, what a template may hold."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from jinja2 import nodes

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "optgen"

# Each part may import itself and those before it.
ORDER = ("errors", "dsl", "ir", "passes", "equations", "languages", "printers", "ir_text", "weave", "wrapping",
         "render", "listing", "common", "fused", "constructor", "codecs", "backends", "_built", "cache", "build",
         "testing", "show", "starter", "verifying", "demo", "cli", "__main__")
# These stand outside the order, so that the judge shares no code with the compiler. What each may import of optgen.
APART = {
    "__init__": {"dsl", "build"},
    "bounds": set(),
    "oracle": {"errors", "dsl", "bounds"},
    "verify": {"errors", "dsl", "bounds", "oracle"},
    "runtime": set(),
    "optim": {"_generated"},
    "schedules": {"_generated"},
}
JUDGES = {"testing": {"verify"}, "verifying": {"verify"}, "demo": {"oracle", "bounds"}}
OPTIONAL = {"triton", "matplotlib"}
PURE = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.For, nodes.If, nodes.Filter, nodes.Const,
        nodes.Getattr, nodes.And, nodes.Or, nodes.Not, nodes.Include)

SOURCES = sorted(PACKAGE.rglob("*.py"))
TEMPLATES = sorted(PACKAGE.rglob("*.jinja"))
RULES = sorted((ROOT / "rules").glob("*.py"))
GENERATED = sorted((ROOT / "generated").rglob("*.py"))


def parametrize(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=[str(p.relative_to(ROOT)) for p in paths])


def part_of(path: Path) -> str:
    """The part of optgen that a file belongs to: its package, or the file's own name."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Absolute names of the modules that a tree imports; `from optgen import x` is optgen.x."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = node.module or ""
            names = [f"optgen.{alias.name}" for alias in node.names] if module == "optgen" else [module]
            yield from ((name, node.lineno) for name in names)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_there_is_something_to_look_at() -> None:
    assert SOURCES
    assert RULES
    assert TEMPLATES
    assert GENERATED


@parametrize(SOURCES)
def test_imports_point_one_way(path: Path) -> None:
    part = part_of(path)
    assert part in ORDER or part in APART, f"give {part!r} its place in ORDER or APART"
    allowed = APART[part] if part in APART else {*ORDER[: ORDER.index(part)], *JUDGES.get(part, ())}
    for name, line in imported(parse(path)):
        top, _, rest = name.partition(".")
        if top == "optgen":
            inner = rest.split(".")[0]
            assert inner in {part, "__version__", *allowed}, f"{path}:{line}: {part} imports {name}"


@parametrize(SOURCES)
def test_no_relative_imports_hide_the_direction(path: Path) -> None:
    runtime_siblings = part_of(path) == "runtime"
    relative = [n.lineno for n in ast.walk(parse(path)) if isinstance(n, ast.ImportFrom) and n.level]
    assert runtime_siblings or not relative, f"{path}: lines {relative}"


@parametrize(GENERATED)
def test_generated_code_needs_neither_optgen_nor_sympy(path: Path) -> None:
    tops = {name.split(".")[0] for name, _ in imported(parse(path))}
    assert not tops & {"optgen", "sympy", "jinja2"}, f"{path} imports {sorted(tops)}"


@parametrize(SOURCES)
def test_imports_stand_at_the_top_unless_the_package_is_optional(path: Path) -> None:
    for function in functions(parse(path)):
        for name, line in imported(function):
            assert name.split(".")[0] in OPTIONAL, f"{path}:{line}: {name} is imported inside {function.name}"


@parametrize(SOURCES)
def test_a_file_has_at_most_300_lines_and_a_function_40(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path
    for function in functions(parse(path)):
        length = (function.end_lineno or function.lineno) - function.lineno + 1
        assert length <= 40, f"{path}:{function.lineno}: {function.name} has {length} lines"


@parametrize(SOURCES)
def test_a_module_says_in_its_first_line_what_it_does(path: Path) -> None:
    first = (ast.get_docstring(parse(path)) or "").split("\n")[0]
    assert first.endswith((".", "?", ":")) and len(first) > 15, f"{path}: {first!r}"  # noqa: PT018


@parametrize(RULES)
def test_a_rule_has_at_most_40_lines_of_at_most_110_characters(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 40, f"{path} has {len(lines)} lines"
    long = [number for number, line in enumerate(lines, 1) if len(line) > 110]
    assert not long, f"{path}: lines {long}"


@parametrize(TEMPLATES)
def test_a_template_has_at_most_80_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80, path


def impure(text: str) -> list[str]:
    """What a template holds besides names, loops over names, `if` of names, indent and join, and other templates."""
    tree = jinja2.Environment().parse(text)
    found = [n for n in tree.find_all(nodes.Node) if not isinstance(n, PURE)]
    filters = [n for n in tree.find_all(nodes.Filter) if n.name not in ("indent", "join")]
    constants = {id(c) for f in tree.find_all(nodes.Filter) for c in f.args}
    constants |= {id(i.template) for i in tree.find_all(nodes.Include)}
    loose = [n for n in tree.find_all(nodes.Const) if id(n) not in constants]
    return [f"line {n.lineno}: {type(n).__name__}" for n in [*found, *filters, *loose]]


@parametrize(TEMPLATES)
def test_a_template_computes_nothing(path: Path) -> None:
    assert not impure(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("text", ["{{ a + 1 }}", "{{ f(x) }}", "{{ a | upper }}", "{% set a = b %}", "{{ a.b() }}",
                                  "{% if a == 'x' %}{% endif %}", "{% macro f() %}{% endmacro %}"])
def test_the_purity_check_sees_a_computation(text: str) -> None:
    assert impure(text)


def test_a_generated_module_has_no_function_twice() -> None:
    for path in GENERATED:
        functions = [f for f in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(f, ast.FunctionDef)]
        alike = [ast.unparse([f.args, *f.body]) for f in functions]  # type: ignore[arg-type]
        assert len(set(alike)) == len(alike), path


def test_nothing_generated_ends_in_blanks() -> None:
    for path in (p for p in (ROOT / "generated").rglob("*.*") if p.suffix in {".py", ".c", ".h"}):
        assert not re.search(r"[ \t]$", path.read_text(encoding="utf-8"), re.MULTILINE), path


def test_nothing_is_left_to_do() -> None:
    note = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    files = [p for folder in ("optgen", "rules", "generated", "tests", "bench") for p in (ROOT / folder).rglob("*")]
    for path in files:
        if path.suffix in {".py", ".jinja", ".md", ".toml"}:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
                assert not note.search(line), f"{path}:{number}: {line.strip()}"


def test_everything_is_installed() -> None:
    """What pyproject.toml forgets works in a checkout and is missing from the wheel."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    files = [p for p in [*PACKAGE.rglob("*"), *GENERATED] if p.is_file() and "__pycache__" not in p.parts]
    present = {"optgen._rules"}
    for path in files:
        package = ".".join(path.parent.relative_to(ROOT).parts).replace("generated", "optgen._generated", 1)
        present.add(package)
        if path.suffix != ".py":
            patterns = table["package-data"].get(package, [])
            assert any(path.match(pattern) for pattern in patterns), f"{path} is in no package-data"
    assert present == set(table["packages"])


def test_the_build_list_names_every_rule_once() -> None:
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["optgen"]
    named = [*table["rules"], *table["schedules"]]
    assert sorted(named) == sorted(path.stem for path in RULES)


def test_every_rule_of_the_build_has_its_class_in_optgen_optim() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["optgen"]["rules"]
    imported_from = re.findall(r"pytorch\.(\w+) import", (PACKAGE / "optim.py").read_text(encoding="utf-8"))
    assert imported_from == sorted(rules)
