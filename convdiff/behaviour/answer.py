"""A probe together with what the runtime answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from convdiff.behaviour.probes import Kind, Probe
from convdiff.numerics.array import Array
from convdiff.numerics.floats import Format

NOISE = 1024.0
"""What a transform makes of a single product at the most, in u of the largest number it mixes.

Winograd F(4×4, 3×3): 160 at the most in fp64, fp32 and fp16 with 1, 4 and 64 channels. NNPACK's
F(6×6, 3×3), in PyTorch without oneDNN: 786.
"""


@dataclass(frozen=True)
class Answer:
    """A probe and what the runtime answered."""

    probe: Probe
    output: Array
    """NHWC, in fp64."""

    @property
    def right(self) -> Array:
        """What a sound direct convolution answers: NHWC, in fp64."""
        return self.probe.answer.astype(np.float64)

    @property
    def off(self) -> Array:
        """How far off each output is, in fp64; infinite where it is not finite.

        Zero where the answer is none of those that the probe asks for.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            error = np.abs(self.output - self.right)
        error = np.where(np.isfinite(error), error, np.inf)
        return np.where(self.asked, error, 0.0) if self.probe.asked else error

    @property
    def asked(self) -> Array:
        """Where an answer is one of those that the probe asks for."""
        size = self.probe.asked
        return np.abs(self.right) == size if size else np.ones(self.right.shape, bool)


def of_kind(answers: Sequence[Answer], *kinds: Kind) -> list[Answer]:
    """Return the answers to the probes of some kinds and their repetitions."""
    return [answer for answer in answers if answer.probe.kind in kinds]


def noise_of(values: Array, form: Format) -> float:
    """Return what a transform that mixes these numbers may be off by on exact data."""
    return NOISE * form.unit_roundoff * float(np.abs(values).max())
