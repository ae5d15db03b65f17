"""Kernels of parameters in storage formats: the bits of NumPy, alone and beside states in any format."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from random_kernel import FIRSTS, GIVEN, draw
from test_c_parameters import (  # noqa: F401  # the same tests, of kernels
    test_a_group_of_several_dtypes_is_stepped_as_it_is_eagerly,
    test_a_seed_that_is_changed_between_two_steps_counts,
    test_any_number_is_stored_and_loaded_as_numpy_does,
)
from test_parameter_formats import FORMATS
from test_parameter_formats_torch import (  # noqa: F401
    class_of,
    given,
    leaves,
    part_of,
    same,
    test_a_parameter_of_any_layout_is_stepped_through_its_memory,
    test_a_step_is_that_of_numpy_to_the_bit,
    test_master_weights_that_others_have_changed_are_left,
    test_parameters_of_other_dtypes_are_stepped_plainly,
    train,
)
from test_parameter_formats_torch import draw as randn
from test_parameter_formats_torch import test_copies_pickles_and_checkpoints_go_on_bit_for_bit as copies_go_on
from test_triton_codes import Counted

from optgen.build import build
from optgen.dsl import Eq, Rule, hyper, literal, stored, t, tensors
from optgen.errors import RuleError


@pytest.mark.parametrize("in_rows", [False, True])
def test_random_bits_are_the_same_wherever_a_block_begins(in_rows: bool) -> None:
    """Those of PyTorch, which are NumPy's; also where the upper half of the counter is another."""
    chance = part_of("_parameters", "bf16_sr").Chance
    for first in FIRSTS:
        out = torch.empty(1024, dtype=torch.int32)
        draw[(1,)](out, torch.tensor([*GIVEN, first]), in_rows, 1024)
        assert torch.equal(out, chance(*GIVEN, first).bits(out)), first


@pytest.mark.parametrize("on_host", [False, True])
def test_a_seed_and_a_count_of_any_size_reach_the_kernel(on_host: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the count lies on the device, or on the host. float32 would hold neither seed."""
    cls = class_of("bf16_sr", "sgd")
    if on_host:
        package = cls.__module__.rpartition(".")[0]
        monkeypatch.setattr(sys.modules[f"{package}._fused"], "on_device", lambda group: False)
    for seed, before in ((2**32 - 1, 1), (2**24 + 1, 2**16 - 1), (1, 2**16)):
        sides = [cls([{"params": leaves((300,), (70,)), "fused": one}], lr=0.01, seed=seed) for one in (True, False)]
        for side in sides:
            train(side, range(1))
            for state in side.state.values():
                state["step"].fill_(before)
            train(side, range(1, 3))
        assert same(*sides)


@pytest.mark.parametrize("form", ["bf16_sr", "master"])
def test_copies_pickles_and_checkpoints_go_on(form: str) -> None:
    copies_go_on(form, True)


@pytest.mark.parametrize("form", FORMATS)
def test_a_scaled_step_is_the_plain_one_and_infinities_leave_all_as_it_was(form: str) -> None:
    one, other = (class_of(form)([{"params": leaves((40, 33), (7,)), "fused": True}], **given(form)) for _ in range(2))
    train(one, range(1))
    train(other, range(1))
    for bad in (False, True, False):
        for side, scale in ((one, 1024.0), (other, 1.0)):
            for at, p in enumerate(side.param_groups[0]["params"]):
                p.grad = (randn(*p.shape, seed=at) * scale).bfloat16()
        one.grad_scale, one.found_inf = torch.full((1,), 1024.0), torch.full((1,), float(bad))
        if bad:
            one.param_groups[0]["params"][0].grad[3] = math.inf
        else:
            other.step()
        one.step()
        assert same(one, other)


def test_one_launch_steps_a_parameter_with_what_stands_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    launched: list[Any] = []
    cls = class_of("bf16_kahan", "adamw")
    optimizer = cls([{"params": leaves((64, 64), (4097,), (7,), (0, 3)), "fused": True}])
    train(optimizer, range(1))
    (launcher,) = optimizer._launchers().values()
    launcher._kernel = Counted(launcher._kernel, launched)
    train(optimizer, range(1, 3))
    assert len(launched) == 2


@pytest.mark.parametrize(("form", "name"), [("bf16_kahan", "theta_rest_at"), ("bf16_split8", "joined"),
                                            ("bf16_sr", "by_chance"), ("bf16_sr", "place"), ("master", "theta_master")])
def test_names_of_a_kernel_with_a_parameter_in_a_format_are_not_for_rules(form: str, name: str) -> None:
    theta, g = tensors("theta g")
    with literal():
        update = Eq(theta[t], theta[t - 1] - hyper(name, 0.1) * g[t])
        rule = Rule(param=theta, grad=g, name="Taken", equations=[update])
        assert build([rule], ["triton"]).files["triton_gpu/taken.py"]
        with pytest.raises(RuleError, match=f"the name '{name}' is one that the generated kernel uses itself"):
            build([stored(rule, name="Kept", param=form)], ["triton"])
