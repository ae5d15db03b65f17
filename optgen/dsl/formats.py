"""Formats: what is asked for from outside of a rule file, as text or as a dict, becomes a rule with storage formats."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from optgen.dsl.names import shown
from optgen.dsl.rule import Rule, Schedule
from optgen.dsl.storage import state_names, stored
from optgen.errors import OptgenError, printable

Asked = str | Mapping[str, str]
_HINT = 'write "int8" for every state, or a format for each, such as "m=int8,v=int8"'
_WORD = re.compile(r"\w+", re.ASCII)


def formats_of(asked: Any) -> dict[str, str]:
    """The format of each quantity; that of every state is under `states`.

    asked: a format, names and formats in a text as "m=int8,v=int8", or a dict of these.
    Raises OptgenError for all else, and for a name that is given twice.
    """
    if not isinstance(asked, (str, Mapping)):
        raise OptgenError(f"storage is {shown(asked)}, neither a text nor a dict\nhint: {_HINT}")
    texts = asked.split(",") if isinstance(asked, str) else [f"{name}={given}" for name, given in asked.items()]
    found: dict[str, str] = {}
    for text in texts:
        name, sign, given = (word.strip() for word in text.partition("="))
        name, given = (name, given) if sign else ("states", name)
        if not (_WORD.fullmatch(name) and _WORD.fullmatch(given)):
            raise OptgenError(f"storage has {printable(repr(text))}, which is no name and format\nhint: {_HINT}")
        if name in found:
            raise OptgenError(f"storage names {'every state' if name == 'states' else name} twice\nhint: {_HINT}")
        found[name] = given
    return found


def formats_of_table(table: Any, folder: Path, rules: Sequence[str]) -> dict[str, Asked]:
    """What [tool.optgen.storage] of a folder's pyproject.toml asks for, by rules as they are listed.

    Raises OptgenError for what is no table, and for a rule that is not listed.
    """
    where = "storage in [tool.optgen] of pyproject.toml"
    if not isinstance(table, dict):
        hint = 'write storage = { adamw = "int8", lion = "m=bf16" }'
        raise OptgenError(f"{where} has a value of a wrong type\nhint: {hint}")
    made = {str(folder / name) if name.endswith(".py") else name: asked for name, asked in table.items()}
    unlisted = [name for name, path in zip(table, made, strict=True) if path not in rules]
    if unlisted:
        message = f"{where} names {printable(repr(unlisted[0]))}, which is not among its rules"
        raise OptgenError(f"{message}\nhint: list it under rules, or remove it")
    return made


def with_storage(rule: Rule | Schedule, asked: Asked) -> Rule:
    """A rule with the storage formats that are asked for; see `stored` and `formats_of`.

    Raises OptgenError for what is malformed, for a schedule, and for a name that is no state of the rule.
    """
    given = formats_of(asked)
    if isinstance(rule, Schedule):
        raise OptgenError(f"{rule.name} is a schedule, which stores nothing\nhint: give storage for a rule only")
    names = state_names(rule)
    for name, wanted in given.items():
        if name not in (*names, "states", "param"):
            hint = f"it has {', '.join([*names, 'param'])}"
            raise OptgenError(f"{rule.name} has no state {name!r} to store as {printable(wanted)}\nhint: {hint}")
    if "states" in given and not names:
        raise OptgenError(f"{rule.name} has no state to store as {printable(given['states'])}\nhint: leave storage out")
    single: dict[str, Any] = {name: each for name, each in given.items() if name != "states"}
    made = stored(rule, given.get("states", ""), **single)
    text = ",".join(each if name == "states" else f"{name}={each}" for name, each in given.items())
    return replace(made, loc=rule.loc, options=f"--storage {text}")
