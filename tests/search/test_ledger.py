"""Steps that were run: kept whole, told apart by all that decides them, never trusted when torn."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convdiff.case.arrays import make_tensors
from convdiff.case.device import Device
from convdiff.case.load import case_of
from convdiff.case.model import Allowance
from convdiff.lab.session import Session
from convdiff.lab.watch import silent
from convdiff.pipeline import Ask
from convdiff.plan.cell import Cell
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.search import deciding
from convdiff.search.deciding import case_facts, key_of, runtime_facts
from convdiff.search.kept import Kept
from convdiff.search.ledger import Ledger
from convdiff.search.signature import Signature
from convdiff.search.stepping import Stepping
from convdiff.search.tried import Releases

KEY = "a" * 64
SIGNATURE = Signature("length", "rounding", causes=frozenset({"order"}), is_proved=True)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.dictionaries(st.text(max_size=4), json_values))
def test_what_was_put_is_what_is_got(value: dict[str, object]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        Ledger(Path(folder)).put(KEY, value)
        ledger = Ledger(Path(folder))
        assert ledger.get(KEY) == value
        assert ledger.get("b" * 64) is None
        assert (ledger.known, ledger.run) == (1, 0)


def test_a_step_is_run_once_and_what_was_cut_short_again(tmp_path: Path) -> None:
    asked: list[str] = []

    def work(value: dict[str, int] | None) -> Callable[[], dict[str, int] | None]:
        return lambda: (asked.append("run"), value)[1]

    for _ in range(2):
        assert Ledger(tmp_path).step(KEY, work(None)) is None
    for _ in range(3):
        assert Ledger(tmp_path).step(KEY, work({"n": 1})) == {"n": 1}
    assert len(asked) == 3
    assert Ledger(tmp_path, fresh=True).step(KEY, work({"n": 2})) == {"n": 2}
    assert Ledger(tmp_path).get(KEY) == {"n": 2}
    for _ in range(2):
        Ledger(tmp_path).step(None, work({"n": 3}))
        assert Ledger(tmp_path).step("c" * 64, work({"n": 4, "passing": True}))
    assert len(asked) == 8


def test_a_step_gives_the_same_whether_it_was_known_or_not(tmp_path: Path) -> None:
    value = {"bits": ("a", "b"), "n": 1.5}
    first = Ledger(tmp_path).step(KEY, lambda: value)
    assert first == Ledger(tmp_path).step(KEY, lambda: None)
    assert first == {"bits": ["a", "b"], "n": 1.5}
    for state in (frozenset({SIGNATURE}), frozenset(), "digest", ("one", "two"), ("one",)):
        kept = Kept(Ledger(tmp_path), Session((), 1), [repr(state)])
        case = case_of(CASE, Path("a.yaml"))
        for known in (False, True):
            ask = kept.states("state", case, make_tensors(case), lambda one, state=state: state)
            assert ask(5) == state, known


def test_a_file_that_is_torn_or_foreign_or_anothers_is_none(tmp_path: Path) -> None:
    Ledger(tmp_path).put(KEY, {"state": "same", "number": 17})
    whole = (tmp_path / KEY).read_bytes()
    draw = random.Random(3)
    for end in range(len(whole)):
        (tmp_path / KEY).write_bytes(whole[:end])
        assert Ledger(tmp_path).get(KEY) is None, end
    for _ in range(300):
        at = draw.randrange(len(whole))
        changed = whole[:at] + bytes([whole[at] ^ 1 << draw.randrange(8)]) + whole[at + 1 :]
        (tmp_path / KEY).write_bytes(changed)
        assert Ledger(tmp_path).get(KEY) in (None, {"state": "same", "number": 17})
    for foreign in (b"", b"null", b"[]", b"{}", b"[" * 100_000, b'{"key": 1, "value": {}}'):
        (tmp_path / KEY).write_bytes(foreign)
        assert Ledger(tmp_path).get(KEY) is None
    (tmp_path / KEY).unlink()
    (tmp_path / KEY).mkdir()
    assert Ledger(tmp_path).get(KEY) is None
    other = "b" * 64
    (tmp_path / other).write_bytes(whole)
    assert Ledger(tmp_path).get(other) is None, "another step's"
    told = json.loads(whole) | {"value": {"state": "other", "number": 17}}
    (tmp_path / other).write_text(json.dumps(told | {"key": other}))
    assert Ledger(tmp_path).get(other) is None


def test_a_folder_that_can_t_be_made_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ledger = Ledger(tmp_path / "file" / "steps")
    assert ledger.step(KEY, lambda: {"n": 1}) == {"n": 1}
    assert ledger.get(KEY) is None


def _put_many(folder: str, seed: int) -> None:
    draw, ledger = random.Random(seed), Ledger(Path(folder))
    for _ in range(100):
        number = draw.randrange(12)
        key = f"{number:064d}"
        ledger.put(key, {"number": number, "filling": "x" * draw.randrange(20_000)})
        found = ledger.get(key)
        assert found is not None and found["number"] == number


@pytest.mark.slow
def test_two_runs_at_once_leave_whole_steps(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    running = [context.Process(target=_put_many, args=(str(tmp_path), seed)) for seed in (1, 2)]
    for one in running:
        one.start()
    for one in running:
        one.join()
        assert one.exitcode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n:064d}" for n in range(12)]


@pytest.mark.slow
def test_a_writer_that_is_killed_leaves_nothing_that_is_trusted(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    for seed in range(3):
        one = context.Process(target=_put_many, args=(str(tmp_path), seed))
        one.start()
        while not list(tmp_path.iterdir()):
            time.sleep(0.01)
        time.sleep(random.Random(seed).uniform(0, 0.1))
        one.kill()
        one.join()
    for number in range(12):
        found = Ledger(tmp_path).get(f"{number:064d}")
        assert found is None or found["number"] == number


def test_the_oldest_go_where_there_are_too_many(tmp_path: Path) -> None:
    for number in range(20):
        Ledger(tmp_path).put(f"{number:064d}", {"number": number})
        os.utime(tmp_path / f"{number:064d}", (1000 + number, 1000 + number))
    assert Ledger(tmp_path).get(f"{3:064d}"), "used now"
    (tmp_path / ".torn").write_text("")
    os.utime(tmp_path / ".torn", (0, 0))
    (tmp_path / ".being written").write_text("")
    Ledger(tmp_path, limit=5 * 4096).put(KEY, {})
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [
        ".being written",
        *(f"{number:064d}" for number in (3, 16, 17, 18, 19)),
        KEY,
    ]


def test_it_lies_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVDIFF_CACHE", str(tmp_path))
    Ledger().put(KEY, {})
    assert (tmp_path / "steps" / KEY).is_file()


CASE = "filter: {normal: 1, shape: [2, 3, 2, 2]}\ninput: {normal: 1}\nheight: 3\nlengths: [5, 7]\n"


def test_all_of_a_case_that_decides_is_in_its_key_and_what_it_is_called_is_not() -> None:
    case = case_of(CASE, Path("a.yaml"))
    tensors = make_tensors(case)
    key = key_of("step", case_facts(case, tensors))
    assert key == key_of("step", case_facts(replace(case, name="b", file="b.yaml"), tensors))
    assert key == key_of("step", case_facts(case, make_tensors(case)))
    others = [
        replace(case, lengths=(5,)),
        replace(case, batches=(2,)),
        replace(case, repeat=2),
        replace(case, height=4),
        replace(case, lock_order=True),
        replace(case, devices=(Device("cpu", None, ("xla",)),)),
        replace(case, conv=case.conv._replace(strides=(1, 2))),
        replace(case, conv=case.conv._replace(then="relu")),
        replace(case, expect={**case.expect, "length": Allowance("ulps", 1)}),
    ]
    keys = {key_of("step", case_facts(one, tensors)) for one in others}
    keys |= {
        key_of("other", case_facts(case, tensors)),
        key_of("step", case_facts(case, tensors), 1),
    }
    for name in ("filter_hwio", "input_nhwc"):
        array = getattr(tensors, name).copy()
        array.flat[0] = np.nextafter(array.flat[0], np.float32(9))
        keys.add(key_of("step", case_facts(case, replace(tensors, **{name: array}))))
    zeros = replace(tensors, bias=np.zeros(2, np.float32))
    minus = replace(tensors, bias=-np.zeros(2, np.float32))
    keys |= {key_of("step", case_facts(case, one)) for one in (zeros, minus)}
    assert len(keys - {key}) == len(others) + 6


def test_unlike_values_have_unlike_keys() -> None:
    runtime = Runtime(Interpreter("numpy", "python"), Device("cpu"))
    cell = Cell(runtime, "conv2d", 5, 1)
    values = [
        None,
        0,
        1,
        True,
        False,
        0.0,
        -0.0,
        1.0,
        "1",
        "",
        [],
        [[]],
        [1],
        {},
        frozenset({1}),
        {1: 1},
    ]
    values += [cell, replace(cell, bare=True), replace(cell, trial=-1), float("nan"), [0, [1]]]
    values += [replace(cell, runtime=replace(runtime, origin="x")), {"a": 1}, {"a": 2}, ["a", 1]]
    assert len({key_of("step", value) for value in values}) == len(values)
    with pytest.raises(TypeError):
        key_of("step", object())


@pytest.mark.slow
def test_other_sources_of_convdiff_have_other_keys(tmp_path: Path) -> None:
    home = Path(deciding.__file__).parents[1]
    key = key_of("step", 1)
    copy = tmp_path / "convdiff"
    shutil.copytree(home, copy, ignore=shutil.ignore_patterns("__pycache__"))
    asked = "from convdiff.search.deciding import key_of; print(key_of('step', 1))"

    def there() -> str:
        import subprocess

        env = {**os.environ, "PYTHONPATH": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", asked], env=env, cwd=tmp_path, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    assert there() == key
    with (copy / "worker" / "manual.py").open("a") as stream:
        stream.write("# changed\n")
    assert there() != key


COUNTING = """
import os
import numpy as np

