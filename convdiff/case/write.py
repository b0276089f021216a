"""A case as a file: its keys, and its arrays written out as numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from convdiff.case.arrays import Tensors
from convdiff.case.keys import CASE
from convdiff.case.layout import DEFAULT, layout_of
from convdiff.case.model import DEFAULT_EXPECT, Case
from convdiff.numerics.array import Array
from convdiff.worker.ops.convolution import Convolution


def text_of(case: Case, tensors: Tensors, comments: Sequence[str] = ()) -> str:
    """Return a case file of these arrays, in HWIO and NHWC, that loads as the same case."""
    lines = [f"# {comment}" for comment in comments]
    lines += [f"{key}: {value}" for key, value in _keys(case, tensors)]
    return "\n".join(lines) + "\n"


def _keys(case: Case, tensors: Tensors) -> Iterator[tuple[str, str]]:
    conv = case.conv
    yield "name", json.dumps(case.name, ensure_ascii=False)
    if case.source:
        yield "source", json.dumps(case.source, ensure_ascii=False)
    for key in ("op", "dtype"):
        if getattr(conv, key) != CASE.keys[key].default:
            yield key, getattr(conv, key)
    order = layout_of(DEFAULT, conv.op, conv.groups).filter
    filters = tensors.filter_hwio.reshape(
        replace(order, high=conv.kernel[-2]).spoken(conv.filter_shape)
    )
    yield "filter", written(filters)
    if tensors.bias is not None:
        yield "bias", written(tensors.bias)
    yield "input", written(conv.own_input(tensors.input_nhwc))
    yield "lengths", json.dumps(case.lengths)
    yield from _moves(case)
    yield from _step(conv, tensors)
    yield from _runs(case)
    yield "devices", f"[{', '.join(map(str, case.devices))}]"
    allowed = {axis: one for axis, one in case.expect.items() if one != DEFAULT_EXPECT[axis]}
    if allowed:
        parts = [f"{axis}: {_allowance(one)}" for axis, one in allowed.items()]
        yield "expect", "{" + ", ".join(parts) + "}"


def _allowance(one: Any) -> str:
    return f"{{ulps: {one.ulps}}}" if one.kind == "ulps" else str(one.kind)


def _runs(case: Case) -> Iterator[tuple[str, str]]:
    """Yield how much of it is run, and how often, where that is not once and all of it."""
    if case.batches != (1,):
        yield "batch", json.dumps(case.batches)
    if case.channels_out:
        yield "channels_out", json.dumps(case.channels_out)
    if case.repeat != 1:
        yield "repeat", str(case.repeat)


def _step(conv: Convolution, tensors: Tensors) -> Iterator[tuple[str, str]]:
    """Yield the step that follows, with what it adds to the largest output."""
    if tensors.added is not None:
        added = conv.own_addend(tensors.added, tensors.input_nhwc.shape)
        yield "then", f"{{add: {written(added)}}}"
    elif conv.then:
        yield "then", conv.then


def _moves(case: Case) -> Iterator[tuple[str, str]]:
    """Yield what is not as it is by default of how the filter moves."""
    conv = case.conv
    for key, usual in (("strides", 1), ("dilations", 1), ("output_padding", 0)):
        numbers = conv.own(getattr(conv, key))
        if any(number != usual for number in numbers):
            yield key, json.dumps(list(numbers))
    if conv.groups != 1:
        yield "groups", str(conv.groups)
    if conv.padding != "valid":
        yield "padding", _padding(conv)


def _padding(conv: Convolution) -> str:
    if isinstance(conv.padding, str):
        return conv.padding
    own = conv.own(conv.padding)
    return json.dumps(own[0] if conv.rank == 1 else own)


def written(array: Array) -> str:
    """Return an array as nested lists of the shortest numbers that round-trip."""
    if array.ndim == 0:
        return _number(array[()])
    return "[" + ", ".join(written(part) for part in array) + "]"


def _number(value: Any) -> str:
    """Return a number that YAML reads as one, in the fewest digits that tell it in its dtype."""
    number = float(value)
    if not np.isfinite(number):
        return {"inf": ".inf", "-inf": "-.inf"}.get(str(number), ".nan")
    text = str(np.float32(value) if value.dtype.name == "bfloat16" else value)
    mantissa, e, exponent = text.partition("e")
    whole = mantissa.removesuffix(".0") if not e and number else mantissa  # but for −0.0
    if not number and not str(number).startswith("-"):
        return "0"
    if e and "." not in mantissa:
        whole += ".0"  # YAML 1.1 readers take 1e5 for a word
    return whole + e + exponent
