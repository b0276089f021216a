"""Safe lengths: found on random inputs too, and never guessed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from fake_lab import FakeLab

from convdiff.case.arrays import Tensors, make_tensors
from convdiff.case.device import Device
from convdiff.case.load import built_in_case
from convdiff.case.override import vary
from convdiff.compare.comparison import compare
from convdiff.compare.reference import Reference
from convdiff.diagnose.find_safe_lengths import find_safe_lengths
from convdiff.diagnose.safe_lengths import SafeLengths
from convdiff.diagnose.verdict import Finding, judge
from convdiff.lab.jobs import trial_input
from convdiff.plan.cell import Cell
from convdiff.plan.expand import expand
from convdiff.plan.trials import MOST_TRIALS
from convdiff.runtime.model import Interpreter, Runtime

CPU = Runtime(Interpreter("numpy", "numpy"), Device("cpu"))
Kernel = Callable[[np.ndarray, np.ndarray, int], np.ndarray | None]


def products(x: np.ndarray, w: np.ndarray) -> list[np.ndarray]:
    """Return each tap's products at all positions of one row."""
    row, taps = x.ravel(), w.ravel()
    count = len(row) - len(taps) + 1
    return [row[tap : tap + count] * taps[tap] for tap in range(len(taps))]


def sequential(x: np.ndarray, w: np.ndarray, length: int) -> np.ndarray:
    """Return ((((0+1)+2)+3)+4)."""
    total = np.zeros(x.shape[2] - w.size + 1, np.float32)
    for part in products(x, w):
        total = total + part
    return total


def in_groups_of_four(x: np.ndarray, w: np.ndarray, length: int) -> np.ndarray:
    """Return TensorFlow 1.0.0's bits: whole groups of 4 pairwise, the remainder in sequence."""
    y = sequential(x, w, length)
    a, b, c, d, e = products(x, w)
    whole = len(y) // 4 * 4
    y[:whole] = (((a + b) + (c + d)) + e)[:whole]
    return y


def search(
    kernel: Kernel, lengths: Sequence[int], *, go_on: bool = True, strict: bool = False
) -> tuple[list[SafeLengths], list[Finding]]:
    """Run a kernel over the plan's cells, compare, and look for safe lengths."""
    case = vary(built_in_case(), tuple(lengths))
    plan, tensors = expand(case, [CPU]), make_tensors(case)

    def kernel_of(cell: Cell, cut: Tensors) -> np.ndarray | None:
        y = kernel(cut.input_nhwc, cut.filter_hwio, cell.length)
        return None if y is None else y[None, None, :, None]

    lab = FakeLab(tensors, kernel_of)
    list(lab.observe([cell for cell in plan.cells if go_on or not cell.trial]))
    lab.signal = 0 if go_on else signal.SIGINT
    findings = list(judgements(plan.pairs, lab, Reference(case.conv, tensors), strict))
    return find_safe_lengths(plan, findings, lab, strict=strict), findings


def judgements(pairs, lab: FakeLab, reference: Reference, strict: bool) -> Iterator[Finding]:
    for pair in pairs:
        sides = lab.bits(pair.baseline), lab.bits(pair.candidate)
        comparison = compare(pair, *sides, reference, strict=strict, most=10)
        verdict, evidence = judge(comparison, None, None, False, None)
        yield Finding(comparison, verdict, verdict == "same", evidence)


def test_the_rule_of_tf1s_order_is_found():
    (safe,), _ = search(in_groups_of_four, range(5, 65))
    assert safe.rule == "T ≡ 0 mod 4"
    assert safe.lengths == tuple(range(8, 65, 4))
    assert safe.inputs == MOST_TRIALS


def test_equality_on_the_cases_own_input_is_not_enough():
    (safe,), findings = search(in_groups_of_four, range(5, 65))
    on_the_ramp = {
        f.comparison.candidate.length
        for f in findings
        if f.comparison.axis == "length" and f.verdict == "same"
    }
    assert 5 in on_the_ramp
    assert set(safe.lengths) - {64} < on_the_ramp
    assert 5 in safe.unsafe


def test_one_order_at_every_length_is_safe_everywhere():
    (safe,), _ = search(sequential, range(5, 30))
    assert (safe.unsafe, safe.untested, safe.rule) == ((), (), "every T")


def test_a_length_that_gave_no_bits_is_untested_and_never_safe():
    def refusing(x, w, length):
        return None if length == 9 else sequential(x, w, length)

    (safe,), _ = search(refusing, range(5, 20))
    assert safe.untested == (9,)
    assert 9 not in safe.lengths
    assert safe.rule is None


def test_without_random_inputs_nothing_but_the_longest_is_safe():
    """After Ctrl-C: what was not tried is untested."""
    (safe,), _ = search(sequential, range(5, 20), go_on=False)
    assert safe.lengths == (19,)
    assert safe.untested == tuple(range(5, 19))


def test_a_random_input_that_got_no_answer_leaves_the_length_untested():
    def forgetful(x, w, length):
        on_ramp = float(x.ravel()[0]) == 0
        return None if length == 7 and not on_ramp else sequential(x, w, length)

    (safe,), _ = search(forgetful, range(5, 12))
    assert safe.untested == (7,)


def test_strict_tells_negative_zero_apart():
    def signed(x, w, length):
        y = 0 * sequential(x, w, length)
        return -y if length == 6 else y

    assert search(signed, range(5, 9))[0][0].unsafe == ()
    assert 6 in search(signed, range(5, 9), strict=True)[0][0].unsafe


def test_one_length_has_no_safe_lengths():
    assert search(sequential, [9])[0] == []


@pytest.mark.parametrize("shape", [(1, 1, 40, 1), (2, 3, 50, 4)])
def test_random_inputs_are_the_same_in_every_run_and_differ_from_each_other(shape):
    like = np.zeros(shape, np.float32)
    drawn = [trial_input(like, trial) for trial in range(1, 5)]
    assert all(np.array_equal(x, trial_input(like, n)) for n, x in enumerate(drawn, 1))
    assert len({x.tobytes() for x in drawn}) == 4
    assert {x.dtype.name for x in drawn} == {"float32"}
