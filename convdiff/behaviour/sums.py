"""How wide the sums of a 16-bit format are: both ways are legal, and give very different errors."""

from __future__ import annotations

from convdiff.behaviour.behaviour import Sums
from convdiff.behaviour.constant_inputs import widths
from convdiff.behaviour.subject import Subject


def sums_beside_format(subject: Subject) -> Sums | None:
    """Return whether sums keep more bits than a 16-bit format has.

    None of other formats, and where three products are not there to tell it.
    """
    form = subject.form
    probes = []
    if form.precision < 24:
        probes = widths(subject.conv, subject.shape, subject.bias, form.precision)
    if not probes:
        return None
    lost = any(answer.off.any() for answer in subject.ask(probes))
    return "own format" if lost else "wider format"
