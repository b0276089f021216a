"""The receptive field and stride of a net along the length, phase by phase, away from borders.

Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks" (Distill,
2019), with strides that are fractions where a transposed convolution makes several outputs of one
input: outputs a `period` apart read inputs a `step` apart. All are integers, and exact.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm

from convdiff.errors import ConvdiffError
from convdiff.net.along import Step, along, positions
from convdiff.worker.ops.axis import Axis
from convdiff.worker.ops.net import INPUT, Layer, Net

Span = tuple[int, int] | None
"""The first and the last input that is read; None where no input is."""


@dataclass(frozen=True)
class Field:
    """What the outputs of a layer read, were the input endless."""

    step: int
    """How many inputs further an output reads that is a period later."""
    spans: tuple[Span, ...]
    """What each of the first outputs reads, one of each phase."""

    @property
    def period(self) -> int:
        """How many outputs a step makes."""
        return len(self.spans)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many inputs lie from the first to the last of each phase."""
        return tuple(span[1] - span[0] + 1 if span else 0 for span in self.spans)

    def at(self, position: int) -> Span:
        """Return what an output reads; it may lie before the first one."""
        steps, phase = divmod(position, self.period)
        span = self.spans[phase]
        if span is None:
            return None
        return span[0] + steps * self.step, span[1] + steps * self.step


def receptive_field(net: Net, output: str, length: int) -> Field:
    """Return the field of an output; padding before it is that of a length of the input.

    Raises ConvdiffError, naming the layer, where no bounded field with one stride exists; and
    ValueError as `positions` does.
    """
    steps = along(net)
    counts, needed = positions(steps, length), behind(net, output)
    fields = {INPUT: Field(1, ((0, 0),))}
    for step in steps:
        layer = step.layer
        if layer.name in needed:
            sources = [fields[source] for source in layer.sources]
            fields[layer.name] = _field(step, sources, step.extents(counts))
    return fields[output]


def behind(net: Net, output: str) -> set[str]:
    """Return the layers that an output is made of, and itself."""
    needed = {output}
    for layer in reversed(net.layers):
        if layer.name in needed:
            needed.update(layer.sources)
    return needed


def _field(step: Step, fields: list[Field], extents: list[int]) -> Field:
    layer = step.layer
    if step.mixes:
        raise _unbounded(layer, f"{layer.op} reads the whole length")
    if step.axis:
        return _windows(step.axis, fields[0], extents[0])
    if step.joins_lengths or len(set(extents)) > 1:
        raise _unbounded(layer, "its sources are not read position by position")
    if len({Fraction(field.step, field.period) for field in fields}) > 1:
        raise _unbounded(layer, "its sources move by different strides")
    return _joined(fields)


def _unbounded(layer: Layer, why: str) -> ConvdiffError:
    return ConvdiffError(f"layer {layer.name}: {why}, so that no receptive field bounds it")


def _windows(axis: Axis, field: Field, extent: int) -> Field:
    before = axis.pad(extent)[0]
    if axis.transposed:
        period, step = field.period * axis.stride, field.step
    else:
        period = field.period // gcd(field.period, axis.stride)
        step = period * axis.stride * field.step // field.period
    spans = []
    for output in range(period):
        read = []
        for tap in range(axis.kernel):
            position = _read(axis, before, output, tap)
            if position is not None:
                read.append(field.at(position))
        spans.append(_union(read))
    return _made(step, spans)


def _read(axis: Axis, before: int, output: int, tap: int) -> int | None:
    """Return the position that a tap reads, were the source endless; None between two."""
    if not axis.transposed:
        return output * axis.stride + tap * axis.dilation - before
    position, between = divmod(output + before - tap * axis.dilation, axis.stride)
    return None if between else position


def _joined(fields: list[Field]) -> Field:
    period = lcm(*(field.period for field in fields))
    spans = [_union(field.at(output) for field in fields) for output in range(period)]
    return _made(fields[0].step * period // fields[0].period, spans)


def _union(spans: Iterable[Span]) -> Span:
    read = [span for span in spans if span]
    if not read:
        return None
    first, last = zip(*read, strict=True)
    return min(first), max(last)


def _made(step: int, spans: list[Span]) -> Field:
    """Return the field with the shortest period that says the same."""
    whole = Field(step, tuple(spans))
    for period in range(1, whole.period):
        part = Field(step * period // whole.period, whole.spans[:period])
        is_whole = step * period % whole.period == 0 and whole.period % period == 0
        if is_whole and all(part.at(output) == span for output, span in enumerate(spans)):
            return part
    return whole
