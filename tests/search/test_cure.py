"""What makes a case equal: found by trying, minimal, checked again, and never run twice."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from program import REPOSITORY, convdiff
from soak import one_in

from convdiff.case.arrays import make_tensors
from convdiff.case.device import Device
from convdiff.case.load import case_of
from convdiff.case.model import Case
from convdiff.lab.jobs import observe
from convdiff.lab.session import Session
from convdiff.lab.stop import Stop
from convdiff.lab.watch import silent
from convdiff.plan.cell import Cell
from convdiff.report.console.cure import render
from convdiff.report.cure import paste
from convdiff.runtime.matrix import FRAMEWORKS, interpreters
from convdiff.runtime.model import Interpreter, Runtime
from convdiff.search.cure import cost, tried
from convdiff.search.cure.bench import Bench
from convdiff.search.cure.cost import LEAST_ROUNDS
from convdiff.search.cure.find import Attempt, Cured, Search
from convdiff.search.cure.padded import Pads, multiple_of, pads_to
from convdiff.search.cure.setting import slowed
from convdiff.search.cure.subjects import subjects
from convdiff.search.cure.switches import SWITCHES, Switch
from convdiff.search.cure.today import today
from convdiff.search.cure.tried import Trying
from convdiff.search.ledger import Ledger

pytestmark = pytest.mark.slow

KERNELS = '''
"""Convolutions of one row, whose order depends on the length, on variables and on the numbers."""

import os

import numpy as np


def chain(x, w, b, backwards):
    columns = x.shape[2] - w.shape[1] + 1
    terms = [(i, c) for i in range(w.shape[1]) for c in range(w.shape[2])]
    y = np.zeros((len(x), 1, columns, w.shape[3]), x.dtype)
    for i, c in reversed(terms) if backwards else terms:
        y = y + x[:, :, i : i + columns, c, None] * w[0, i, c]
    return y


def has(names):
    return all(os.environ.get(name) == "1" for name in names)


def needs_a(x, w, b):
    return chain(x, w, b, x.shape[2] % 2 and not has("A"))


def needs_a_and_b(x, w, b):
    return chain(x, w, b, x.shape[2] % 2 and not has("AB"))


def odd_lengths(x, w, b):
    return chain(x, w, b, x.shape[2] % 2)


def odd_batches(x, w, b):
    return chain(x, w, b, len(x) % 2)


def first_is_seven(x, w, b):
    """With A it is right on the case's own numbers alone."""
    return chain(x, w, b, x.shape[2] % 2 and not (has("A") and x[0, 0, 0, 0] == 7))


def fails_with_a(x, w, b):
    if has("A"):
        raise ValueError("not with A")
    return odd_lengths(x, w, b)


def thirds(x, w, b):
    """Each of A, B, C mends the lengths of one residue; E changes bits, and mends nothing."""
    names = [name for i, name in enumerate("ABC") if x.shape[2] % 3 == i and not has(name)]
    y = chain(x, w, b, has("E"))
    return np.nextafter(y, np.float32(1 + ord(names[0]))) if names else y


def minds_nan(x, w, b):
    return chain(x, w, b, np.isnan(x).any() and not has("A"))


CALLS = []


def restless_without_a(x, w, b):
    """Every third call differs."""
    CALLS.append(1)
    return chain(x, w, b, len(CALLS) % 3 == 0 and not has("A"))


def length(x, w, b):
    columns = x.shape[2] - w.shape[1] + 1
    return np.full((len(x), 1, columns, w.shape[3]), 100 * len(x) + x.shape[2], x.dtype)
