"""Build: rules to files, files to a folder or to importable modules."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType
from typing import Any

from optgen.backends._formats import formats
from optgen.cache import import_built
from optgen.codecs import check_storage
from optgen.dsl.formats import Asked, formats_of_table, with_storage
from optgen.dsl.load import built_in_names, load
from optgen.dsl.names import FILES, check_identifier
from optgen.dsl.rule import Rule, Schedule
from optgen.errors import OptgenError, RuleError, printable
from optgen.listing import module_name
from optgen.passes import Program, lower
from optgen.passes.validate import validate

ENTRIES: Mapping[str, str] = {
    "rules": '["adamw", "my_rule.py"]',
    "schedules": '["cosine"]',
    "backends": '["numpy", "torch"]',
    "out": '"generated"',
    "storage": '{ adamw = "int8", lion = "m=bf16" }',
}
Source = str | Path | Rule | Schedule
Files = dict[str, str]  # path below the output folder -> text


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `[tool.optgen]` of a pyproject.toml asks for: which rules, for which backends, into which folder.

    storage: the storage formats of rules, by the rule's name as it is listed.
    """

    rules: tuple[str, ...]
    backends: tuple[str, ...]
    out: Path
    storage: Mapping[str, Asked] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Built:
    """Generated files, and what could not be generated: (rule, backend, reason)."""

    files: Files
    refused: tuple[tuple[str, str, str], ...]


def backend_names() -> tuple[str, ...]:
    """The backends there are: the files of optgen/backends."""
    files = [file.name for file in resources.files("optgen.backends").iterdir()]
    return tuple(sorted(name.removesuffix(".py") for name in files if name.endswith(".py") and name[0] != "_"))


def backend(name: str) -> Any:
    """The module of a backend. Raises OptgenError for an unknown one."""
    if name not in backend_names():
        raise OptgenError(f"there is no backend {name!r}\nhint: choose one of {', '.join(backend_names())}")
    return import_module(f"optgen.backends.{name}")


def configuration(start: Path) -> Configuration:
    """The nearest pyproject.toml's `[tool.optgen]`, at or above a folder; else all built-in rules into `generated`.

    Raises OptgenError for a file that cannot be read, and for an entry that is unknown or of a wrong type.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        table = _table(folder / "pyproject.toml")
        if table is not None:
            named = [*_texts(table, "rules", ()), *_texts(table, "schedules", ())]
            rules = tuple(str(folder / name) if name.endswith(".py") else name for name in named)
            (out,) = _texts({**table, "out": [table.get("out", "generated")]}, "out", ())
            rules, backends = rules or built_in_names(), _texts(table, "backends", backend_names())
            storage = formats_of_table(table.get("storage", {}), folder, rules)
            return Configuration(rules, backends, folder / out, storage)
    return Configuration(built_in_names(), backend_names(), start / "generated")


def _table(path: Path) -> dict[str, Any] | None:
    """The table [tool.optgen] of a pyproject.toml, if there is such a file and it has one."""
    try:
        table: Any = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else printable(str(error))
        raise OptgenError(f"{path} cannot be read: {why}\nhint: mend the file, or work in another folder") from None
    for name in ("tool", "optgen"):
        table = table.get(name, {}) if isinstance(table, dict) else table
    if table and not isinstance(table, dict):
        raise OptgenError(f"optgen in {path} is no table\nhint: write [tool.optgen] above its entries")
    unknown = sorted(set(table) - set(ENTRIES))
    if unknown:
        hint = f"its entries are {', '.join(ENTRIES)}"
        raise OptgenError(f"[tool.optgen] in {path} has an unknown entry {unknown[0]!r}\nhint: {hint}")
    return table or None


def _texts(table: Mapping[str, Any], name: str, otherwise: Sequence[str]) -> tuple[str, ...]:
    found = table.get(name, otherwise)
    if not isinstance(found, (list, tuple)) or not all(isinstance(value, str) for value in found):
        message = f"{name} in [tool.optgen] of pyproject.toml has a value of a wrong type"
        raise OptgenError(f"{message}\nhint: write {name} = {ENTRIES[name]}")
    return tuple(found)


def build(
    sources: Sequence[Source], backends: Sequence[str] | None = None, needed: Sequence[str] | None = None
) -> Built:
    """The files of all rules for all backends.

    needed: the backends that must take every rule; those that are named, if not given.

    Raises OptgenError for an unknown rule or backend, and for two rules that would share a file; RuleError for a rule
    that cannot be compiled, or that a needed backend cannot take.
    """
    needed = (backends or ()) if needed is None else needed
    modules = {name: backend(name) for name in (backend_names() if backends is None else backends)}
    rules = [load(source) if isinstance(source, (str, Path)) else source for source in sources]
    _check_names(rules)
    files: Files = {}
    refused: list[tuple[str, str, str]] = []
    for rule in rules:
        if isinstance(rule, Schedule):
            validate(rule)  # a rule is validated where it is lowered
        program = lower(rule) if isinstance(rule, Rule) else None
        if program:
            check_storage(program)
        for name, module in modules.items():
            try:
                formatted = _storage(name, module, program)
                text = module.emit(program) if program else module.emit_schedule(rule)
            except RuleError as error:
                if name in needed:
                    raise
                refused.append((rule.name, name, error.problems[0].message))
                continue
            files |= formatted
            texts = {"py": text} if isinstance(text, str) else text or {}
            stem = f"{module.FOLDER}/{module_name(rule)}"
            files |= {f"{stem}{'' if '.' in end else '.'}{end}": text for end, text in texts.items()}
    return Built({**files, **_around(files, modules)}, tuple(refused))


def _around(files: Files, modules: Mapping[str, Any]) -> Files:
    """What the files of rules need beside them."""
    found = {"__init__.py": '"""What optgen generates; do not edit."""\n'} if files else {}
    for name, module in modules.items():
        if any(path.startswith(f"{module.FOLDER}/") for path in files):
            found |= {f"{module.FOLDER}/{path}": text for path, text in module.shared().items()}
            about = f'"""Optimizers generated by optgen for the backend {name}; do not edit."""\n'
            found[f"{module.FOLDER}/__init__.py"] = about
    return found


def _storage(name: str, module: Any, program: Program | None) -> Files:
    """The files that a backend needs for the storage formats of a program. Raises RuleError if it has none."""
    found = formats(program) if program else []
    lacking = "storage formats" if found and not hasattr(module, "storage") else ""
    if program and lacking:
        raise RuleError(f"the {name} backend has no {lacking} yet", program.rule.loc, "leave it to numpy")
    return {f"{module.FOLDER}/{path}": text for made in found for path, text in module.storage(made).items()}


def write(files: Files, out: Path) -> list[Path]:
    """Write the files below a folder; returns those that changed. All of them are written whole, or none is.

    Raises OptgenError where one cannot be written.
    """
    changed = {out / name: text for name, text in sorted(files.items()) if _text(out / name) != text}
    aside = {path: path.with_name(f".{path.name}.{os.getpid()}") for path in changed}
    try:
        for path, text in changed.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            aside[path].write_text(text, encoding="utf-8")
        for path in changed:
            aside[path].replace(path)
    except OSError as error:
        why = f"{printable(str(error.filename or out))}: {error.strerror or error}"
        raise OptgenError(f"the files cannot be written: {why}\nhint: give a folder of your own by --out") from None
    finally:
        for path in aside.values():
            with contextlib.suppress(OSError):
                path.unlink()
    return list(changed)


def _text(path: Path) -> str | None:
    """The text of a file, or None if there is none that could be what is generated."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


