"""The command line: list, show, build, verify, new and demo."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from optgen import __version__
from optgen.build import build as build_files
from optgen.build import configuration, drift, write
from optgen.dsl.formats import with_storage
from optgen.dsl.load import built_in_names, load
from optgen.dsl.rule import Schedule
from optgen.equations import latex as latex_of
from optgen.errors import OptgenError
from optgen.ir_text import show as show_step
from optgen.passes import STAGES, lower
from optgen.show import description, overview
from optgen.starter import write_starter

app = typer.Typer(help="Optimizer update rules, compiled from their equations.", no_args_is_help=True,
                  add_completion=False, pretty_exceptions_enable=False)

RuleName = Annotated[str, typer.Argument(metavar="RULE|FILE", help="A built-in name, or the path of a rule file.")]
RuleNames = Annotated[list[str] | None, typer.Argument(metavar="[RULE|FILE ...]",
                                                       help="Built-in names or rule files; all built-in ones if none.")]
Backends = Annotated[list[str] | None, typer.Option("--backend", "-b", help="Only this backend; may be repeated.")]


Formats = Annotated[str | None, typer.Option("--storage", metavar="FORMATS",
                                             help="Formats of states: int8 for all, or m=int8,v=int8.")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line. What the user can mend is printed without a traceback, with exit status 2."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know fewer characters than a rule's paper
    try:
        app(arguments, prog_name="optgen")
    except OptgenError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        hint = "look at the path, who may write there, and the space that is left"
        print(f"{what}{error.strerror or error}\nhint: {hint}", file=sys.stderr)
        raise SystemExit(2) from None


@app.callback(invoke_without_command=True)
def version(show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show_version:
        typer.echo(f"optgen {__version__}")


@app.command("list")
def list_rules() -> None:
    """Rules, schedules and storage formats."""
    _console().print(overview())


@app.command()
def show(
    rule: RuleName,
    latex: Annotated[bool, typer.Option("--latex", help="Only the equations, as LaTeX.")] = False,
    ir: Annotated[bool, typer.Option("--ir", help="Only the compiled steps, one for each variant.")] = False,
    after: Annotated[str | None, typer.Option(metavar="PASS", help=f"With --ir: {', '.join(STAGES)}.")] = None,
) -> None:
    """Equations, hyperparameters, state, bytes per parameter and launches of one rule."""
    if (latex and ir) or (after is not None and not ir):
        clash = "--latex and --ir do not go together" if latex and ir else "--after goes with --ir only"
        raise OptgenError(f"{clash}\nhint: optgen show {rule} --ir" + (f" --after {after}" if after else ""))
    loaded = load(rule)
    if latex:
        typer.echo(latex_of(loaded))
    elif ir:
        if isinstance(loaded, Schedule):
            raise OptgenError(f"{rule} is a schedule, which has no steps\nhint: all of a schedule runs on the host")
        if after is not None and after not in STAGES:
            raise OptgenError(f"there is no pass {after!r}\nhint: choose one of {', '.join(STAGES)}")
        typer.echo("\n\n".join(show_step(step) for step in lower(loaded, after or STAGES[-1]).steps))
    else:
        _console().print(description(loaded), highlight=False, soft_wrap=False)


@app.command()
def build(
    rules: RuleNames = None,
    backends: Backends = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the generated packages.")] = None,
    storage: Formats = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; print what differs, and fail if so.")] = False,
) -> None:
    """Generate code. With no rules, those listed under [tool.optgen] in the nearest pyproject.toml, else all."""
    asked = configuration(Path())
    if storage is not None and not rules:
        raise OptgenError(f"--storage goes with rules that are named\nhint: optgen build adamw --storage {storage}")
    folder = out or asked.out
    named = backends or (None if rules else asked.backends)
    paths = [os.path.abspath(name) if name.endswith(".py") else name for name in rules or asked.rules]
    formats = [asked.storage.get(path) if storage is None else storage for path in paths]
    sources = [
        name if given is None else with_storage(load(name), given)
        for name, given in zip(rules or asked.rules, formats, strict=True)
    ]
    made = build_files(sources, named, needed=backends or [])
    if check:
        differences = list(drift(made.files, folder, whole=not (rules or backends)))
        typer.echo("".join(differences), nl=False)
        typer.echo(f"{len(differences) or 'no'} differences in {folder}", err=True)
        raise typer.Exit(1 if differences else 0)
    changed = write(made.files, folder)
    for path in changed:
        typer.echo(f"wrote {path}")
    for rule, name, reason in made.refused:
        typer.echo(f"{rule} has no {name} file: {reason}", err=True)
    typer.echo(f"{len(made.files)} files in {folder}, {len(changed)} of them new or changed")


@app.command()
def verify(
    rules: RuleNames = None,
    backends: Backends = None,
    brief: Annotated[bool, typer.Option("--brief", help="One row for all classes of shapes.")] = False,
    storage: Formats = None,
) -> None:
    """Compare generated code with the equations, step by step, within the rounding error that each step may make.

    With states in codes, also tell for which sizes of gradients they stay near what float32 does.
    """
    if storage is not None and not rules:
        raise OptgenError(f"--storage goes with rules that are named\nhint: optgen verify adamw --storage {storage}")
    # torch takes seconds to import, and no other command but demo needs it
    if not import_module("optgen.verifying").run(rules or built_in_names(), backends, brief, _console(), storage):
        raise typer.Exit(1)


@app.command()
def new(name: Annotated[str, typer.Argument(metavar="NAME", help="The rule's name, in lower case.")]) -> None:
    """Write a rule file to start from, NAME.py in this folder."""
    path = write_starter(name, Path())
    typer.echo(f"wrote {path}\nnext: optgen show {path}; optgen verify {path}")


@app.command()
def demo(
    steps: Annotated[int, typer.Option(help="Training steps of each run.")] = 300,
    out: Annotated[Path, typer.Option(help="Folder for the plot.")] = Path("demo"),
) -> None:
    """Train a small transformer with generated AdamW and with torch's, and compare."""
    # torch takes seconds to import, and no other command but verify needs it
    if not import_module("optgen.demo").run(steps, out, _console()):
        raise typer.Exit(1)


def _console() -> Console:
    # Rich takes 80 columns where it cannot ask a terminal, which folds the tables of a log
    return Console() if sys.stdout.isatty() else Console(width=140)
