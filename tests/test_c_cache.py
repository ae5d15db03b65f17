"""The cache of compiled steps, the compiler that is called, and what happens where either is missing or hostile."""

from __future__ import annotations

import contextlib
import fcntl
import io
import multiprocessing
import os
import shutil
import signal
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import needs
import pytest

from optgen._generated.c_cpu import _compiler, _library

STEP = """
import torch
from optgen import optim
p = torch.ones(5, requires_grad=True)
p.grad = torch.ones(5)
optimizer = optim.AdamW([p], lr=0.5, weight_decay=0.0, fused={fused})
try:
    for _ in range({steps}):
        optimizer.step()
    print("stepped", round(p.tolist()[0], 4), "fused" if optimizer._last else "eager")
except RuntimeError as error:
    print("error", error)
    print("untouched", p.tolist() == [1.0] * 5 and not optimizer.state)
"""

pytestmark = needs.compiler("gcc")

# Each step is made in a process of its own, forked from one that has imported torch: importing takes seconds.
PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["torch", "torch._dynamo", "optgen.optim"])


class Done:
    """What a process printed and what it warned of."""

    def __init__(self, stdout: str, told: list[str]) -> None:
        self.stdout, self.told = stdout, told


def child(pipe: Connection, code: str, changed: dict[str, str]) -> None:
    for name in ("CC", "TRITON_INTERPRET"):
        os.environ.pop(name, None)
    os.environ.update(changed)
    out = io.StringIO()
    with contextlib.redirect_stdout(out), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        exec(code, {})
    pipe.send((out.getvalue(), [str(warning.message) for warning in caught]))


def start(folder: Path, code: str, **changed: str) -> tuple[Any, Callable[[], Done]]:
    ours, theirs = PROCESSES.Pipe()
    process = PROCESSES.Process(target=child, args=(theirs, code, {"XDG_CACHE_HOME": str(folder), **changed}))
    process.start()
    theirs.close()

    def wait() -> Done:
        assert ours.poll(120), "the process neither ends nor tells anything"
        done = Done(*ours.recv())
        process.join()
        return done

    return process, wait


def run(folder: Path, fused: str = "None", steps: int = 2, prefix: str = "", **changed: str) -> Done:
    return start(folder, prefix + STEP.format(fused=fused, steps=steps), **changed)[1]()


def entries(folder: Path) -> list[Path]:
    """The cached steps; what reads tensors is an entry besides, of one source for all rules."""
    found = (folder / "optgen/c_cpu").iterdir()
    return sorted(path for path in found if path.is_dir() and not path.name.startswith("_tensors-"))


