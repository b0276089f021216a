"""What the tests of all rooms share: interpreters, and the pool that runs them."""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from convdiff.lab.pool import Pool
from convdiff.runtime.model import Interpreter

REPOSITORY = Path(__file__).parent.parent
FAKE = Path(__file__).parent / "support" / "fake_framework.py"

# Started in a shell's background, or by nohup: all that the tests start would ignore it, too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

if "ONEDNN_MAX_CPU_ISA" in os.environ:
    # What PyTorch compiled without a cap and kept is no right code under one.
    kept = Path(tempfile.gettempdir()) / f"torchinductor-capped-{os.getuid()}"
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(kept))

# Threads of PyTorch that wait for work sleep: they would take the cores of the tests beside them.
os.environ.setdefault("GOMP_SPINCOUNT", "0")

hypothesis.settings.register_profile("convdiff", deadline=None)
hypothesis.settings.load_profile("convdiff")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs a framework, through whichever fixture; put their files first.

    They take longest: started last, one of them would keep one process busy at the end.
    """
    slow_files = set()
    for item in items:
        if "runs_framework" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.framework)
        if item.get_closest_marker("framework"):
            slow_files.add(item.path)
    items.sort(key=lambda item: item.path not in slow_files)


def pytest_collection_finish() -> None:
    """Look for no garbage among the tests, again and again: they stay."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def runs_framework() -> None:
    """Be asked for by every fixture that runs a framework; does nothing itself."""


@pytest.fixture(scope="session")
def workers() -> Iterator[Pool]:
    """Yield one pool for all tests of a process: each framework is imported once."""
    with Pool(timeout=120) as pool:
        yield pool


@pytest.fixture
def pool() -> Iterator[Pool]:
    """Yield a pool of its own; its workers end with the test."""
    with Pool(timeout=60) as own:
        yield own


@pytest.fixture
def fake(tmp_path: Path) -> Callable[..., Interpreter]:
    """Return a function that makes an interpreter whose framework does what a cell's op says."""
    program = tmp_path / "fake-python"
    program.write_text(f"#!{sys.executable}\n{FAKE.read_text()}")
    program.chmod(0o755)

    def make(threads: int | None = None, **settings: str) -> Interpreter:
        return Interpreter("tensorflow", str(program), threads, tuple(settings.items()))

    return make


@pytest.fixture
def patient() -> Iterator[Pool]:
    """Yield a pool that waits no longer than five seconds for a silent worker."""
    with Pool(timeout=5.0) as own:
        yield own


def old_python(variable: str, folder: str, version: str) -> str:
    """Return a Python 3.6 with an old TensorFlow, or skip and say where it was looked for."""
    found = os.environ.get(variable) or str(REPOSITORY / folder / "bin" / "python")
    if not os.access(found, os.X_OK):
        pytest.skip(
            f"no Python 3.6 with TensorFlow {version} at {found}; "
            f"make one or set {variable} to its python"
        )
    return found


@pytest.fixture(scope="session")
def tf1_python(runs_framework: None) -> str:
    """Return the interpreter that has TensorFlow 1.0.0."""
    return old_python("CONVDIFF_TF1_PYTHON", ".venv-tf1", "1.0.0")


@pytest.fixture(scope="session")
def tf16_python(runs_framework: None) -> str:
    """Return the interpreter that has TensorFlow 1.6.0."""
    return old_python("CONVDIFF_TF16_PYTHON", ".venv-tf16", "1.6.0")
