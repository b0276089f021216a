"""Asks a cell's own runtime, at its own shape, the probes' questions, and reads the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.case.model import Convolution
from convdiff.compare.exact import scales
from convdiff.compare.floats import FORMATS
from convdiff.diagnose.fits import fit_integers
from convdiff.diagnose.probe_data import Probe, first_probes, survivor
from convdiff.diagnose.traits import Traits
from convdiff.recording.observation import Cell

Array = np.ndarray[Any, Any]

GROSS = 0.25
"""A relative error from here on is no rounding, in whatever format."""

Measure = Callable[[Cell, Sequence[Tensors]], "list[Array | None]"]
"""Run a cell on other numbers of the same shapes; None where it gave no bits."""


def examine_cell(
    cell: Cell, conv: Convolution, height: int, bias: bool, measure: Measure
) -> tuple[Traits | None, str | None]:
    """Return a cell's traits and, if integers came out wrong, what they look like.

    None in place of traits means that the runtime did not answer.
    """
    shape = (cell.batch, height, cell.length, conv.channels_in)
    probes = {probe.name: probe for probe in first_probes(conv, shape, bias)}
    outputs = dict(
        zip(probes, measure(cell, [probe.tensors for probe in probes.values()]), strict=True)
    )
    if any(output is None for output in outputs.values()):
        return None, None
    answered = {name: output for name, output in outputs.items() if output is not None}
    traits = read(probes, answered, conv)
    fits = None
    if traits.integer_error or traits.shape_error:
        off = [
            name for name in _named(probes, "integer") if not _right(probes[name], answered[name])
        ]
        names = {fit_integers(conv, probes[name], answered[name]) for name in off}
        fits = names.pop() if len(names) == 1 else None  # what fits but once is chance
    if traits.narrowed and "accumulator" not in traits.narrowed:
        kept = _bits_kept(cell, conv, shape, bias, measure)
        traits = replace(traits, narrowed=kept) if kept else _not_narrowed(probes, answered, conv)
    return traits, fits


def read(probes: Mapping[str, Probe], outputs: Mapping[str, Array], conv: Convolution) -> Traits:
    """Read the first probes' outputs."""
    for name, probe in probes.items():
        if outputs[name].shape != probe.answer.shape:
            return Traits(
                shape_error=f"gives shape {outputs[name].shape}, expected {probe.answer.shape}"
            )
    input_error = max(_relative(outputs[n], probes[n].answer) for n in _named(probes, "input"))
    weight_error = _relative(outputs["weight"], probes["weight"].answer)
    leak = max(_leak(probes, outputs, name) for name in _named(probes, "contamination"))
    narrow_sum = _narrow_sum(probes, outputs)
    transform = narrowed = None
    if leak > 8 * FORMATS[conv.dtype].unit_roundoff and input_error < GROSS:
        transform = (
            f"large inputs outside a tap's field change its product (by {leak:.1e} of it): "
            "a transform algorithm such as Winograd or FFT"
        )
    elif narrow_sum:
        narrowed = f"the accumulator keeps fewer than {FORMATS[conv.dtype].precision} bits"
    elif 0 < max(input_error, weight_error) < GROSS:
        narrowed = "inputs or weights are rounded"
    integers = _named(probes, "integer")
    off = np.stack([_wide(outputs[name]) - _wide(probes[name].answer) for name in integers])
    allowed = np.stack(
        [
            _integer_tolerance(
                conv, probes[name], input_error, transform=bool(transform), narrow_sum=narrow_sum
            )
            for name in integers
        ]
    )
    integer_error = None
    if not np.isfinite(off).all():
        integer_error = "small integers give NaN or infinity"
    elif (np.abs(off) >= allowed).any():
        count, most = int(np.count_nonzero(off)), float(np.abs(off).max())
        integer_error = (
            f"exact on no integers: off by up to {most:g} at {count} of {off.size} outputs"
        )
    elif max(input_error, weight_error) >= GROSS:
        integer_error = "a filter of a single 1 does not give its input back"
    elif off.any() and transform is None and narrowed is None:
        most = float(np.abs(off).max())
        transform = f"sums of small integers are off by {most:.1e}: a transform algorithm"
    return Traits(None, integer_error, transform, narrowed)


def _named(probes: Mapping[str, Probe], kind: str) -> list[str]:
    """Return the names of a probe and its repetitions."""
    return [name for name in probes if name.split()[0] == kind]


