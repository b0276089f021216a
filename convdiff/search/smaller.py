"""Smaller cases than one: fewer channels, taps, images and positions; plainer moves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.case.model import Case
from convdiff.numerics.array import Array
from convdiff.search.reduce import parts
from convdiff.worker.ops.convolution import Convolution


@dataclass(frozen=True)
class Problem:
    """A case of one comparison, and its numbers."""

    case: Case
    tensors: Tensors

    @property
    def key(self) -> object:
        """What tells it from another one."""
        tensors = self.tensors
        arrays = (tensors.filter_hwio, tensors.bias, tensors.input_nhwc, tensors.added)
        numbers = tuple(None if a is None else (a.shape, a.tobytes()) for a in arrays)
        case = self.case
        return case.conv, case.height, case.lengths, case.batches, case.channels_out, numbers


def smaller(problem: Problem) -> Iterator[Problem]:
    """Yield what is smaller by one step, the boldest first, each a sound case."""
    for candidate in _each(problem):
        if is_sound(candidate):
            yield candidate


def _each(problem: Problem) -> Iterator[Problem]:
    yield from _fewer_filters(problem)
    yield from _fewer_channels(problem)
    yield from _fewer_images(problem)
    yield from _shorter(problem)
    yield from _fewer_taps(problem)
    yield from _lower(problem)
    yield from _plainer(problem)


def is_sound(problem: Problem) -> bool:
    """Return whether every length gives an output, with something to add to each, if anything."""
    case, added = problem.case, problem.tensors.added
    shape: tuple[int, ...] = ()
    for length in case.lengths:
        shape = case.conv.output_shape(case.batches[-1], case.height, length)
        if min(shape) < 1:
            return False
    if added is None:
        return True
    return all(has in (1, n) or has > n for has, n in zip(added.shape, shape, strict=True))


def with_conv(problem: Problem, tensors: Tensors, **changes: object) -> Problem:
    """Return the problem with other arrays, and a geometry that has their sizes and `changes`."""
    channels = tensors.input_nhwc.shape[-1], tensors.filter_hwio.shape[-1]
    conv = problem.case.conv._replace(
        channels_in=channels[0],
        channels_out=channels[1],
        **changes,  # type: ignore[arg-type]
    )
    case = replace(problem.case, conv=conv, height=tensors.input_nhwc.shape[1])
    if case.added is not None:
        added = tensors.added
        spec = None if added is None else replace(case.added, shape=added.shape)
        case = replace(case, added=spec)
    return Problem(case, tensors)


def _taken(array: Array, which: Sequence[int], axis: int) -> Array:
    return np.ascontiguousarray(np.take(array, which, axis))


def _fewer_filters(problem: Problem) -> Iterator[Problem]:
    """Yield fewer filters; of a grouped convolution fewer groups, and their inputs with them."""
    conv, tensors = problem.case.conv, problem.tensors
    if problem.case.channels_out:
        return
    each = conv.channels_out // conv.groups if conv.groups > 1 else 1
    for kept in parts(conv.channels_out // each):
        which = _blocks(kept, each)
        bias = None if tensors.bias is None else _taken(tensors.bias, which, 0)
        filters, inputs, groups = _taken(tensors.filter_hwio, which, 3), tensors.input_nhwc, 1
        if conv.groups > 1:
            groups = len(kept)
            inputs = _taken(inputs, _blocks(kept, conv.channels_in // conv.groups), 3)
        added = tensors.added
        if added is not None and added.shape[3] > 1:
            added = _taken(added, which, 3)
        yield with_conv(problem, Tensors(filters, bias, inputs, added), groups=groups)


def _blocks(kept: Sequence[int], each: int) -> list[int]:
    return [block * each + i for block in kept for i in range(each)]


def _fewer_channels(problem: Problem) -> Iterator[Problem]:
    tensors = problem.tensors
    if problem.case.conv.groups > 1:
        return
    for kept in parts(problem.case.conv.channels_in):
        filters = _taken(tensors.filter_hwio, kept, 2)
        inputs = _taken(tensors.input_nhwc, kept, 3)
        yield with_conv(problem, replace(tensors, filter_hwio=filters, input_nhwc=inputs))


def _fewer_images(problem: Problem) -> Iterator[Problem]:
    """Yield smaller batches; of two that are compared the smaller one stays below the larger."""
    case, tensors = problem.case, problem.tensors
    *small, large = case.batches
    for count in _counts(large, least=max(small, default=0) + 1):
        inputs = np.ascontiguousarray(tensors.input_nhwc[:count])
        fewer = replace(case, batches=(*small, count))
        yield Problem(fewer, replace(tensors, input_nhwc=inputs))
    for count in _counts(small[0] if small else 1, least=1):
        yield Problem(replace(case, batches=(count, large)), tensors)
    if not small and large > 1:
        for image in range(1, large):
            inputs = np.ascontiguousarray(tensors.input_nhwc[image : image + 1])
            yield Problem(replace(case, batches=(1,)), replace(tensors, input_nhwc=inputs))


def _counts(count: int, least: int) -> Iterator[int]:
    """Yield smaller counts, down to `least`: the least, then ever nearer to `count`."""
    step = count - least
    while step > 0:
        yield count - step
        step //= 2


def _shorter(problem: Problem) -> Iterator[Problem]:
    """Yield shorter lengths: all by as much from either end, or the longest nearer to the rest."""
    case, tensors = problem.case, problem.tensors
    *short, longest = case.lengths
    least = case.conv.axes[-1].least
    for first in _counts(case.lengths[0], least):
        by = case.lengths[0] - first
        lengths = tuple(length - by for length in case.lengths)
        for start in (0, by):
            inputs = np.ascontiguousarray(tensors.input_nhwc[:, :, start : start + lengths[-1]])
            shorter = replace(case, lengths=lengths)
            yield Problem(shorter, replace(tensors, input_nhwc=inputs))
    if short:
        for length in _counts(longest, short[-1] + 1):
            inputs = np.ascontiguousarray(tensors.input_nhwc[:, :, :length])
            shorter = replace(case, lengths=(*short, length))
            yield Problem(shorter, replace(tensors, input_nhwc=inputs))


def _fewer_taps(problem: Problem) -> Iterator[Problem]:
    """Yield smaller filters, cut at one end of one axis; the inputs cut by what that reaches."""
    conv = problem.case.conv
    for axis, extent in enumerate(conv.kernel):
        for count in _counts(extent, 1):
            for start in (0, extent - count):
                yield from _cut(problem, conv, axis, (start, count))


def _cut(
    problem: Problem, conv: Convolution, axis: int, kept: tuple[int, int]
) -> Iterator[Problem]:
    """Yield the filter with some of its taps along an axis, on shorter inputs and on the same."""
    tensors, case = problem.tensors, problem.case
    start, count = kept
    shape = (*conv.kernel, *tensors.filter_hwio.shape[2:])
    taps = np.take(tensors.filter_hwio.reshape(shape), range(start, start + count), axis)
    kernel = (*conv.kernel[:axis], count, *conv.kernel[axis + 1 :])
    rows = int(np.prod(kernel[:-1]))
    filters = np.ascontiguousarray(taps.reshape(rows, kernel[-1], *shape[-2:]))
    whole = with_conv(problem, replace(tensors, filter_hwio=filters), kernel=kernel)
    less = (conv.kernel[axis] - count) * conv.dilations[axis]
    skipped = start * conv.dilations[axis]
    if axis == len(conv.kernel) - 1 and case.lengths[0] > less and conv.padding == "valid":
        inputs = whole.tensors.input_nhwc[:, :, skipped : skipped + case.lengths[-1] - less]
        lengths = tuple(length - less for length in case.lengths)
        cut = replace(whole.tensors, input_nhwc=np.ascontiguousarray(inputs))
        yield Problem(replace(whole.case, lengths=lengths), cut)
    yield whole


def _lower(problem: Problem) -> Iterator[Problem]:
    """Yield inputs of fewer rows, and of a smaller depth, from either end."""
    conv, tensors = problem.case.conv, problem.tensors
    *high, _ = conv.extents(problem.case.height, problem.case.lengths[0])
    spread = tensors.input_nhwc.reshape(
        len(tensors.input_nhwc), *high, *tensors.input_nhwc.shape[2:]
    )
    for axis, extent in enumerate(high):
        for count in _counts(extent, conv.axes[axis].least):
            for start in (0, extent - count):
                kept = np.take(spread, range(start, start + count), axis + 1)
                rows = int(np.prod(kept.shape[1:-2]))
                inputs = kept.reshape(len(kept), rows, *kept.shape[-2:])
                depth = kept.shape[1] if conv.depth > 1 or len(high) > 1 else 1
                lower = replace(tensors, input_nhwc=np.ascontiguousarray(inputs))
                yield with_conv(problem, lower, depth=depth)


def _plainer(problem: Problem) -> Iterator[Problem]:
    """Yield the problem without its step, bias, padding, strides or dilations."""
    conv, tensors = problem.case.conv, problem.tensors
    if conv.then:
        yield with_conv(problem, replace(tensors, added=None), then="")
    if tensors.bias is not None:
        yield Problem(replace(problem.case, bias=None), replace(tensors, bias=None))
    ones, zeros = (1,) * len(conv.kernel), (0,) * len(conv.kernel)
    plain = {"padding": "valid", "strides": ones, "dilations": ones, "output_padding": zeros}
    for name, value in plain.items():
        if getattr(conv, name) != value:
            yield with_conv(problem, tensors, **{name: value})
