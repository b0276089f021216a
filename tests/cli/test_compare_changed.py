"""`convdiff compare`: no wrong green, whatever of a recording is changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import FINGERPRINT, recorded, saved, tensors_of
from two_recordings import CHAIN, renamed

from convdiff.comparing import Asked, compare_recordings
from convdiff.recording.model import Entry, RecordedCase
from convdiff.result import Result

Change = Callable[[RecordedCase, np.random.Generator], RecordedCase]


def one_output(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    """Change any bit of a convolution."""
    return one_bit(case, "conv2d", 1 << int(rng.integers(32)), rng)


def last_bit_of_manual(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    """Change what multiply + reduce_sum gave, as another rounding does."""
    return one_bit(case, "manual", 1, rng)


def one_bit(case: RecordedCase, op: str, bit: int, rng: np.random.Generator) -> RecordedCase:
    own = [number for number, entry in enumerate(case.entries) if entry.cell.op == op]
    if not own:
        return case
    at_ = own[rng.integers(len(own))]
    output = case.entries[at_].output.copy()
    bits = output.reshape(-1).view(np.uint32)
    bits[rng.integers(len(bits))] ^= np.uint32(bit)
    return with_entry(case, at_, replace(case.entries[at_], output=output))


def with_entry(case: RecordedCase, number: int, entry: Entry) -> RecordedCase:
    entries = [*case.entries]
    entries[number] = entry
    return replace(case, entries=tuple(entries))


def one_input(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    name = str(rng.choice(["filter_hwio", "bias", "input_nhwc"]))
    array = getattr(case.tensors, name).copy()
    bits = array.reshape(-1).view(np.uint32)
    bits[rng.integers(len(bits))] ^= np.uint32(1 << rng.integers(23))
    return replace(case, tensors=replace(case.tensors, **{name: array}))


def other_name(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    return replace(case, case=replace(case.case, name="another"))


def no_conv(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    kept = tuple(entry for entry in case.entries if entry.cell.op == "manual")
    return replace(case, entries=kept)


def other_fingerprint(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    newer = {**FINGERPRINT, "version": "3.0", "cpu_isa": ["avx512f"]}
    return replace(case, fingerprints={one: newer for one in case.fingerprints})


def fewer_probes(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    at_ = int(rng.integers(len(case.entries)))
    return with_entry(case, at_, replace(case.entries[at_], probes=None))


def another_order(case: RecordedCase, rng: np.random.Generator) -> RecordedCase:
    at_ = int(rng.integers(len(case.entries)))
    entry = case.entries[at_]
    return with_entry(case, at_, replace(entry, orders=saved(entry.output, "[2 1 0 b]")))


MATTERS: tuple[Change, ...] = (one_output, one_input, other_name, no_conv)
HARMLESS: tuple[Change, ...] = (
    *(other_fingerprint, fewer_probes, another_order, last_bit_of_manual),
)


@pytest.mark.slow
@given(
    st.lists(st.sampled_from([*MATTERS, *HARMLESS]), max_size=3, unique=True),
    st.integers(0, 2**32),
    st.booleans(),
)
def test_green_is_for_equal_bits_of_equal_questions_and_for_nothing_else(
    changes: list[Change], seed: int, turned: bool
):
    """Whatever of a recording is changed: what matters is never green, all else always is."""
    rng = np.random.default_rng(seed)
    whole = recorded(
        CHAIN,
        tensors_of((1, 3, 1, 2), (2, 1, 6, 1)),
        lengths=(4, 6),
        batches=(1, 2),
        ops=("conv2d", "manual"),
    )
    other = whole
    for change in changes:
        other = change(other, rng)
    matters = any(change in MATTERS for change in changes)
    pair = renamed(whole, "a.json"), renamed(other, "b.json")
    result = compare_recordings(*(pair[::-1] if turned else pair), Asked(strict=True))
    assert (result.exit_code == 0) is not matters, [change.__name__ for change in changes]
    assert told(result)


def told(result: Result) -> bool:
    """Return whether a verdict that is not green has something to show for it."""
    if result.exit_code == 0:
        return True
    findings = [finding for case in result.cases for finding in case.findings]
    notes = [note for case in result.cases for note in case.notes]
    shown = [f for f in findings if not f.allowed or (f.verdict == "untested" and f.evidence)]
    return bool(shown or notes)
