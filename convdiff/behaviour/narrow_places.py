"""Where bits are lost: inputs, weights, the bias, sums or outputs, and what they keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from convdiff.behaviour import place_probes
from convdiff.behaviour.constant_inputs import survivor
from convdiff.behaviour.probes import Probe
from convdiff.behaviour.seen import blind
from convdiff.behaviour.subject import Subject, most_kept

FORMAT_OF_FRACTION_BITS = {7: " (bfloat16)", 10: " (TF32 or float16)", 23: " (float32)"}
SIDES = ("input", "weight")


@dataclass(frozen=True)
class Places:
    """What the probes of places say."""

    narrow: tuple[str, ...] = ()
    """What keeps fewer bits than the format, or than the sums, has; in words."""
    error: str | None = None
    """What no narrowing does, in words."""


def narrow_places(subject: Subject, sums: int) -> Places:
    """Return where products lose bits that sums, which keep so many bits, would keep.

    Empty where each number of few bits survives: then what loses bits are numbers that vary.
    """
    top = sums - 1
    alone = {side: _survives(subject, side) for side in SIDES}
    if not all(alone.values()):  # even a format of one fraction bit has 1.5
        text = "a filter of a single weight changes what it gives back, however few its bits"
        return Places(error=text)
    lost = {side: kept for side, kept in alone.items() if kept < top}
    if not lost:
        return Places()
    narrow = _of_one_tap(subject, lost) if subject.most_taps == 1 else _of_taps(subject, lost, top)
    return Places(tuple(narrow or _sides(subject, lost)))


def narrow_bias(subject: Subject) -> str | None:
    """Return what a bias that loses bits keeps, in words; None where outputs keep no more."""
    kept = _survives(subject, "bias")
    if kept == subject.form.precision - 1:
        return "the bias is rounded where its bits vary"
    if blind(subject.conv, subject.shape).all():
        return f"the bias, or outputs, keep {_bits(subject, kept)}"
    (answer,) = subject.ask([place_probes.after_bias(subject.conv, subject.shape, kept + 1)])
    return None if answer.off.any() else f"the bias keeps {_bits(subject, kept)}"


def _survives(subject: Subject, side: str) -> int:
    """Return the largest p for which 1 + 2^-p survives as an input, a weight or a bias."""
    probes = []
    for bits in range(1, subject.form.precision):
        probes.append(survivor(subject.conv, subject.shape, subject.bias, bits, side))
    kept = [answer.probe.bits for answer in subject.ask(probes) if not answer.off.any()]
    return max(kept, default=0)


def _of_taps(subject: Subject, lost: dict[str, int], top: int) -> list[str]:
    """Return what is narrow, where two products can tell a factor from the sum of both."""
    conv, shape, bias = subject.conv, subject.shape, subject.bias
    factors = {}
    for side in lost:
        kept = most_kept(subject, _cancelling(subject, side), top)
        if 0 < kept < top:
            factors[side] = kept
    total = most_kept(subject, lambda bits: place_probes.summed(conv, shape, bias, bits), top)
    if total == top:
        return _sides(subject, factors)
    # Two products are too few to tell a narrow sum from what it is made of and stored in.
    if subject.most_taps == 2 and list(factors.values()) == [total] * len(SIDES):
        return [f"sums or outputs keep {_bits(subject, total)}"]
    return [*_sides(subject, factors), _output(subject, total, top)]


def _cancelling(subject: Subject, side: str) -> Callable[[int], Probe]:
    return lambda bits: place_probes.cancelled(
        subject.conv, subject.shape, subject.bias, bits, side
    )


def _output(subject: Subject, kept: int, top: int) -> str:
    """Say that outputs are narrow, and whether the bias is added before or after that."""
    conv, shape = subject.conv, subject.shape
    keep = _bits(subject, kept)
    if not subject.bias:
        return f"outputs keep {keep}"
    before = most_kept(subject, lambda bits: place_probes.before_bias(conv, shape, bits), top)
    if before == top:
        return f"outputs keep {keep}"
    after = most_kept(subject, lambda bits: place_probes.after_bias(conv, shape, bits), top)
    if after == top:
        return f"outputs keep {keep} before the bias is added"
    return f"outputs keep {keep}, before the bias is added and after"


def _of_one_tap(subject: Subject, lost: dict[str, int]) -> list[str]:
    """Return what is narrow of a single product, whose sum can't be told from its output."""
    conv, shape, bias = subject.conv, subject.shape, subject.bias
    full = subject.form.precision - 1
    total = most_kept(subject, lambda bits: place_probes.summed(conv, shape, bias, bits), full)
    if total > min(lost.values()):
        return _sides(subject, lost)
    return [f"sums or outputs keep {_bits(subject, total)}"]


def _sides(subject: Subject, kept: dict[str, int]) -> list[str]:
    return [f"{side}s keep {_bits(subject, bits)}" for side, bits in kept.items()]


def _bits(subject: Subject, kept: int) -> str:
    name = FORMAT_OF_FRACTION_BITS.get(kept, "")
    return f"{kept} of {subject.form.precision - 1} fraction bits{name}"
