"""Storage formats in C: the codes are NumPy's bit for bit, whatever the layout, the threads and the processor."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import needs
import numpy as np
import pytest
import torch
from c_codes import RULES, Pair, bits, modules
from c_steps import some
from torch import Tensor

from optgen import Eq, Rule, hyper, load, stored, t, tensors
from optgen.build import build
from optgen.dsl import literal
from optgen.errors import RuleError

pytestmark = needs.a_c_compiler
SHAPES = ((300, 7), (1,), (0,), (256,), (257,), (5, 51), (), (1025,), (2, 3, 128))
CODED = [name for name in RULES if {"int4", "int8", "root8", "fp8_e4m3"} & {*name.replace(",", "").split()}]


def grads_for(params: list[Tensor], seed: int) -> list[Tensor]:
    """Gradients of many magnitudes, with zeros among them."""
    make = torch.Generator().manual_seed(seed)

    def drawn(param: Tensor) -> Tensor:
        shape = param.shape
        size = 10 ** (torch.rand(shape, generator=make, dtype=torch.float64) * 6 - 5)
        values = torch.randn(shape, generator=make, dtype=torch.float64) * size
        return values * (torch.rand(shape, generator=make) > 0.05)

    return [drawn(param).to(param.dtype) for param in params]


def pair(name: str, params: list[Tensor], amsgrad: bool = False) -> Pair:
    return Pair(name, [p.detach() for p in params], amsgrad)


@pytest.fixture
def torchs_threads() -> Iterator[None]:
    """Leaves torch's threads as they were."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# C rounds fp64 to fp32 on the way to fp16, as torch does and NumPy does not.
EVERY = [(name, dtype) for name in RULES for dtype in (torch.float32, torch.float64)
         if not ("fp16" in name and dtype is torch.float64)]


@pytest.mark.parametrize(("name", "dtype"), EVERY, ids=str)
def test_every_code_is_that_of_the_numpy_backend(name: str, dtype: torch.dtype) -> None:
    sides = pair(name, some(*SHAPES, dtype=dtype), amsgrad=True)
    for step in range(4):
        assert sides.step(grads_for(sides.params, step)) == []
        sides.assert_same()


HALVES = [(torch.bfloat16, torch.bfloat16), (torch.float16, torch.float32), (torch.float32, torch.bfloat16),
          (torch.bfloat16, torch.float16), (torch.float32, torch.float64)]


@pytest.mark.parametrize(("of_param", "of_grad"), HALVES, ids=str)
@pytest.mark.parametrize("name", ["adamw, int8", "adamw, int4", "adamw, m int8, v bf16"])
def test_parameters_and_gradients_of_any_dtype(name: str, of_param: torch.dtype, of_grad: torch.dtype) -> None:
    sides = pair(name, some(*SHAPES, dtype=of_param))
    for step in range(3):
        assert sides.step([g.to(of_grad) for g in grads_for(sides.params, step)]) == []
        sides.assert_same()


def turned(x: Tensor) -> Tensor:
    """The same numbers with the last two axes in the other order in memory."""
    return x.transpose(-1, -2).contiguous().transpose(-1, -2)


