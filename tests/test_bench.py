"""The benchmarks, on tensors so small that they only show that all is connected and counted right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch
from typer import Typer
from typer.testing import CliRunner

from bench import cpu, gpu, plot, rules
from bench.arguments import RULES
from bench.candidates import OURS, Candidate, candidates, class_of
from bench.measure import Case, cases, measure
from bench.references import EVERY
from bench.report import RESULTS, document, write
from bench.timing import Cpu, Run, Sample, interleaved, quartiles, ratio
from bench.workloads import SETTINGS, WORKLOADS, Workload, bytes_of_equations, bytes_of_tensors, parameters

MEASURED = {"candidate", "median_ms", "quartiles_ms", "device_ms", "fraction", "over_ours", "host_us_per_tensor",
            "allocated", "first_step_s"}  # fmt: skip
RESULT = {"rule", "dtype", "workload", "title", "tensors", "elements", "bytes", "bytes_of_tensors", "bandwidth",
          "rounds", "measured", "refused"}  # fmt: skip


def run(main: Any, *arguments: str) -> Any:
    app = Typer()
    app.command()(main)
    return CliRunner().invoke(app, arguments)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("bench") / "cpu.json"
    rules = [text for name in ("adamw", "lion") for text in ("--rule", name)]
    done = run(cpu.main, "--quick", *rules, "--workload", "gpt", "--workload", "tiny", "--json", str(path))
    assert done.exit_code == 0, done.output
    assert "torch fused" in done.output
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_a_run_leaves_all_figures(told: dict[str, Any]) -> None:
    assert {*told} == {"machine", "versions", "threads", "device", "quick", "compile_s", "results"}
    assert {*told["machine"]} == {"processor", "cores", "avx512"}
    assert told["quick"] is True
    assert {*told["compile_s"]} == {"adamw", "lion"}
    assert min(told["compile_s"].values()) > 0
    keys = [(r["workload"], r["rule"], r["dtype"]) for r in told["results"]]
    assert keys == [(w, *rest) for w in ("gpt", "tiny")
                    for rest in (("adamw", "fp32"), ("adamw", "bf16"), ("lion", "fp32"))]  # fmt: skip
    for result in told["results"]:
        assert {*result} == RESULT
        assert all({*one} == MEASURED for one in result["measured"])
        assert result["measured"][0]["candidate"] == OURS
        assert result["measured"][0]["over_ours"] == 1
        assert not {"optgen eager", "torch fused"} & {*result["refused"]}


def test_figures_of_a_run_agree_with_each_other(told: dict[str, Any]) -> None:
    for result in told["results"]:
        assert result["bytes"] == result["bytes_of_tensors"]
        for one in result["measured"]:
            low, high = one["quartiles_ms"]
            assert 0 < low <= one["median_ms"] <= high
            seconds = result["bytes"] / (result["bandwidth"] * 1e9)
            assert one["device_ms"] == one["median_ms"]
            assert one["fraction"] == pytest.approx(1e3 * seconds / one["device_ms"])
            assert one["host_us_per_tensor"] == pytest.approx(1e3 * one["median_ms"] / result["tensors"])


def test_a_run_names_no_path(told: dict[str, Any]) -> None:
    assert str(Path.home()) not in json.dumps(told)
    assert str(Path(cpu.__file__).parents[1]) not in json.dumps(told)


@pytest.mark.parametrize("rule", RULES)
def test_bytes_counted_from_the_equations_are_those_of_the_tensors(rule: str) -> None:
    workload = WORKLOADS["lora"].shrunk()
    params = parameters(workload, torch.float32, "cpu")
    for param in params:
        param.grad = torch.ones_like(param)
    optimizer = class_of(rule)(params, **SETTINGS.get(rule, {}))
    optimizer.step()
    counted = bytes_of_tensors(params, optimizer.state)
    assert bytes_of_equations(rule, SETTINGS.get(rule, {}), workload.elements, 4) == counted


def test_an_adamw_step_moves_28_bytes_a_parameter_and_with_amsgrad_36() -> None:
    assert bytes_of_equations("adamw", {}, 10, 4) == 280
    assert bytes_of_equations("adamw", {"amsgrad": True}, 10, 4) == 360
    assert bytes_of_equations("sgd", {}, 10, 4) == 120
    assert bytes_of_equations("sgd", {"momentum": 0.9}, 10, 4) == 200


def test_codes_count_as_what_they_take_and_are_measured_beside_plain_numbers() -> None:
    workload = Workload("matrix", "one tensor of 64x64", ((64, 64),))
    assert bytes_of_equations("adamw8bit", {}, 64 * 64, 4) == 64 * 64 * (3 * 4 + 4) + 2 * 2 * 16 * 4
    (param,) = parameters(workload, torch.float32, "cpu")
    param.grad = torch.ones_like(param)
    optimizer = class_of("adamw8bit")([param])
    optimizer.step()
    assert bytes_of_tensors([param], optimizer.state) == bytes_of_equations("adamw8bit", {}, 64 * 64, 4)
    labels = [one.label for one in candidates("adamw8bit", False)]
    assert labels[:4] == [OURS, "optgen eager", "optgen root8", "torch fused"]
    assert "torch foreach" not in labels
    assert "torch fused" not in [one.label for one in candidates("lion8bit", False)]


def test_a_rule_for_bfloat16_parameters_is_measured_in_that_beside_plain_ones() -> None:
    assert [(case.rule, case.dtype) for case in cases(["lion", "adamwbf16"], ["fp32", "bf16"], ["tiny"])] == [
        ("lion", "fp32"), ("adamwbf16", "bf16")]
    assert [one.label for one in candidates("adamwbf16", False)][:4] == [
        OURS, "optgen eager", "optgen Kahan", "torch fused"]


def test_workloads_are_as_large_as_they_say() -> None:
    sizes = {name: (len(w.shapes), w.elements) for name, w in WORKLOADS.items()}
    assert sizes["gpt"][0] == 83
    assert 28.5e6 < sizes["gpt"][1] < 29.5e6
    assert sizes["flat"] == (1, 64 << 20)
    assert sizes["lora"] == (1000, 16_384_000)
    assert sizes["tiny"][0] == 300
    assert sizes["large"] == (99, 124_402_176)


def test_candidates_step_in_turns_and_each_round_is_prepared() -> None:
    log: list[str] = []
    runs = [lambda name=name: log.append(name) for name in "AB"]
    samples = interleaved(runs, Cpu(), 2, [lambda: log.append("-"), lambda: log.append("+")])
    assert "".join(log) == "-A+B-A+B"
    assert [len(mine) for mine in samples] == [2, 2]


class Told(Cpu):
    """A device whose clock shows what it is told."""

    def __init__(self, *seconds: float) -> None:
        super().__init__(16)
        self.told = iter(seconds)

    def time(self, run: Run) -> Sample:
        run()
        return Sample(next(self.told), 3.0, 4.0)


def test_a_sample_of_short_steps_is_the_median_of_some() -> None:
    log: list[str] = []
    device = Told(9.0, 1.0, 2.0, 5.0, 7.0, 6.0)
    samples = interleaved([lambda: log.append("A")], device, 2, [lambda: log.append("-")], 3)
    assert samples == [[Sample(2.0, 3.0, 4.0), Sample(6.0, 3.0, 4.0)]]
    assert "".join(log) == "-A" * 6


@pytest.mark.parametrize(("seconds", "times"), [(0.03, 1), (0.0099, 2), (0.006, 3), (1e-6, 25)])
def test_short_steps_follow_one_another(seconds: float, times: int) -> None:
    assert Told(seconds).times(lambda: None) == times


def test_medians_and_ratios() -> None:
    assert quartiles([3.0, 1.0, 2.0, 5.0, 4.0]) == (2.0, 3.0, 4.0)
    assert quartiles([2.0]) == (2.0, 2.0, 2.0)
    assert ratio([2.0, 40.0, 6.0], [1.0, 10.0, 4.0]) == 2.0


def test_an_allocation_of_a_parameters_size_is_seen() -> None:
    device, x = Cpu(16), torch.zeros(1000)
    assert device.allocated(lambda: x + 1) == x.nbytes
    assert device.allocated(lambda: x.add_(1)) < 16


def test_a_fused_step_allocates_nothing_of_a_parameters_size_and_foreach_does() -> None:
    case = Case("adamw", "fp32", Workload("matrix", "one tensor of 64x64", ((64, 64),)))
    result = measure(case, candidates("adamw", False), Cpu(16), 2)
    allocated = {one.candidate: one.allocated for one in result.measured}
    assert allocated[OURS] < 1024
    assert allocated["torch foreach"] >= 64 * 64 * 4


@pytest.mark.parametrize("main", [cpu.main, gpu.main], ids=["cpu", "gpu"])
@pytest.mark.parametrize(("option", "name", "known"), [
    ("--rule", "adamq", "adamw"), ("--workload", "gpu", "gpt, flat"), ("--dtype", "fp8", "fp32, bf16")])
def test_a_name_that_is_not_there_is_told_with_those_that_are(main: Any, option: str, name: str, known: str) -> None:
    done = run(main, option, name)
    assert done.exit_code == 2
    words = " ".join(done.output.replace("│", " ").split())
    assert f"there is no {'prebuilt ' if option == '--rule' else ''}{option[2:]} '{name}': choose from" in words
    assert known in words


def test_a_candidate_that_cannot_step_is_left_out_with_its_reason() -> None:
    def refuse(params: Any) -> Any:
        raise RuntimeError("no kernels\nfor this")

    mine = next(candidates("adamw", False))
    case = Case("adamw", "fp32", WORKLOADS["tiny"].shrunk())
    result = measure(case, [mine, Candidate("peer", refuse)], Cpu(16), 1)
    assert result.refused == {"peer": "RuntimeError: no kernels"}
    assert [one.candidate for one in result.measured] == [OURS]


def test_without_a_gpu_the_gpu_benchmark_says_so_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    done = run(gpu.main, "--json", str(tmp_path / "gpu.json"))
    assert done.exit_code == 2
    assert done.output == gpu.NO_GPU + "\n"
    assert not (tmp_path / "gpu.json").exists()


class Waits(Cpu):
    """A device whose caller waits for a tenth of each step."""

    def time(self, run: Any) -> Sample:
        step = super().time(run).step
        return Sample(step, step / 10, step / 2)


def test_the_gpu_benchmark_measures_and_draws_all_that_it_would_on_a_gpu(tmp_path: Path) -> None:
    asked = [case.shrunk() for case in cases(["adamw", "lion"], ["fp32"], ["large", "tiny"])]
    heard: list[int] = []
    results = gpu.run(asked, False, Waits(16), 2, lambda so_far: heard.append(len(so_far)))
    assert heard == [1, 2, 3, 4]
    labels = [one.candidate for one in results[0].measured]
    assert labels[:2] == [OURS, gpu.STRICT]
    assert {"torch fused", "torch foreach"} <= {*labels}
    for one in results[0].measured:
        assert one.host_us_per_tensor < 1e3 * one.median_ms / results[0].tensors
        assert one.device_ms == pytest.approx(one.median_ms / 2)
    write(document(results, {"adamw": 0.1}, device="none", cuda=None, quick=True), tmp_path / "gpu.json")
    done = run(plot.main, "--results", str(tmp_path), "--out", str(tmp_path / "docs"))
    assert done.exit_code == 0, done.output
    assert "copy" in drawn(tmp_path / "docs/steps_gpu.svg")


def drawn(path: Path) -> str:
    """The words in a picture."""
    return " ".join(ElementTree.parse(path).getroot().itertext())


def test_the_picture_names_rules_candidates_and_units(told: dict[str, Any], tmp_path: Path) -> None:
    write(told, tmp_path / "cpu.json")
    done = run(plot.main, "--results", str(tmp_path), "--out", str(tmp_path / "docs"))
    assert done.exit_code == 0, done.output
    words = drawn(tmp_path / "docs/steps_cpu.svg")
    for text in ("AdamW bf16", "Lion fp32", OURS, "torch fused", "time of a step (ms)", "in-place multiplication"):
        assert text in words, text
    assert not (tmp_path / "docs/steps_gpu.svg").exists()


def test_no_results_no_picture(tmp_path: Path) -> None:
    done = run(plot.main, "--results", str(tmp_path), "--out", str(tmp_path))
    assert done.exit_code == 2
    assert "bench.cpu" in done.output


def test_a_row_of_every_rule_tells_accuracy_and_cost(tmp_path: Path) -> None:
    made, app = tmp_path / "rules.json", Typer()
    app.command()(rules.main)
    done = CliRunner().invoke(app, ["--quick", "--rule", "LARS", "--rule", "Muon", "--json", str(made)])
    assert done.exit_code == 0, done.output
    lars, muon = json.loads(made.read_text(encoding="utf-8"))["rows"]
    assert lars["reference"] == lars["fastest"] == "timm.Lars"
    assert 0 < lars["difference"] < 1e-12
    assert 0.1 < lars["error"] <= 1
    assert (lars["launches"], lars["bytes"]) == ([1, 2], 28)
    assert lars["reference_over_ours"] > 0 < lars["over_floor"]
    assert (muon["launches"], muon["over_floor"]) == ([], None)  # products
    assert CliRunner().invoke(app, ["--rule", "lars"]).exit_code == 2


@pytest.mark.parametrize(("name", "others"), [
    ("AdamW", ["torch fused", "torch foreach", "torch loop"]), ("Adafactor", ["torch foreach", "torch loop"]),
    ("LAMB", ["timm.Lamb"]),
])
def test_a_rule_is_timed_beside_all_that_torch_has_of_it_or_else_its_reference(name: str, others: list[str]) -> None:
    assert [one.label for one in rules.others_of(name)] == [OURS, *others]


def test_the_table_of_rules_is_that_of_the_figures() -> None:
    told = json.loads((RESULTS / "rules.json").read_text(encoding="utf-8"))
    rows = [rules.Row(**row) for row in told["rows"]]
    assert rules.TABLE.read_text(encoding="utf-8") == "\n".join(rules.lines(rows, told)) + "\n"
    assert {row.name for row in rows} == {*EVERY}
    assert not told["quick"]
