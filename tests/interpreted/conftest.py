"""Tests in this folder run Triton's interpreter, in a process of their own: tests/test_interpreted.py starts it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from optgen.verify.interpreter import interpreting

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
collect_ignore_glob = [] if INTERPRETED else ["test_*.py"]


@pytest.fixture(autouse=True, scope="session")
def as_optgen_interprets() -> Iterator[None]:
    with interpreting():
        yield