LAYOUTS = {
    "parameters": lambda x: (turned(x), turned(x)),
    "gradients": lambda x: (x, turned(x)),
    "parameters, not gradients": lambda x: (turned(x), x.clone()),
    "gradients by twos": lambda x: (x, torch.stack([x, x + 1], -1)[..., 0]),
    "gradients of one row": lambda x: (x, x[..., :1, :].expand(x.shape)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["adamw, int8", "adamw, int4", "adamw, m int4, v fp8_e4m3"])
def test_blocks_follow_the_memory_of_the_state(name: str, layout: str) -> None:
    shapes = (70, 61), (3, 11, 131), (2, 1300)
    given = [LAYOUTS[layout](p.detach()) for p in some(*shapes)]
    sides = pair(name, [param for param, _ in given])
    for step in range(3):
        grads = [LAYOUTS[layout](g)[1] for g in grads_for(sides.params, step)]
        assert sides.step(grads) == []
        sides.assert_same()


def test_any_number_of_threads_gives_the_same_bits(torchs_threads: None) -> None:
    shapes = (301, 307), (99,), (129,), (64, 65), (20001,), (7,), (128, 128)
    for name in ("adamw, int8", "adamw, int4", "adamw, m int4, v fp8_e4m3"):
        found = []
        for threads in (1, 2, 3, 7):
            torch.set_num_threads(threads)
            sides = pair(name, some(*shapes))
            for step in range(3):
                assert sides.step(grads_for(sides.params, step)) == []
            sides.assert_same()
            states = [column for column in sides.states if column is not None]
            found.append([bits(t) for column in (sides.params, *states) for t in column])
        for other in found[1:]:
            assert all(map(np.array_equal, found[0], other)), name


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e12, 1e-42])
def test_what_is_no_number_spoils_its_own_block_alone(name: str, bad: float) -> None:
    sides = pair(name, some((1100,), (5, 60)))
    for step in range(3):
        grads = grads_for(sides.params, step)
        if step == 1:
            grads[0][300], grads[1][2, 3] = bad, bad
        assert sides.step(grads) == []
        sides.assert_same(states_alone=name.startswith("lion"))  # a NaN has no sign in C and torch, but in NumPy
    assert sides.params[0][:256].isfinite().all()
    assert sides.params[0][512:].isfinite().all()
    assert sides.params[0][256:384].isfinite().all() == (math.isfinite(bad) or name.startswith("lion"))


@pytest.mark.parametrize("name", CODED)
def test_a_block_whose_largest_value_has_no_reciprocal_is_stored_as_zeros(name: str) -> None:
    sides = pair(name, some((700,)))
    for step in range(2):
        grads = grads_for(sides.params, step)
        grads[0][256:512] *= 1e-38
        assert sides.step(grads) == []
        sides.assert_same()


def test_parameters_beyond_fp32_do_as_infinite_ones() -> None:
    sides = pair("adamw, int8", some((600,), dtype=torch.float64))
    for step in range(2):
        grads = grads_for(sides.params, step)
        grads[0][10] = 1e200
        assert sides.step(grads) == []
        sides.assert_same()


