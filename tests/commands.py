"""Commands: the command line in this process, with what it prints and the status that it ends with."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

from optgen.cli import main


@dataclass(frozen=True, slots=True)
class Done:
    """A finished command."""

    status: int
    out: str
    err: str


class _Terminal(io.TextIOWrapper):
    """A stream over memory, as those that Python opens for a pipe: it encodes what is written."""

    def __init__(self, encoding: str, errors: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors=errors, write_through=True)

    def text(self) -> str:
        self.flush()
        made = self.buffer
        assert isinstance(made, io.BytesIO)
        return made.getvalue().decode(self.encoding)


def command(*arguments: str, encoding: str = "utf-8") -> Done:
    """Run `optgen` with these arguments. Raises whatever would leave the user with a traceback."""
    with _streams(encoding) as (out, err):
        try:
            main(arguments)
            status: object = 0
        except SystemExit as done:
            status = done.code or 0
    assert isinstance(status, int), status
    return Done(status, out.text(), err.text())


@contextlib.contextmanager
def _streams(encoding: str) -> Iterator[tuple[_Terminal, _Terminal]]:
    out, err = _Terminal(encoding, "strict"), _Terminal(encoding, "backslashreplace")
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out, err
