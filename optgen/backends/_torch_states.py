"""The states in a module for PyTorch: how each starts, of which shape it is, and in which format it is kept."""

from __future__ import annotations

from collections.abc import Iterator

from optgen.backends._formats import header, imported, maps, name_of, residual
from optgen.codecs import Codec
from optgen.ir import Place, Role, Step, Var
from optgen.languages import SCALAR, TORCH
from optgen.listing import extents, host_names
from optgen.printers import to_text
from optgen.render import render_python
from optgen.weave import Item

SHAPES = {  # of a state, by the extents of its axes
    (): "per_tensor",
    ("batch",): "per_matrix",
    ("batch", "rows"): "per_row",
    ("batch", "cols"): "per_col",
    ("batch", "rows", "cols"): "",
    ("batch", "rows", "rows"): "rows_by_rows",
    ("batch", "cols", "cols"): "cols_by_cols",
    ("batch", "cols", "rows"): "cols_by_rows",
}
DTYPES = {"bf16": "torch.bfloat16", "fp16": "torch.float16", "fp32": "torch.float32"}


def states_of(step: Step) -> Iterator[Item]:
    """A line for each state."""
    for state in step.of_role(Role.STATE):
        if state.tensor_init:
            start = "from_param" if state.init.name == step.of_role(Role.PARAM)[0].name else "from_grad"
        else:
            start = to_text(state.init, SCALAR, host_names(step))
        arguments = [f'"{state.name.removesuffix("_prev")}"', *([start] if state.init != 0 else []), *_shape(state)]
        arguments += [f"format={name_of(state)}"] if state.codec else []
        yield (f'kept["{state.key}"] = State({", ".join(arguments)})',)


def _shape(state: Var) -> list[str]:
    if state.place is Place.HOST:
        return ["host=True"]
    shape = SHAPES[extents(state)]
    return [f"shape={shape}"] if shape else []


def storage(made: Codec) -> dict[str, str]:
    """The files that rules with a storage format need besides; what they import is shared by all rules."""
    argument = residual(made) if made.for_param else DTYPES.get(made.parts[0].dtype, "")
    text = render_python(
        "codec_python.jinja",
        header=header(made),
        imports=[] if made.for_param else ["import torch", *(["from torch import Tensor"] if made.block else [])],
        module="_parameters" if made.for_param else "_storage",
        alias="",
        array="Tensor",
        maps=list(maps(made, TORCH)),
        imported=imported(made, TORCH),
        plain=f"{made.name} = {made.kind}({argument})",
        name=made.name,
        block=made.block,
    )
    return {f"_{made.name}.py": text}
