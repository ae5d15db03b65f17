"""Render: fill a template, whose variables must be exactly the given names."""

from __future__ import annotations

import ast
from functools import cache
from typing import Any

import jinja2
from jinja2 import meta


@cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("optgen", "templates")
    return jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def render(template: str, **names: Any) -> str:
    """The text of a template. A name too many or too few is a bug of a backend."""
    environment = _environment()
    assert environment.loader is not None
    source, _, _ = environment.loader.get_source(environment, template)
    wanted = meta.find_undeclared_variables(environment.parse(source))
    assert wanted == set(names), f"{template} wants {sorted(wanted ^ set(names))} otherwise"
    return environment.get_template(template).render(**names)


def render_python(template: str, **names: Any) -> str:
    """The text of a Python template, parsed once more before anybody writes it."""
    text = render(template, **names)
    ast.parse(text)
    return text