'''
CASE = """
filter: {normal: 1, shape: [1, 5, 4, 2], seed: 1}
input: {normal: 1, seed: 2}
lengths: [7, 8, 11, 16]
batch: [1, 2]
"""
THIRDS = CASE.replace("[7, 8, 11, 16]", "[6, 7, 8]").replace("batch: [1, 2]", "")


def setting(name: str, *pairs: str) -> Switch:
    return Switch(name, "nothing", "length", "here", env=((name, "1"),), pairs=pairs)


A, B, C, D, E = (setting(name) for name in "ABCDE")
PADDING = tuple(one for one in SWITCHES if one.pads)


@pytest.fixture(autouse=True)
def kernels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ways.py").write_text(KERNELS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tried, "ROUNDS", LEAST_ROUNDS)
    monkeypatch.setattr(cost, "WARM_UP", 0.01)
    monkeypatch.setattr(cost, "SETTLING", 0.0)


def bench_of(kernel: str, folder: Path, text: str = CASE) -> Bench:
    spec = kernel if kernel in FRAMEWORKS else f"ways:{kernel}"
    case, inside = case_of(text, Path("case.yaml")), interpreters([spec], (), (), ())
    with Session(inside, 60) as session:
        session.start()
        (subject,) = subjects(session.availability(case))
    ledger = Ledger(folder / "steps")
    return Bench(case, subject, 60, Stop(), lambda session: None, ledger, silent)


def cured(kernel: str, folder: Path, switches: Sequence[Switch], text: str = CASE) -> Cured:
    return Search(bench_of(kernel, folder, text), lambda words: None, switches).run()


def attempt_of(found: Cured, *names: str) -> Attempt:
    (one,) = [one for one in found.attempts if {two.name for two in one.switches} == set(names)]
    return one


def test_a_switch_that_works_is_found_and_one_that_does_nothing_is_proved_to(tmp_path: Path):
    found = cured("needs_a", tmp_path, (D, A))
    assert found.best is not None and found.best.name == "A"
    assert found.today.counts["length"].drifting == 4
    assert found.best.trial.counts["length"].drifting == 0
    assert found.best.trial.changed > 0
    useless = attempt_of(found, "D").trial
    assert (useless.changed, useless.cells) == (0, 8)
    assert useless.counts == found.today.counts
    assert found.best.cost is not None and 0 < found.best.cost.low <= found.best.cost.high


def test_two_that_need_each_other_are_found_where_the_table_names_them(tmp_path: Path):
    found = cured("needs_a_and_b", tmp_path, (setting("A", "B"), B, D))
    assert found.best is not None and {one.name for one in found.best.switches} == {"A", "B"}
    for name in "AB":
        assert not attempt_of(found, name).is_cure
        assert attempt_of(found, name).trial.drifting > 0


def test_two_that_nobody_named_are_no_pair(tmp_path: Path):
    found = cured("needs_a_and_b", tmp_path, (A, B, D))
    assert [len(one.switches) for one in found.attempts] == [1, 1, 1], "none changes a bit alone"
    assert found.best is None


@one_in(2, "padding", [(), PADDING])
def test_what_is_recommended_is_minimal(tmp_path: Path, padding: tuple[Switch, ...]):
    """Four change bits, and three of them are needed."""
    found = cured("thirds", tmp_path, (A, B, C, D, E, *padding), THIRDS)
    assert found.best is not None and found.best.is_cure
    if padding:
        assert any(one.is_cure for one in found.attempts)
        return
    assert {one.name for one in found.best.switches} == {"A", "B", "C"}
    bench = bench_of("thirds", tmp_path, THIRDS)
    search = Search(bench, lambda words: None, (A, B, C, D, E))
    search.run()
    assert search._today is not None
    for size in (1, 2):
        for some in itertools.combinations(found.best.switches, size):
            trying = Trying(bench, some, search._today, found.today.equal)
            assert trying.trial().drifting, some


def test_what_is_equal_on_the_cases_own_numbers_alone_is_no_cure(tmp_path: Path):
    values = [7.0, *(0.1 * k for k in range(1, 64))]
    text = CASE.replace(
        "{normal: 1, seed: 2}", f"[[{[values[4 * t : 4 * t + 4] for t in range(16)]}]]"
    )
    text = text.replace("batch: [1, 2]", "")
    found = cured("first_is_seven", tmp_path, (A,), text)
    one = attempt_of(found, "A")
    assert one.trial.is_equal and one.recheck is not None
    assert one.recheck.within.drifting > 0
    assert found.best is None


def test_what_changes_beside_a_nan_is_drift_that_a_switch_may_take_away(tmp_path: Path):
    values = [[float(f"{0.1 * k * (-1) ** t:.1f}") for k in range(1, 5)] for t in range(16)]
    text = CASE.replace("{normal: 1, seed: 2}", f"[[{[[math.nan, 1, 2, 3], *values[1:]]}]]")
    text = text.replace("nan", ".nan").replace("batch: [1, 2]", "").replace("[7, 8, 11, 16]", "16")
    found = cured("minds_nan", tmp_path, (D, A), text)
    assert found.today.counts["clean"].drifting == 1
    assert attempt_of(found, "D").trial.counts["clean"].drifting == 1
    assert found.best is not None and found.best.name == "A"


def test_inputs_are_padded_to_a_length_that_has_the_bits_of_the_longest(tmp_path: Path):
    found = cured("odd_lengths", tmp_path, PADDING)
    assert found.best is not None and [one.pads for one in found.best.switches] == ["length"]
    assert dict(found.best.pads) == {7: 8, 8: 8, 11: 16, 16: 16}
    assert found.best.recheck is not None
    assert found.best.recheck.within.is_equal


def test_a_batch_is_filled_up(tmp_path: Path):
    found = cured("odd_batches", tmp_path, PADDING)
    assert found.best is not None and [one.pads for one in found.best.switches] == ["batch"]


def test_what_does_not_run_says_why_and_is_no_cure(tmp_path: Path):
    found = cured("fails_with_a", tmp_path, (A, B))
    assert "not with A" in attempt_of(found, "A").trial.reason
    assert not attempt_of(found, "A").is_cure
    assert found.best is None


def test_nothing_is_tried_where_nothing_drifts(tmp_path: Path):
    found = cured("needs_a", tmp_path, (A,), CASE.replace("[7, 8, 11, 16]", "[8, 12, 16]"))
    assert (found.today.drifting, found.attempts) == (0, ())
    assert found.today.compared > 0


def test_nothing_is_run_twice_and_what_is_read_again_is_the_same(tmp_path: Path):
    switches = (setting("A", "B"), B, D)
    first, bench = cured("needs_a_and_b", tmp_path, switches), bench_of("needs_a_and_b", tmp_path)
    again = Search(bench, lambda words: None, switches).run()
    assert bench.ledger.run == 0
    assert bench.ledger.known > 4
    assert again == first


def test_a_search_that_is_cut_short_tells_what_it_tried_and_goes_on_from_there(tmp_path: Path):
    switches = (D, B, C, A)
    bench = bench_of("needs_a", tmp_path)
    told: list[str] = []

    def tell(what: str, done: int, of: int, left: float | None) -> None:
        told.append(what)
        if what.endswith(": C"):
            bench.stopping.now(2)

    bench.tell = tell
    cut = Search(bench, lambda words: None, switches).run()
    assert cut.interrupted
    assert [one.name for one in cut.attempts] == ["D", "B"]
    bench = bench_of("needs_a", tmp_path)
    whole = Search(bench, lambda words: None, switches).run()
    assert whole.best is not None and whole.best.name == "A"
    assert bench.ledger.known >= 3, "today, D and B"


def test_what_is_recommended_is_pasted_and_runs(tmp_path: Path):
    (tmp_path / "case.yaml").write_text(CASE)
    found = cured("needs_a", tmp_path, (A, D))
    text = "\n".join(paste(found, "convdiff run case.yaml"))
    assert "  export A=1\n" in text
    table, _, command = text.partition("[tool.")[2].partition("  convdiff ")
    (tmp_path / "pyproject.toml").write_text(f"[tool.{table}")
    words = command.split()
    assert words == ["run", "case.yaml", "--runtime", "case"]
    assert convdiff(*words, cwd=tmp_path).code == 0
    assert convdiff("run", "case.yaml", "--kernel", "ways:needs_a", cwd=tmp_path).code == 1


@one_in(
    2,
    ("framework", "names"),
    [
        ("tensorflow", ["TF_DETERMINISTIC_OPS=1"]),
        ("torch", ["deterministic algorithms", "CUBLAS_WORKSPACE_CONFIG=:4096:8"]),
    ],
)
def test_determinism_flags_change_no_bit_of_a_convolution_on_a_cpu(
    framework: str, names: list[str], tmp_path: Path, runs_framework: None
):
    bench = bench_of(framework, tmp_path, CASE.replace("[7, 8, 11, 16]", "[7, 16]"))
    now = today(bench)
    assert now.outputs and not now.trial.reason
    own = [one for one in SWITCHES if one.framework == framework and one.name in names]
    assert len(own) == len(names)
    for switch in own:
        trial = Trying(bench, (switch,), now, now.trial.equal).trial()
        assert (trial.reason, trial.changed) == ("", 0)
        assert trial.cells == len(now.outputs) == 4
        assert trial.counts == now.trial.counts


def observed(case: Case, pads: Pads, kernel: str) -> dict[tuple[int, int], np.ndarray]:
    inside = interpreters([f"ways:{kernel}"], (), (), ())
    with Session(inside, 60) as session:
        runtime = Runtime(inside[0], case.devices[0])
        cells = [
            Cell(runtime, case.conv.op, length, batch)
            for length, batch in itertools.product(case.lengths, case.batches)
        ]
        run = pads.observe if pads.lengths or pads.batch else observe
        answers = run(case, cells, make_tensors(case), session.pool, lambda cell: None)
        return {(cell.length, cell.batch): bits for cell, bits, _ in answers}


def test_what_is_padded_is_run_at_the_other_size_and_cut_to_its_own():
    case = case_of(CASE, Path("case.yaml"))
    pads = Pads({7: 8, 8: 8, 11: 16, 16: 16}, 2)
    for (length, batch), bits in observed(case, pads, "length").items():
        assert bits.shape == (batch, 1, length - 4, 2)
        assert (bits == 200 + pads.lengths[length]).all()


@pytest.mark.parametrize("padding", ["valid", "same", "[1, 2]", "causal"])
def test_padding_changes_no_sum(padding: str, tmp_path: Path):
    text = CASE.replace("1, 5, 4, 2", "5, 4, 2")
    case = case_of(f"op: conv1d\npadding: {padding}\n{text}", Path("case.yaml"))
    pads = Pads(pads_to(case, [8, 16]) or {}, 2)
    inside = interpreters(["numpy"], (), (), ())
    runtime = Runtime(inside[0], case.devices[0])
    cells = [Cell(runtime, case.conv.op, length, 1) for length in case.lengths]
    tensors = make_tensors(case)
    with Session(inside, 60) as session:
        plain = list(observe(case, cells, tensors, session.pool, lambda cell: None))
        padded = list(pads.observe(case, cells, tensors, session.pool, lambda cell: None))
    assert {cell for cell, _, _ in plain} == {cell for cell, _, _ in padded} == set(cells)
    others = {cell: bits for cell, bits, _ in padded}
    for cell, bits, _ in plain:
        np.testing.assert_array_equal(bits, others[cell])


def test_a_longer_input_of_another_grid_is_none_to_pad_to():
    text = "filter: {ones: true, shape: [1, 3, 1, 1]}\ninput: {ones: true}\nlengths: [6, 7, 8]\n"
    case = case_of(text + "padding: same\nstrides: [1, 2]\n", Path("case.yaml"))
    assert case.conv.axes[-1].pad(7)[0] != case.conv.axes[-1].pad(8)[0]
    assert pads_to(case, [8]) is None
    assert pads_to(case, [7, 8]) == {6: 8, 7: 7, 8: 8}


@pytest.mark.parametrize(
    ("pads", "multiple"),
    [
        ({5: 8, 8: 8, 9: 12, 13: 16, 16: 16}, 4),
        ({5: 8, 8: 8, 9: 16, 13: 16}, 0),
        ({5: 8, 9: 12, 13: 20}, 0),
        ({5: 5, 6: 6, 7: 7}, 0),
        ({5: 6, 6: 6, 8: 8, 9: 10}, 2),
        ({5: 6, 8: 8, 9: 10, 17: 18}, 0),  # 12, 14 and 16 were not tried
        ({12: 12, 20: 20, 28: 28, 30: 32, 32: 32}, 0),  # 16 and 24 were not
        ({}, 0),
    ],
)
def test_lengths_are_padded_to_the_next_multiple_where_all_of_them_are(
    pads: dict[int, int], multiple: int
):
    assert multiple_of(pads) == multiple


def test_what_changes_from_run_to_run_is_cured_by_what_holds_it_still(tmp_path: Path):
    found = cured("restless_without_a", tmp_path, (A, B))
    assert found.today.counts["repeat"].drifting
    assert found.best is not None
    assert found.best.name == "A"
    assert found.best.trial.counts["repeat"].compared
    text = render(found, "run", "never")
    assert "repeat" in text
    assert "nothing  changed" not in text, "B was not proved to change nothing"
    still = cured("odd_lengths", tmp_path, (A,))
    assert "repeat" not in still.today.counts


def test_a_cost_is_of_the_length_that_grows_most_and_of_the_most_threads():
    case = case_of(CASE, Path("case.yaml"))
    assert Pads().longest_of(case) == 11
    assert Pads({7: 16, 8: 8, 11: 16, 16: 16}).longest_of(case) == 7
    one, two = (
        Runtime(Interpreter("numpy", "python", threads=threads), Device("cpu"))
        for threads in (1, 2)
    )
    single = next(switch for switch in SWITCHES if switch.threads)
    assert slowed([one, two], [single]) == two
    assert slowed([two, one], [A]) == two
    assert slowed([one], PADDING) == one


def test_the_docs_have_a_row_for_every_switch():
    rows = (REPOSITORY / "docs" / "equal.md").read_text("utf-8").splitlines()
    for switch in SWITCHES:
        where = switch.framework or "all"
        row = f"| {switch.name} | {where} "
        others = [one for one in rows if one.startswith(row)]
        assert len(others) == 1 and others[0].endswith(f"| {switch.does} | {switch.scope} |")


def test_the_table_names_no_switch_twice_in_a_framework_and_pairs_that_are_there():
    for framework in {one.framework for one in SWITCHES}:
        own = [one for one in SWITCHES if one.framework in ("", framework)]
        names = [one.name for one in own]
        assert len(names) == len(set(names))
        for one in own:
            assert set(one.pairs) <= set(names)
            assert one.does and one.source
            assert one.slots, "it sets something"
