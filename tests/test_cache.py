"""The cache: entries are whole, private, keyed by content, and shared by processes; without it all still works."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import optgen
import optgen._built
from optgen import cache
from optgen.errors import OptgenError
from optgen.starter import write_starter

FILES = {"__init__.py": "", "part/__init__.py": "", "part/one.py": "from . import two\nVALUE = two.VALUE + 1\n",
         "part/two.py": "VALUE = 41\n"}
CHILD = textwrap.dedent("""
    import os, sys, warnings
    from pathlib import Path
    import optgen._built
    from optgen.cache import import_built
    files = {"__init__.py": "", "one.py": "VALUE = %r\\n" + "# padding\\n" * 20000}
    if len(sys.argv) > 1 and os.getuid() == 0:
        os.setuid(int(sys.argv[1]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module = import_built(files, "one")
    print(module.VALUE, module.__name__, module.__file__, len(caught), *(str(w.message)[:30] for w in caught))
""")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of this test's own; what it imports is forgotten, and what others had imported is there again."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(optgen._built, "__path__", [str(optgen._built.folder())])
    before = {name: module for name, module in sys.modules.items() if name.startswith("optgen._built.")}
    yield optgen._built.folder()
    forget()
    sys.modules.update(before)


def forget() -> None:
    """What a new process would not have imported."""
    for name in [name for name in sys.modules if name.startswith("optgen._built.")]:
        del sys.modules[name]


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def child(value: object, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """A process that imports an entry from the cache."""
    package = str(Path(optgen.__file__).parents[1])
    return subprocess.Popen([sys.executable, "-c", CHILD % (value,), *arguments], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": package, **environment})


def test_a_module_is_imported_from_an_entry_with_its_siblings(home: Path) -> None:
    module = cache.import_built(FILES, "part.one")
    (key,) = entries(home)
    assert module.VALUE == 42
    assert module.__name__ == f"optgen._built.{key}.part.one"
    assert cache.import_built(FILES, "part.one") is module


def test_the_folder_is_private(home: Path) -> None:
    old = os.umask(0)
    try:
        cache.import_built(FILES, "part.one")
    finally:
        os.umask(old)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_the_key_is_the_content_of_all_files_whatever_their_order(home: Path) -> None:
    cache.import_built(FILES, "part.one")
    cache.import_built(dict(reversed(FILES.items())), "part.one")
    assert len(entries(home)) == 1
    assert cache.import_built({**FILES, "part/two.py": "VALUE = 1\n"}, "part.one").VALUE == 2
    assert cache.import_built({**FILES, "part/more.py": ""}, "part.one").VALUE == 42
    assert len(entries(home)) == 3


def test_an_entry_that_is_there_is_not_written_again(home: Path) -> None:
    cache.import_built(FILES, "part.one")
    (key,) = entries(home)
    before = (home / key).stat().st_ino, (home / key / "part/one.py").stat().st_mtime_ns
    forget()
    assert cache.import_built(FILES, "part.one").VALUE == 42
    assert ((home / key).stat().st_ino, (home / key / "part/one.py").stat().st_mtime_ns) == before


@pytest.mark.parametrize("harm", [
    lambda entry: (entry / "part/two.py").unlink(),
    lambda entry: (entry / "part/two.py").write_text("VALUE = 4"),
    lambda entry: (entry / "part/two.py").write_text(""),
    lambda entry: (entry / "part/two.py").write_bytes(b"\xff\xfe"),
    lambda entry: (entry / "part/one.py").write_text("VALUE = 'poisoned'\n"),
], ids=["missing", "cut", "empty", "no text", "poisoned"])
def test_an_entry_that_is_not_whole_is_never_imported(home: Path, harm: Any) -> None:
    cache.import_built(FILES, "part.one")
    (key,) = entries(home)
    forget()
    harm(home / key)
    assert cache.import_built(FILES, "part.one").VALUE == 42
    assert entries(home) == [key], "the bad entry and what it was replaced with are gone"
    assert {name: (home / key / name).read_text() for name in FILES} == FILES


def test_a_process_that_dies_while_writing_leaves_no_entry(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", die)
    with pytest.raises(KeyboardInterrupt):
        cache.import_built(FILES, "part.one")
    monkeypatch.undo()
    assert not entries(home)


def test_a_process_that_is_killed_while_writing_leaves_no_entry(home: Path, tmp_path: Path) -> None:
    slow = "import pathlib, time, sys\nwrite = pathlib.Path.write_text\ndef slowly(self, *a, **k):\n" \
           "    write(self, *a, **k)\n    print('wrote', flush=True)\n    time.sleep(60)\n" \
           "pathlib.Path.write_text = slowly\n"
    package = str(Path(optgen.__file__).parents[1])
    process = subprocess.Popen([sys.executable, "-c", slow + CHILD % 1], stdout=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONPATH": package, "XDG_CACHE_HOME": str(tmp_path)})
    assert process.stdout is not None
    assert process.stdout.readline() == "wrote\n"
    process.kill()
    process.wait()
    assert not [name for name in entries(home) if not name.startswith(".")]
    after = child(1, {"XDG_CACHE_HOME": str(tmp_path)})
    assert after.communicate()[0].startswith("1 ")


def test_sixteen_processes_share_a_cold_cache(home: Path, tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    running = [child(7, environment) for _ in range(16)]
    time.sleep(0.2)
    running[0].kill()
    said = [process.communicate(timeout=120) for process in running]
    for out, error in said[1:]:
        assert out.startswith("7 "), error
        assert out.split()[3] == "0", out
    assert len({out.split()[2] for out, _ in said[1:]}) == 1, "one file serves all"
    assert len([name for name in entries(home) if not name.startswith(".")]) == 1


def test_a_home_that_cannot_be_written_costs_a_warning_only(tmp_path: Path) -> None:
    """As root a folder's mode stops nothing, so the child gives its rights away first."""
    home = tmp_path / "home"
    home.mkdir()
    private = tmp_path / "tmp"
    private.mkdir()
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(folder.stat().st_mode | 0o055)
    home.chmod(0o555)
    private.chmod(0o777)
    out, error = child(3, {"XDG_CACHE_HOME": str(home), "TMPDIR": str(private)}, "65534").communicate()
    value, _, path, warned, *message = out.split()
    assert (value, warned) == ("3", "1"), error
    assert " ".join(message).startswith("the cache cannot be used")
    assert Path(path).is_relative_to(private)
    assert not entries(home)


def test_a_home_that_is_a_file_costs_a_warning_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="the cache cannot be used"):
        assert cache.import_built(FILES, "part.one").VALUE == 42


def test_a_folder_that_others_can_write_is_not_used(home: Path) -> None:
    cache.import_built(FILES, "part.one")
    forget()
    home.chmod(0o777)
    with pytest.warns(UserWarning, match="can be written by others"):
        module = cache.import_built(FILES, "part.one")
    assert not Path(str(module.__file__)).is_relative_to(home)


def test_no_folder_at_all_is_an_error_that_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "file"))
    with pytest.raises(OptgenError, match="no folder for generated code can be written"):
        cache.import_built(FILES, "part.one")


def test_an_optimizer_is_as_its_file_is_now(home: Path, tmp_path: Path) -> None:
    path = write_starter("halving", tmp_path)
    text = path.read_text(encoding="utf-8")
    first = optgen.optimizer(path)
    assert optgen.optimizer(path) is first
    assert optgen.optimizer(str(path)) is first
    written = entries(home)
    path.write_text(text.replace("1e-3", "0.25"), encoding="utf-8")
    second = optgen.optimizer(path)
    assert second is not first
    p = torch.ones(1, requires_grad=True)
    assert [cls([p]).defaults["lr"] for cls in (first, second)] == [1e-3, 0.25]
    assert len(entries(home)) == len(written) + 1
    path.write_text(text, encoding="utf-8")
    assert optgen.optimizer(path) is first
