"""States in codes before the judge: what is stored must be the nearest that the format has, and magnitudes are told."""

from __future__ import annotations

import math
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

import needs
import numpy as np
import pytest

from optgen import compile, load, stored
from optgen.codecs import codecs
from optgen.dsl.rule import Rule
from optgen.errors import OptgenError
from optgen.verify import Row, Verdict, passed, verify_rule
from optgen.verify.magnitudes import Distance, distances
from optgen.verify.storage import Decoder


def coded(name: str, states: str = "", **formats: str) -> Rule:
    loaded = load(name)
    assert isinstance(loaded, Rule)
    return stored(loaded, states, name="Coded", **formats)


def large(rows: list[Row]) -> list[Row]:
    """The comparisons of tensors that are large enough for codes, in float32."""
    return [row for row in rows if row.shape == "large" and row.dtype == "fp32"]


@pytest.mark.parametrize(
    ("name", "formats"),
    [("lion", {"states": "int8"}), ("sgd", {"states": "int4"}), ("adam", {"m": "bf16", "v": "root8"}),
     ("adagrad", {"states": "fp8_e4m3"})],
)  # fmt: skip
def test_coded_states_lie_in_a_bound_that_is_used(name: str, formats: dict[str, str]) -> None:
    rule = coded(name, **formats)
    rows = verify_rule(rule, {"numpy": compile(rule, "numpy")})
    assert passed(rows), [row for row in rows if row.verdict is not Verdict.PASS][:1]
    assert 0.9 < max(row.ratio for row in large(rows)) <= 1
    assert max(row.ulp for row in large(rows)) > 1e3


class Off:
    """A format whose codes are wrong in a way."""

    def __init__(self, form: Any, way: str) -> None:
        self.form, self.way = form, way

    def __getattr__(self, name: str) -> Any:
        return getattr(self.form, name)

    def store(self, values: Any) -> Any:
        codes, absmax = self.form.store(values)
        if self.way == "next":
            return np.where(np.arange(codes.size).reshape(codes.shape) == 4100, codes ^ 1, codes), absmax
        return codes, absmax * np.float32(0.999) if self.way == "scale" else np.roll(absmax, 1)


@pytest.mark.parametrize("way", ["next", "scale", "block"])
def test_a_wrong_code_or_scale_is_found(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = coded("lion", "int8")
    module = compile(rule, "numpy")
    monkeypatch.setattr(module, "int8_signed", Off(module.int8_signed, way))
    rows = large(verify_rule(rule, {"numpy": module}))
    assert rows
    assert all(row.verdict is Verdict.FAIL and "state" in row.reason for row in rows)


@pytest.mark.parametrize("sign", ["signed", "unsigned"])
@pytest.mark.parametrize("name", [name for name, codec in codecs().items() if codec.block])
def test_a_number_is_as_far_from_its_code_as_the_judge_allows(name: str, sign: str) -> None:
    """Half a step of the format, or of its roots: between the last codes, too."""
    module = compile(coded("adamw", name), "numpy")
    form = getattr(import_module(f"{module.__package__}._{name}"), f"{name}_{sign}")
    values = np.geomspace(1e-9, 1, 2**16, dtype=np.float32)
    values = np.concatenate([values, np.linspace(0, 1, 2**16, dtype=np.float32)])
    values = np.concatenate([values, -values]) if sign == "signed" else values
    values[:: form.block] = 1
    codes, absmax = form.store(values)
    read, missed = Decoder({"m": form}).read({"m": codes, "m_absmax": absmax}, values.shape, [0])
    ratio = np.abs(read["m"] - values) / missed["m"]
    assert 0.999 < ratio.max() <= 1


@pytest.mark.parametrize("form", ["bf16_sr", "bf16_kahan", "bf16_split8", "bf16_split16", "master"])
def test_parameters_in_formats_lie_in_a_bound_that_is_used(form: str) -> None:
    """A parameter that was rounded by chance is one of the two neighbours; the others keep what they are to keep."""
    rule = coded("signum", param=form)
    rows = verify_rule(rule, {"numpy": compile(rule, "numpy")})
    assert passed(rows), [row for row in rows if row.verdict is not Verdict.PASS][:1]
    assert {row.dtype for row in rows} == {"bf16, fp32 states"}
    assert 0.6 < max(row.ratio for row in rows) <= 1


class Lossy:
    """A format of parameters that loses more than it may."""

    def __init__(self, form: Any) -> None:
        self.load, self.form = form.load, form

    def store(self, values: Any, *chance: Any) -> Any:
        found = self.form.store(values, *chance)
        if chance:
            return np.where(np.arange(found.size).reshape(found.shape) == 3, found + 1, found).astype(np.uint16)
        bits, beside = found
        return bits, beside * 0 if beside.dtype != np.float32 else (bits.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("form", ["bf16_sr", "bf16_kahan", "bf16_split8", "bf16_split16", "master"])
def test_a_parameter_that_loses_more_than_its_format_is_found(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = coded("signum", param=form)
    module = compile(rule, "numpy")
    monkeypatch.setattr(module, form, Lossy(getattr(module, form)))
    (row,) = [row for row in verify_rule(rule, {"numpy": module}) if row.shape == "odd" and row.variant == "defaults"]
    assert row.verdict is Verdict.FAIL
    assert "the parameter" in row.reason


@pytest.mark.parametrize("backend", ["torch", pytest.param("c", marks=needs.a_c_compiler)])
def test_parameters_of_other_dtypes_are_verified_as_plain_ones(backend: str) -> None:
    rule = coded("signum", param="bf16_split16")
    modules = {name: compile(rule, name) for name in ("numpy", "torch")}
    rows = verify_rule(rule, {backend: modules["torch"]}, reader=modules["numpy"])
    assert passed(rows), [row for row in rows if row.verdict is not Verdict.PASS][:1]
    assert {row.dtype for row in rows} == {"fp32", "fp16", "bf16", "bf16, fp32 states", "fp64"}


def test_codes_of_another_backend_cannot_be_read_without_the_numpy_module() -> None:
    rule = coded("lion", "int8")
    with pytest.raises(OptgenError, match="NumPy module"):
        verify_rule(rule, {"torch": ModuleType("none")})


def test_magnitudes_tell_where_a_format_holds() -> None:
    plain = compile("adamw", "numpy")
    found = {form: distances(compile(coded("adamw", form), "numpy"), plain) for form in ("int8", "root8", "fp16")}
    for form in ("int8", "root8"):
        assert [d.magnitude for d in found[form]] == [10.0**n for n in range(-12, 5)]
        assert all(d.is_within(0.02) for d in found[form])
    assert [d.magnitude for d in found["fp16"] if d.is_within(0.02)] == [1e-1, 1, 10, 100]


def test_what_is_no_number_is_within_nothing() -> None:
    assert not Distance(1.0, math.nan).is_within(math.inf)
    assert replace(Distance(1.0, 0.1), error=0.2).is_within(0.2)