@pytest.mark.parametrize("name", CODED)
def test_a_processor_without_wide_registers_makes_the_same_bits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What -march=native gives is compared with what every processor of the kind has."""
    _, c = modules(name)
    compiler = sys.modules[f"{c.__package__}._compiler"]
    library = sys.modules[f"{c.__package__}._library"]
    own = compiler.flag_sets
    found = []
    for first in (0, 1):
        library._load.cache_clear()
        monkeypatch.setattr(compiler, "flag_sets", lambda given, k=first: itertools.islice(own(given), k, None))
        sides = pair(name, some(*SHAPES, (2000,)))
        for step in range(3):
            assert sides.step(grads_for(sides.params, step)) == []
        found.append([bits(t) for column in (sides.params, *filter(None, sides.states)) for t in column])
    library._load.cache_clear()
    assert all(map(np.array_equal, *found))


# A state, the place of its first part among STATES or of the second, and what is made of it.
WRONG: dict[str, tuple[str, int, Callable[[Tensor], Tensor]]] = {
    "codes of another dtype": ("adamw, int8", 0, Tensor.float),
    "codes in a row": ("adamw, int8", 0, lambda x: x.reshape(-1)),
    "codes that lie otherwise": ("adamw, int8", 0, lambda x: turned(x)),
    "too few largest values": ("adamw, int8", 1, lambda x: x[1:].clone()),
    "largest values in bf16": ("adamw, int8", 1, Tensor.bfloat16),
    "largest values by rows": ("adamw, int8", 1, lambda x: x.reshape(-1, 1)),
    "a code in each byte": ("adamw, int4", 0, lambda x: torch.zeros(64, 40, dtype=torch.uint8)),
    "too few codes": ("adamw, int4", 0, lambda x: x[1:].clone()),
    "codes with a sign": ("adamw, int4", 0, lambda x: x.view(torch.int8)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_state_of_another_kind_is_left_as_it_was(wrong: str) -> None:
    name, place, change = WRONG[wrong]
    sides = pair(name, some((64, 40)))
    column = sides.states[place]
    assert column
    sides.states[place] = [change(column[0])]
    before = [bits(t).copy() for column in (sides.params, *filter(None, sides.states)) for t in column]
    assert sides.step(grads_for(sides.params, 0)) == [0]
    after = [bits(t) for column in (sides.params, *filter(None, sides.states)) for t in column]
    assert all(map(np.array_equal, before, after))


def test_an_odd_number_of_codes_fills_its_last_byte_with_a_zero() -> None:
    sides = pair("adamw, int4", some((129,)))
    sides.step(grads_for(sides.params, 0))
    assert sides.states[0][0].shape == (65,)
    assert int(sides.states[0][0][-1]) >> 4 == 7  # what stands for 0
    sides.assert_same()


def test_what_found_inf_forbids_is_not_done() -> None:
    sides = pair("adamw, int8", some((700,)))
    sides.step(grads_for(sides.params, 0))
    before = [bits(t).copy() for column in (sides.params, *filter(None, sides.states)) for t in column]
    assert sides.step(grads_for(sides.params, 1), found_inf=torch.ones(())) is None
    after = [bits(t) for column in (sides.params, *filter(None, sides.states)) for t in column]
    assert all(map(np.array_equal, before, after))


def test_small_parameters_have_the_step_of_the_plain_rule() -> None:
    rule = load("adamw")
    assert isinstance(rule, Rule)
    files = build([stored(rule, "int8", name="Eight")], ["c"]).files
    assert "load_int8_signed(m_values, " in files["c_cpu/adamw.c"]
    assert '"exp_avg", "exp_avg_absmax"' in files["c_cpu/adamw.py"]
    assert "int8" not in files["c_cpu/adamw_otherwise.c"]
    assert "absmax" not in files["c_cpu/adamw_otherwise.py"]
    plain = build([rule], ["c"]).files["c_cpu/adamw.c"]
    assert files["c_cpu/adamw_otherwise.c"].partition("#define")[2] == plain.partition("#define")[2]


@pytest.mark.parametrize("name", ["m_values", "load_int8_signed"])
def test_names_of_a_coded_step_are_not_for_rules(name: str) -> None:
    theta, g, m = tensors("theta g m")
    with literal():
        rate = hyper(name, 0.1)
        update = [Eq(m[t], rate * m[t - 1] + g[t]), Eq(theta[t], theta[t - 1] - rate * m[t])]
        rule = Rule(param=theta, grad=g, name="Taken", equations=update)
        assert build([rule], ["c"]).files["c_cpu/taken.c"]
        with pytest.raises(RuleError, match=f"the name '{name}' is one that the generated kernel uses itself"):
            build([stored(rule, "int8", name="Coded")], ["c"])


UNDEFINED = """
import sys
sys.path.insert(0, {tests!r})
import torch
from test_c_storage import CODED, grads_for, pair, modules, some
for name in CODED:
    _, c = modules(name)
    compiler = sys.modules[f"{{c.__package__}}._compiler"]
    own = compiler.flag_sets
    add = ["-fsanitize=undefined,float-cast-overflow", "-fsanitize-undefined-trap-on-error"]
    compiler.flag_sets = lambda given: ((*flags, *add) for flags in own(given))
    for dtype in (torch.float32, torch.float64):
        sides = pair(name, some((1100,), (5, 61), dtype=dtype))
        for step, bad in enumerate([1.0, float("nan"), float("inf"), -1e38, 1e-45]):
            grads = grads_for(sides.params, step)
            grads[0][300] = bad
            assert sides.step(grads) == []
    compiler.flag_sets = own
print("defined")
"""


@needs.compiler("gcc")
def test_no_number_is_converted_to_a_code_that_cannot_be() -> None:
    code = UNDEFINED.format(tests=os.path.dirname(__file__))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "CC": "gcc"}, check=False
    )
    assert done.stdout == "defined\n", done.stderr[-2000:]