def empty_path(tmp_path: Path, *links: str) -> str:
    """A PATH on which only some programs are."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in links:
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


def test_a_step_is_compiled_once_into_a_private_folder(tmp_path: Path) -> None:
    first = run(tmp_path)
    assert first.stdout == "stepped 0.0 fused\n"
    assert not first.told
    (entry,) = entries(tmp_path)
    assert [oct(path.stat().st_mode & 0o777) for path in (entry.parent, entry)] == ["0o700", "0o700"]
    assert sorted(path.name for path in entry.iterdir()) == ["sha256", "step.so"]
    written = (entry / "step.so").stat().st_mtime_ns
    again = run(tmp_path, CC="")
    assert again.stdout == first.stdout
    assert (entry / "step.so").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "cc", ["gcc", pytest.param(needs.COMPILERS["clang"], marks=needs.compiler("clang"), id="clang"), "gcc -pipe"]
)
def test_compilers_agree(cc: str, tmp_path: Path) -> None:
    done = run(tmp_path, CC=cc, fused="True")
    assert done.stdout == "stepped 0.0 fused\n"
    assert not done.told


@pytest.mark.parametrize("poison", [b"", b"\x7fELF nonsense", None])
def test_a_poisoned_entry_is_never_loaded_but_compiled_anew(poison: bytes | None, tmp_path: Path) -> None:
    run(tmp_path)
    (entry,) = entries(tmp_path)
    library = entry / "step.so"
    bits = bytearray(library.read_bytes())
    bits[len(bits) // 2] ^= 1
    library.write_bytes(bytes(bits) if poison is None else poison)
    done = run(tmp_path, fused="True")
    assert done.stdout == "stepped 0.0 fused\n"
    assert library.read_bytes() != (bytes(bits) if poison is None else poison)


def test_an_entry_without_its_digest_or_with_another_is_compiled_anew(tmp_path: Path) -> None:
    run(tmp_path)
    (entry,) = entries(tmp_path)
    (entry / "sha256").write_text("0" * 64, encoding="ascii")
    assert run(tmp_path, fused="True").stdout == "stepped 0.0 fused\n"
    (entry / "sha256").unlink()
    assert run(tmp_path, fused="True").stdout == "stepped 0.0 fused\n"
    assert (entry / "sha256").is_file()


def test_without_a_compiler_a_step_is_eager_with_one_warning(tmp_path: Path) -> None:
    done = run(tmp_path, steps=3, PATH=empty_path(tmp_path))
    assert done.stdout == "stepped -0.5 eager\n"
    assert len(done.told) == 1
    assert "there is no C compiler (no cc, gcc or clang): install gcc" in done.told[0]


def test_fused_without_a_compiler_is_an_error_that_says_what_to_install(tmp_path: Path) -> None:
    lines = run(tmp_path, fused="True", PATH=empty_path(tmp_path)).stdout.splitlines()
    assert lines[0].startswith("error `fused=True` is not possible: there is no C compiler")
    assert "apt-get install gcc" in lines[0]
    assert lines[-1] == "untouched True"


HOSTILE = ["no-such-compiler", "false", "gcc --no-such-flag", "'", "gcc; touch MARK", "$(touch MARK)",
           "gcc `touch MARK`", "gcc -o MARK", "sh -c 'exit 1'", "/dev/null", "\n"]


@pytest.mark.parametrize("cc", HOSTILE)
def test_a_hostile_or_broken_cc_runs_nothing_in_a_shell(cc: str, tmp_path: Path) -> None:
    mark = tmp_path / "MARK"
    done = run(tmp_path, CC=cc.replace("MARK", str(mark)))
    assert done.stdout.startswith("stepped 0.0")
    assert not mark.exists()
    explicit = run(tmp_path, fused="True", CC=cc.replace("MARK", str(mark))).stdout
    assert explicit.startswith(("stepped 0.0 fused", "error `fused=True` is not possible: "))
    assert not mark.exists()


def test_a_compiler_without_openmp_gives_one_thread_and_one_warning(tmp_path: Path) -> None:
    wrapper = tmp_path / "cc"
    wrapper.write_text('#!/bin/sh\nfor a; do [ "$a" = -fopenmp ] && exit 1; done\nexec gcc "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    done = run(tmp_path, fused="True", CC=str(wrapper))
    assert done.stdout == "stepped 0.0 fused\n"
    assert len(done.told) == 1
    assert "has no OpenMP, so fused steps run on one thread" in done.told[0]


def test_where_the_cache_cannot_be_written_a_step_serves_its_process(tmp_path: Path) -> None:
    (tmp_path / "optgen").write_text("a file where the folder should be", encoding="utf-8")
    done = run(tmp_path, fused="True")
    assert done.stdout == "stepped 0.0 fused\n"
    assert len(done.told) == 1
    assert "the cache cannot be used" in done.told[0]


def test_a_read_only_home_is_no_obstacle(tmp_path: Path) -> None:
    """Root, who writes everywhere, steps as another user."""
    tmp_path.chmod(0o500)
    done = run(tmp_path, fused="True", prefix="import os; os.getuid() or os.setuid(65534)\n")
    tmp_path.chmod(0o700)
    assert done.stdout == "stepped 0.0 fused\n"
    assert len(done.told) == 1
    assert "the cache cannot be used" in done.told[0]
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    for name in ("optgen/c_cpu", "optgen"):
        home = tmp_path / name.replace("/", "-")
        (home / "optgen/c_cpu").mkdir(parents=True)
        (home / name).chmod(0o777)
        done = run(home, fused="True")
        assert done.stdout == "stepped 0.0 fused\n"
        assert "can be written by others" in done.told[0]
        assert not entries(home)


def test_a_full_disk_is_no_worse_than_no_compiler(tmp_path: Path) -> None:
    """No file may grow beyond 4 KiB: neither what the compiler writes nor the cache."""
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
    done = run(tmp_path, prefix=limit)
    assert done.stdout == "stepped 0.0 eager\n"
    assert len([line for line in done.told if "unfused" in line]) == 1
    assert run(tmp_path, fused="True", prefix=limit).stdout.startswith("error `fused=True` is not possible: ")
    assert not entries(tmp_path)
    assert run(tmp_path, fused="True").stdout == "stepped 0.0 fused\n"


def test_a_lock_that_another_process_keeps_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    run(tmp_path)
    (entry,) = entries(tmp_path)
    shutil.rmtree(entry)
    with open(f"{entry}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began = time.monotonic()
        short = "from optgen._generated.c_cpu import _library; _library._WAIT = 0.5\n"
        assert run(tmp_path, fused="True", prefix=short).stdout == "stepped 0.0 fused\n"
        assert 0.5 < time.monotonic() - began < 20
    assert not entry.exists()


@pytest.mark.parametrize("_", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_sixteen_processes_race_from_cold_and_one_is_killed(_: int, tmp_path: Path) -> None:
    started = [start(tmp_path, STEP.format(fused="True", steps=2)) for _ in range(16)]
    deadline = time.monotonic() + 60
    while not [*tmp_path.rglob("*.lock")] and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(0.05 * _)
    victim = started[0][0]
    victim.kill()
    victim.join()
    assert victim.exitcode == -signal.SIGKILL, "it had ended before"
    for _, wait in started[1:]:
        done = wait()
        assert (done.stdout, done.told) == ("stepped 0.0 fused\n", [])
    (entry,) = entries(tmp_path)
    assert _library._is_whole(entry)


def test_a_process_that_is_killed_while_it_compiles_keeps_nobody_waiting(tmp_path: Path) -> None:
    """The compiler takes its time and writes down its calls: the first to hold the lock is killed, another compiles."""
    wrapper, log = tmp_path / "cc", tmp_path / "log"
    wrapper.write_text(f'#!/bin/sh\n[ "$1" = --version ] || {{ echo $PPID >> {log}; sleep 1; }}\nexec gcc "$@"\n',
                       encoding="utf-8")
    wrapper.chmod(0o755)
    started = [start(tmp_path, STEP.format(fused="True", steps=2), CC=str(wrapper)) for _ in range(4)]
    deadline = time.monotonic() + 60
    while not (log.is_file() and log.read_text(encoding="utf-8").strip()) and time.monotonic() < deadline:
        time.sleep(0.01)
    first = int(log.read_text(encoding="utf-8"))
    victims = [process for process, _ in started if process.pid == first]
    victims[0].kill()
    victims[0].join()
    assert victims[0].exitcode == -signal.SIGKILL, "it had ended before"
    for process, wait in started:
        if process is not victims[0]:
            assert wait().stdout == "stepped 0.0 fused\n"
    assert len(log.read_text(encoding="utf-8").split()) == 3  # the step twice, and what reads tensors
    (entry,) = entries(tmp_path)
    assert _library._is_whole(entry)


def test_the_key_names_source_compiler_flags_and_processor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text("int step(void) { return 0; }", encoding="utf-8")
    compiler = _compiler.Compiler(("cc",), "1")
    job = _library._Job(compiler, ("-O3",), tmp_path / "a.c")
    keys = {job.key, _library._Job(compiler, ("-O2",), job.source).key,
            _library._Job(_compiler.Compiler(("cc",), "2"), job.flags, job.source).key}
    (tmp_path / "_walk.h").write_text("/* new */", encoding="utf-8")
    keys.add(job.key)
    monkeypatch.setattr(_compiler, "processor", lambda: "another")
    keys.add(job.key)
    assert len(keys) == 5


def test_definitions_that_are_no_plain_words_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        _library.load(tmp_path / "a.c", ["x=1 -o /etc/passwd"])
