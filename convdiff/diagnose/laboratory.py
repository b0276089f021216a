"""Asks a cell's own runtime, at its own shape, the probes' questions, and reads the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.case.model import Convolution
from convdiff.compare.floats import FORMATS
from convdiff.diagnose.fits import fit_integers
from convdiff.diagnose.probe_data import Probe, first_probes, survivor
from convdiff.diagnose.traits import Traits
from convdiff.recording.observation import Cell

Array = np.ndarray[Any, Any]

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
        fits = fit_integers(conv, probes["integer"], answered["integer"])
    if traits.narrowed and "accumulator" not in traits.narrowed:
        traits = replace(traits, narrowed=_bits_kept(cell, conv, shape, bias, measure))
    return traits, fits


def read(probes: Mapping[str, Probe], outputs: Mapping[str, Array], conv: Convolution) -> Traits:
    """Read the first probes' outputs."""
    for name, probe in probes.items():
        if outputs[name].shape != probe.answer.shape:
            return Traits(
                shape_error=f"gives shape {outputs[name].shape}, expected {probe.answer.shape}"
            )
    narrow_sum = any(
        not _equal(outputs[name], probe.answer)
        for name, probe in probes.items()
        if name.startswith("width")
    )
    input_error = _relative(outputs["input"], probes["input"].answer)
    weight_error = _relative(outputs["weight"], probes["weight"].answer)
    leak = _relative(outputs["contamination"], probes["contamination"].answer)
    integers = _wide(outputs["integer"]) - _wide(probes["integer"].answer)
    off = float(np.max(np.abs(integers), initial=0.0))
    transform = integer_error = narrowed = None
    if leak > 8 * max(input_error, 0.25 * FORMATS[conv.dtype].unit_roundoff) and input_error < 0.25:
        transform = (
            f"large inputs outside a tap's field change its product (by {leak:.1e} of it): "
            "a transform algorithm such as Winograd or FFT"
        )
    elif narrow_sum:
        narrowed = f"the accumulator keeps fewer than {FORMATS[conv.dtype].precision} bits"
    elif 0 < max(input_error, weight_error) < 0.25:
        narrowed = "inputs or weights are rounded"
    if not np.isfinite(off):
        integer_error = "small integers give NaN or infinity"
    elif off >= 0.5 and not (narrow_sum and _relative_to_sum(integers, probes["integer"]) < 0.01):
        count = int(np.count_nonzero(integers))
        integer_error = (
            f"exact on no integers: off by up to {off:g} at {count} of {integers.size} outputs"
        )
    elif off > 0 and transform is None and narrowed is None:
        transform = f"sums of small integers are off by {off:.1e}: a transform algorithm"
    return Traits(None, integer_error, transform, narrowed)


def _bits_kept(
    cell: Cell, conv: Convolution, shape: tuple[int, ...], bias: bool, measure: Measure
) -> str:
    """Find the largest p for which 1 + 2^-p survives, on each side of the product."""
    full = FORMATS[conv.dtype].precision - 1
    kept = {}
    for side in ("input", "weight"):
        probes = [survivor(conv, shape, bias, bits, side) for bits in range(1, full + 1)]
        outputs = measure(cell, [probe.tensors for probe in probes])
        kept[side] = max(
            (
                bits
                for bits, (probe, output) in enumerate(zip(probes, outputs, strict=True), 1)
                if output is not None and _equal(output, probe.answer)
            ),
            default=0,
        )
    names = {7: " (bfloat16)", 10: " (TF32 or float16)"}
    told = [
        f"{side}s keep {bits} of {full} fraction bits{names.get(bits, '')}"
        for side, bits in kept.items()
        if bits < full
    ]
    return ", ".join(told) or "inputs or weights are rounded in some places"


def _wide(array: Array) -> Array:
    return array.astype(np.float64)


def _equal(a: Array, b: Array) -> bool:
    return bool(np.array_equal(_wide(a), _wide(b)))


def _relative(output: Array, answer: Array) -> float:
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(_wide(output) - _wide(answer)) / np.abs(_wide(answer))
    return float(np.max(np.where(np.isfinite(error), error, np.inf), initial=0.0))


def _relative_to_sum(error: Array, probe: Probe) -> float:
    largest = float(np.abs(_wide(probe.tensors.filter_hwio)).sum(axis=(0, 1, 2)).max(initial=1.0))
    return float(
        np.abs(error).max() / max(1.0, largest * float(_wide(probe.answer).max(initial=1)))
    )
