"""Trainings in every storage format, so short that they only show that all is connected and counted right."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from bench import distance, modes, plot

CHOSEN = {"fp32": 12.0, "int8": 6.1, "bf16_sr": 6.0, "bf16_split16": 8.0}


def run(main: Any, *arguments: str) -> Any:
    app = Typer()
    app.command()(main)
    return CliRunner().invoke(app, arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("modes")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(modes, "MODES", {name: modes.MODES[name] for name in CHOSEN})
        patched.setattr(modes, "HELD_OUT", 1)
        done = run(modes.main, "--steps", "10", "--seeds", "2", "--json", str(made / "modes.json"))
    assert done.exit_code == 0, done.output
    assert "less fp32" in done.output
    return made


def test_every_mode_learns_and_stores_what_it_says(folder: Path) -> None:
    told = json.loads((folder / "modes.json").read_text())
    assert [one["mode"] for one in told["modes"]] == [*CHOSEN]
    assert (told["steps"], told["seeds"]) == (10, 2)
    plain = told["modes"][0]["losses"]
    assert plain[0] != plain[1]
    for one in told["modes"]:
        assert one["bytes"] == pytest.approx(CHOSEN[one["mode"]], rel=0.01)
        assert all(loss < 3.5 for loss in one["losses"])  # ln 90 is 4.5
        assert all(abs(a - b) < 0.05 for a, b in zip(one["losses"], plain, strict=True))
        assert one["mode"] == "fp32" or one["losses"] != plain


def test_the_picture_has_every_mode_but_that_of_comparison(folder: Path) -> None:
    done = run(plot.main, "--results", str(folder), "--out", str(folder / "docs"))
    assert done.exit_code == 0, done.output
    drawn = html.unescape((folder / "docs" / "modes.svg").read_text())
    assert [f"{modes.MODES[name].title}  (" in drawn for name in CHOSEN] == [False, True, True, True]


def test_distances_are_of_what_the_formats_lose(tmp_path: Path) -> None:
    done = run(distance.main, "--steps", "3", "--json", str(tmp_path / "distance.json"))
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "distance.json").read_text())["distances"]
    assert {mode.title for name, mode in modes.MODES.items() if name != "fp32"} <= {*told}
    for found in told.values():
        assert {*found} == {*distance.PROBLEMS}
        assert found["noise"] > 0
    assert told["4 bits"]["noise"] > 4 * told["8 bits, linear and root"]["noise"]
