"""Starter: the rule file that `optgen new` writes."""

from __future__ import annotations

from pathlib import Path

from optgen.dsl.load import built_in_names
from optgen.dsl.names import check_identifier
from optgen.errors import OptgenError

TEXT = '''"""{title}. Authors, Title of the paper, year.
https://..., Algorithm 1."""
from optgen import Eq, Rule, hyper, t, tensors

theta, g, m = tensors("theta g m")
lr = hyper("lr", 1e-3, at_least=0)
beta = hyper("beta", 0.9, at_least=0, below=1)

rule = Rule(
    param=theta, grad=g,
    state_keys={{m: "momentum_buffer"}},  # m is state because m[t - 1] is read; the key is its name in a checkpoint
    equations=[
        Eq(m[t], beta * m[t - 1] + (1 - beta) * g[t]),
        Eq(theta[t], theta[t - 1] - lr * m[t]),
    ],
    use="what it is good for",
)
'''


def write_starter(name: str, folder: Path) -> Path:
    """Write NAME.py in the folder. Raises OptgenError for a name that is invalid or taken, or a file that exists."""
    check_identifier(name, "rule", None)
    if name.lower() != name:
        raise OptgenError(f"the name {name!r} has capitals\nhint: the file is named in lower case, {name.lower()}, "
                          "and the class after the first word of the docstring")
    if name in built_in_names():
        raise OptgenError(f"{name!r} is a built-in rule\nhint: choose another name; `optgen show {name}` shows it")
    path = folder / f"{name}.py"
    title = check_identifier("".join(part[:1].upper() + part[1:] for part in name.split("_")), "the class", None)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(TEXT.format(title=title))
    except FileExistsError:
        raise OptgenError(f"{path} exists already\nhint: choose another name, or delete the file first") from None
    except OSError as error:
        raise OptgenError(f"{path} cannot be written: {error.strerror}\nhint: run it in a folder of your own") from None
    return path
