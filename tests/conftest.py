"""What the tests share: golden texts and the option that accepts new ones, and a number of threads."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import torch

HERE = Path(__file__).parent

hypothesis.settings.register_profile("default", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2000)
hypothesis.settings.register_profile(
    "unshrunk", deadline=None, derandomize=True, database=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update", action="store_true", help="accept what golden tests produce as the new golden text")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """A function (name, text) that compares a text with tests/<name>, or writes it there under --update."""

    def compare(name: str, text: str) -> None:
        path = HERE / name
        text = text.rstrip("\n") + "\n"
        if request.config.getoption("--update"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            return
        assert path.is_file(), f"there is no {path}; run pytest --update once and read what it wrote"
        old = path.read_text(encoding="utf-8")
        diff = "\n".join(difflib.unified_diff(old.splitlines(), text.splitlines(), name, "now", lineterm=""))
        assert old == text, f"{name} differs; read the diff and accept it with --update\n{diff}"

    return compare


@pytest.fixture
def two_threads() -> Iterator[None]:
    """torch computes on two threads, whatever the environment says."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest come first, so that no worker waits for another at the end."""
    items.sort(key=lambda item: (item.path.stem != "test_interpreted", "random" not in item.name))