def drift(files: Files, out: Path, whole: bool) -> Iterator[str]:
    """Unified diffs from the folder to what would be generated. `whole`: files that nothing generates count too."""
    for name, text in sorted(files.items()):
        path = out / name
        old = _text(path) or ""
        if old != text:
            yield "".join(
                difflib.unified_diff(
                    old.splitlines(keepends=True), text.splitlines(keepends=True), str(path), f"{name} (generated)"
                )
            )
    if whole:
        for path in sorted(p for p in out.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            if path.relative_to(out).as_posix() not in files:
                yield f"stray file {path}: no rule generates it\n"


def compile(
    rule: Source, backend: str, *, storage: Asked | None = None, **structure: int | str | None
) -> ModuleType:
    """The generated module of one rule for one backend, from the per-user cache.

    storage: the formats of states, as "int8" for all of them or {"m": "int8", "v": "int8"}; see `optgen list`.
    structure: values of the structural parameters of a rule that is given by its name or path.

    Raises OptgenError for an unknown rule, backend or format and for what is no state of the rule, RuleError for a rule
    that cannot be compiled.
    """
    loaded = _loaded(rule, structure, storage)
    names = [backend, *(["triton", "c"] if backend == "torch" and isinstance(loaded, Rule) else [])]
    made = build([loaded], names, needed=[backend])  # the eager class needs no kernels
    return import_built(made.files, f"{_folder(backend)}.{module_name(loaded)}")


def optimizer(rule: Source, *, storage: Asked | None = None, **structure: int | str | None) -> type[Any]:
    """The torch.optim.Optimizer class of a built-in name, a rule file's path or a Rule.

    storage, structure: as for `compile`, which raises the same.
    """
    loaded = _loaded(rule, structure, storage)
    made: type[Any] = getattr(compile(loaded, "torch"), loaded.name)
    return made


def _loaded(
    rule: Source, structure: Mapping[str, int | str | None], storage: Asked | None = None
) -> Rule | Schedule:
    if structure and not isinstance(rule, (str, Path)):
        raise OptgenError(f"{', '.join(structure)} is given beside a Rule\nhint: give it to load, which makes the Rule")
    loaded = load(rule, **structure) if isinstance(rule, (str, Path)) else rule
    loaded = loaded if loaded.name else replace(loaded, name="CustomRule")
    loaded = loaded if storage is None else with_storage(loaded, storage)
    check_identifier(loaded.name, "rule", loaded.loc)
    return loaded


def _folder(name: str) -> str:
    return str(backend(name).FOLDER)


def _check_names(rules: Sequence[Rule | Schedule]) -> None:
    seen: dict[str, str] = {}
    for rule in rules:
        name = module_name(rule).lower()
        check_identifier(rule.name, "rule", rule.loc)
        if name in FILES:
            message = f"rule {rule.name!r} would be the module {name}, which Python, C or the generated code reserves"
            raise RuleError(message, rule.loc, f"choose another name, for example {rule.name}0")
        if name in seen:
            raise OptgenError(
                f"{seen[name]} and {rule.source or rule.name} would share the file {name}.py\nhint: rename one of them"
            )
        seen[name] = rule.source or rule.name