def convolve(x, w, b):
    with open(os.environ["CALLS"], "a") as stream:
        stream.write(".")
    kh, kw = w.shape[:2]
    rows, columns = x.shape[1] - kh + 1, x.shape[2] - kw + 1
    return sum(
        x[:, i : i + rows, j : j + columns, c, None] * w[i, j, c]
        for i, j, c in np.ndindex(*w.shape[:3])
    )
"""
KERNEL = "import numpy as np\n\ndef convolve(x, w, b):\n    return x\n"


def _facts(threads: int | None = None, settings: dict[str, str] | None = None) -> str:
    (interpreter,) = interpreters(["kernel_here:convolve"], (), (), ())
    interpreter = replace(interpreter, threads=threads, settings=tuple((settings or {}).items()))
    with Session([interpreter], 60) as session:
        (standing,) = session.availability(case_of(CASE, Path("a.yaml")))
        assert standing.available, standing.reason
        return key_of("step", runtime_facts(standing, session.pool))


@pytest.mark.slow
def test_all_of_a_runtime_that_may_decide_is_in_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kernel_here.py").write_text(KERNEL)
    monkeypatch.delenv("SHLVL", raising=False)
    key = _facts()
    monkeypatch.setenv("SHLVL", "7")
    assert _facts() == key
    assert _facts(threads=2) != key
    assert _facts(settings={"TF_ANYTHING": "1"}) != key
    assert _facts(settings={"ORDER": "pairs"}) != key, "of a kernel of its own"
    monkeypatch.setenv("A_SWITCH_OF_ANY_LIBRARY", "1")
    assert _facts() != key, "of the shell"
    monkeypatch.delenv("A_SWITCH_OF_ANY_LIBRARY")
    assert _facts() == key
    (tmp_path / "result.yaml").write_text("")
    assert _facts() == key
    (tmp_path / "lib.so").write_bytes(b"1")
    beside = _facts()
    assert beside != key, "it may be loaded"
    for name in ("order.txt", "weights.bin", "table"):
        (tmp_path / name).write_text("1")
        before, beside = beside, _facts()
        assert beside != before, "it may be read"
    (tmp_path / "order.txt").write_text("22")
    before, beside = beside, _facts()
    assert beside != before
    (tmp_path / "folder").mkdir()
    assert _facts() == beside
    (tmp_path / "kernel_here.py").write_text(KERNEL + "# changed\n")
    assert _facts() not in (key, beside)
    if hasattr(os, "sched_setaffinity") and len(os.sched_getaffinity(0)) > 1:
        cores = os.sched_getaffinity(0)
        before = _facts()
        os.sched_setaffinity(0, {min(cores)})
        try:
            assert _facts() != before
        finally:
            os.sched_setaffinity(0, cores)


@pytest.mark.slow
def test_a_release_is_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In what stands for its environment: this interpreter, and a kernel that counts its calls."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "counting.py").write_text(COUNTING)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls.log"))
    made = interpreters(["counting:convolve"], (), (), ())
    monkeypatch.setattr("convdiff.search.tried.required", lambda *_: made)
    case, states, calls = case_of(CASE, Path("a.yaml")), [], []
    for by in ("bits", "verdict"):
        for known in (0, 1):
            ledger = Ledger(tmp_path / "steps")
            stepping = Stepping(by, Ask(), 60, lambda _: None, silent, ledger)  # type: ignore[arg-type]
            tried = Releases(case, "numpy", stepping)
            states.append(tried.state("1.0"))
            calls.append((tmp_path / "calls.log").stat().st_size)
            assert ledger.known == known
            assert tried.fingerprints["1.0"]["framework"] == "counting:convolve"
    assert states[0] == states[1] != states[2] == states[3]
    assert calls[0] == calls[1] < calls[2] == calls[3]


@pytest.mark.slow
def test_a_framework_s_version_and_file_are_in_its_key(tmp_path: Path) -> None:
    """Two copies of one package, one with another version and one with another file."""
    keys = []
    for version, more in (("1", ""), ("2", ""), ("1", "#")):
        folder = tmp_path / f"{version}{len(more)}"
        folder.mkdir()
        (folder / "own.py").write_text(f"__version__ = '{version}'\n{KERNEL}{more}")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            (interpreter,) = interpreters(["own:convolve"], (), (), ())
            with Session([interpreter], 60) as session:
                (standing,) = session.availability(case_of(CASE, Path("a.yaml")))
                keys.append(key_of("step", runtime_facts(standing, session.pool)))
    assert len(set(keys)) == 3