def _leak(probes: Mapping[str, Probe], outputs: Mapping[str, Array], name: str) -> float:
    """Return how much large neighbours change a product, relative to it.

    Both probes hold the same inputs, some of them scaled by a power of two in the second: a direct
    sum gives the same bits at another exponent, however it rounds its inputs.
    """
    alike = name.replace("contamination", "input")
    answer = _wide(probes[name].answer)
    alone = _wide(outputs[alike]) * (answer / _wide(probes[alike].answer))
    with np.errstate(invalid="ignore", over="ignore"):
        relative = np.abs(_wide(outputs[name]) - alone) / np.abs(answer)
    return float(np.max(np.where(np.isfinite(relative), relative, np.inf), initial=0.0))


def _narrow_sum(probes: Mapping[str, Probe], outputs: Mapping[str, Array]) -> bool:
    """Return whether an accumulator loses a 1 beside a large number, or can't hold that number.

    Anything else than a lost 1 (a large number that stays, say) is no matter of width.
    """
    widths = [_wide(outputs[name]) for name in _named(probes, "width")]
    if not widths:
        return False
    seen = np.stack(widths)
    finite = seen[np.isfinite(seen)]
    return bool((seen != 1).any() and (np.abs(finite - 1) <= 1).all())


def _integer_tolerance(
    conv: Convolution, probe: Probe, input_error: float, *, transform: bool, narrow_sum: bool
) -> Array:
    """Return how far each sum of small integers may be off before no rounding can be the reason.

    Half a unit, unless what was found already rounds integers of this size: then a small part of
    A = Σ|x·w| for a transform (Winograd F(4,3) stays below 64·u·A) or a narrow accumulator, and of
    the result itself where it is stored in fewer bits.
    """
    absolute = scales(conv, probe.tensors).absolute
    allowed = np.full_like(absolute, 0.5)
    if transform:
        narrow = 16 * min(input_error, 2.0**-8)
        allowed = np.maximum(
            allowed, max(64 * FORMATS[conv.dtype].unit_roundoff, narrow) * absolute
        )
    elif narrow_sum:
        allowed = np.maximum(allowed, 0.1 * absolute.max())
    elif 0 < input_error < GROSS:
        allowed = np.maximum(allowed, 4 * input_error * np.abs(_wide(probe.answer)))
    return allowed


def _bits_kept(
    cell: Cell, conv: Convolution, shape: tuple[int, ...], bias: bool, measure: Measure
) -> str | None:
    """Find the largest p for which 1 + 2^-p survives on each side of the product; None for all."""
    full = FORMATS[conv.dtype].precision - 1
    kept = {}
    for side in ("input", "weight"):
        probes = [survivor(conv, shape, bias, bits, side) for bits in range(1, full + 1)]
        outputs = measure(cell, [probe.tensors for probe in probes])
        kept[side] = max(
            (
                bits
                for bits, (probe, output) in enumerate(zip(probes, outputs, strict=True), 1)
                if output is not None and _right(probe, output)
            ),
            default=0,
        )
    names = {7: " (bfloat16)", 10: " (TF32 or float16)"}
    told = [
        f"{side}s keep {bits} of {full} fraction bits{names.get(bits, '')}"
        for side, bits in kept.items()
        if bits < full
    ]
    return ", ".join(told) or None


def _not_narrowed(
    probes: Mapping[str, Probe], outputs: Mapping[str, Array], conv: Convolution
) -> Traits:
    """Return what changes inputs or weights although every one of their bits can survive."""
    delta = [*_named(probes, "input"), *_named(probes, "weight")]
    error = max(_relative(outputs[name], probes[name].answer) for name in delta)
    said = f"a filter of a single weight gives back other values (off by up to {error:.1e} of them)"
    if error > 64 * FORMATS[conv.dtype].unit_roundoff:
        return Traits(integer_error=said)
    return Traits(transform=f"{said}: a transform algorithm")


def _wide(array: Array) -> Array:
    return array.astype(np.float64)


def _right(probe: Probe, output: Array) -> bool:
    return bool(np.array_equal(_wide(output), _wide(probe.answer)))


def _relative(output: Array, answer: Array) -> float:
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(_wide(output) - _wide(answer)) / np.abs(_wide(answer))
    return float(np.max(np.where(np.isfinite(error), error, np.inf), initial=0.0))
