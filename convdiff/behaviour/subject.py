"""Who is asked: one cell's kernel at its own shape, and how to put probes to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from convdiff.behaviour.answer import Answer
from convdiff.behaviour.probes import Probe
from convdiff.behaviour.seen import taps_together
from convdiff.numerics.floats import FORMATS, Format
from convdiff.worker.ops.convolution import Convolution


@dataclass(frozen=True)
class Subject:
    """A kernel: its convolution, the NHWC shape of its input, and who answers for it."""

    conv: Convolution
    shape: tuple[int, ...]
    bias: bool
    ask: Callable[[Sequence[Probe]], list[Answer]]

    @property
    def form(self) -> Format:
        """The format of the case."""
        return FORMATS[self.conv.dtype]

    @property
    def most_taps(self) -> int:
        """How many taps an output sees at the most."""
        return len(taps_together(self.conv, self.shape))


def most_kept(subject: Subject, question: Callable[[int], Probe], most: int) -> int:
    """Return the largest n, 0 to `most`, whose probe is answered to the bit.

    Found by halving: what keeps n bits keeps fewer, too.
    """
    if most < 1 or _is_kept(subject, question(most)):
        return max(most, 0)
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if _is_kept(subject, question(middle)):
            low = middle
        else:
            high = middle
    return low


def _is_kept(subject: Subject, probe: Probe) -> bool:
    (answer,) = subject.ask([probe])
    return not answer.off.any()
