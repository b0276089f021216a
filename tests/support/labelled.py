"""Synthetic kernels with labels, drawn by number: legal ones, narrowed ones and broken ones.

Nothing here is convdiff's but the tuple that holds a convolution's sizes, which is handed in.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from labelled_faults import Array, Asked, Fault, Rng, named, nothing_added, rolled
from labelled_geometry import gathered
from labelled_others import others
from labelled_sums import ARITHMETICS, PLAIN, Arithmetic, Order, convolved, drawn_order, to_float32

Sizes = Callable[..., Any]
"""Makes the tuple of kernel, channels_in, channels_out, strides, dilations, groups."""
Ask = Callable[[Rng], Asked]
KINDS = ("arithmetic", "named", "two named", "other", "two others")
SHARES = (0.3, 0.4, 0.14, 0.1, 0.06)
TRIES = 200
SHIFTED = "the output is shifted by"


@dataclass(frozen=True)
class Labelled:
    """A kernel with its label, and what it is run on."""

    kind: str
    label: tuple[str, ...]
    asked: Asked
    arithmetic: Arithmetic
    order: Order
    baseline: Order
    """Of the right fp32 kernel that it is held against."""
    faults: tuple[Fault, ...] = ()

    def right(self, asked: Asked) -> Array:
        """Return what the baseline gives, fp32."""
        return convolved(*asked, self.baseline).astype(np.float32)

    def given(self, asked: Asked) -> Array:
        """Return what the kernel gives, fp32."""
        return given(asked, self.faults, self.order, self.arithmetic)

    def gives_the_same(self, names: Sequence[str]) -> bool:
        """Return whether other faults of these names give the same numbers on integers, always."""
        if len(names) == 1 and names[0].startswith(SHIFTED):
            return self._is_shifted(*_numbers(names[0]))
        faults = [by_name(self.asked, name) for name in names]
        if None in faults:
            return False
        known = [fault for fault in faults if fault is not None]
        whole = [integers(self.asked, np.random.default_rng([7, turn])) for turn in range(6)]
        try:
            return all(
                _same(self.given(asked), given(asked, known, self.order, PLAIN)) for asked in whole
            )
        except ValueError:  # the steps leave nothing of the output
            return False

    def _is_shifted(self, down: int, right: int) -> bool:
        """Return whether the result is moved; what comes in from the edge may be anything."""
        for turn in range(6):
            asked = integers(self.asked, np.random.default_rng([7, turn]))
            mine, its = self.given(asked), self.right(asked)
            if mine.shape != its.shape:
                return False
            inside = rolled(np.ones(its.shape), down, right) > 0
            if not np.array_equal(mine[inside], rolled(its, down, right)[inside]):
                return False
        return True


def given(asked: Asked, faults: Sequence[Fault], order: Order, arithmetic: Arithmetic) -> Array:
    """Return what a kernel with these faults gives, fp32."""
    changed = asked
    for fault in faults:
        changed = fault.before(changed)
    y = convolved(*changed, order, arithmetic)
    for fault in faults:
        y = to_float32(fault.after(y, asked))
    return y.astype(np.float32)


def drawn(number: int, sizes: Sizes) -> Labelled:
    """Return the kernel of this number, of a VALID conv2d."""
    return _drawn(np.random.default_rng([20261128, number]), number, lambda rng: _asked(rng, sizes))


def drawn_of_any(number: int, sizes: Sizes) -> Labelled:
    """Return the kernel of this number, of any op, padded in any way."""
    rng = np.random.default_rng([20261129, number])
    return _drawn(rng, number, lambda rng: _with_outputs(rng, sizes))


def _with_outputs(rng: Rng, sizes: Sizes) -> Asked:
    while True:
        asked = asked_of_any(rng, sizes)
        with contextlib.suppress(ValueError):
            gathered(asked.conv, asked.x)
            return asked


def _drawn(rng: Rng, number: int, ask: Ask) -> Labelled:
    kind = str(rng.choice(KINDS, p=SHARES))
    for _ in range(TRIES):
        made = _made(kind, rng, ask)
        if made is not None and (kind == "arithmetic" or _shows(made)):
            return made
    raise AssertionError(f"number {number}: nothing to draw")


def _made(kind: str, rng: Rng, ask: Ask) -> Labelled | None:
    asked = ask(rng)
    order, baseline = drawn_order(rng), drawn_order(rng)
    if kind == "arithmetic":
        arithmetic = ARITHMETICS[int(rng.integers(len(ARITHMETICS)))]
        return Labelled(kind, (arithmetic.name,), asked, arithmetic, order, baseline)
    pool = named(asked, rng)
    if kind.endswith("others") or kind == "other":
        pool = others(asked, convolved(*asked, order).shape, rng)
    faults = [_one_of(pool, rng)]
    if kind.startswith("two"):
        faults.append(_one_of(pool, rng))
        if not _go_together(kind, faults):
            return None
        faults.sort(key=lambda fault: PARTS.index(fault.part))
    try:
        given(asked, faults, order, PLAIN)
    except ValueError:  # the steps leave nothing of the output
        return None
    label = tuple(fault.name for fault in faults)
    return Labelled(kind, label, asked, PLAIN, order, baseline, tuple(faults))


PARTS = (
    "steps",
    "input",
    "filter",
    "tap",
    "bias",
    "products",
    "values",
    "output",
    "shift",
    "constant",
)
APART = ("tap", "shift", "constant", "products", "scaled")
"""Of these, two at once have no name."""


def _go_together(kind: str, faults: Sequence[Fault]) -> bool:
    one, other = faults
    if kind == "two others":
        return one.name != other.name
    return one.part != other.part and one.part not in APART and other.part not in APART


def _one_of(pool: Sequence[Fault], rng: Rng) -> Fault:
    """Draw a kind of fault first, then one of it: a channel, a tap."""
    kinds = sorted({kind_of(fault.name) for fault in pool})
    kind = str(rng.choice(kinds))
    return [fault for fault in pool if kind_of(fault.name) == kind][
        int(rng.integers(sum(kind_of(fault.name) == kind for fault in pool)))
    ]


def kind_of(name: str) -> str:
    """Return a label without its numbers."""
    name = re.sub(r"tap \(.*?\) \(.*?cin\)", "tap", name)
    if "multiplied" in name and "number" in name:
        name = re.sub(r"by (1/)?\d+", r"by \1n", name)
    else:
        name = re.sub(r"(channel|last) \d+", r"\1", name)
        name = re.sub(r"(shifted|moved) by \(.*?\)", r"\1", name)
    return re.sub(r"(constant|added:) -?[\d.]+( is)?", r"\1\2", name)


def _shows(made: Labelled) -> bool:
    """Return whether each fault, and all at once, change something on integers, and this data."""
    if _same(made.right(made.asked), made.given(made.asked)):
        return False
    together = [made.faults, *([fault] for fault in made.faults)]
    return all(_changes(made, faults) for faults in together)


def _changes(made: Labelled, faults: Sequence[Fault]) -> bool:
    for turn in range(3):
        asked = integers(made.asked, np.random.default_rng([8, turn]))
        try:
            if not _same(made.right(asked), given(asked, faults, made.order, PLAIN)):
                return True
        except ValueError:  # the steps leave nothing of the output
            return False
    return False


def _same(one: Array, other: Array) -> bool:
    return one.shape == other.shape and np.array_equal(one, other)


def _asked(rng: Rng, sizes: Sizes) -> Asked:
    """Draw a convolution with its data: one in eight is larger."""
    large = rng.random() < 1 / 8
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    kernel = (int(rng.integers(1, 4)), int(rng.integers(1, 6)))
    if rng.random() < 0.4:
        kernel = (kernel[0], kernel[0])
    inputs = groups * int(rng.integers(1, 13 if large else 5))
    outputs = groups * int(rng.integers(1, 9 if large else 5))
    steps = [(1, 1), (1, 1), (1, 1), (2, 2), (1, 2), (2, 1), (3, 2)]
    strides, dilations = (steps[int(rng.integers(len(steps)))] for _ in range(2))
    shape = [int(rng.integers(1, 4))]
    for k, s, d in zip(kernel, strides, dilations, strict=True):
        shape.append((k - 1) * d + 1 + s * int(rng.integers(0, 13 if large else 7)))
    if rng.random() < 0.2:
        shape[2] = max(shape[1:])
        shape[1] = shape[2]
    conv = sizes(kernel, inputs, outputs, strides, dilations, groups)
    x = rng.standard_normal((*shape, inputs))
    w = rng.standard_normal((*kernel, inputs // groups, outputs))
    b = rng.standard_normal(outputs) if rng.random() < 0.6 else None
    return Asked(conv, to_float32(x), to_float32(w), None if b is None else to_float32(b))


def asked_of_any(rng: Rng, sizes: Sizes) -> Asked:
    """Draw a convolution of any op, padded in any way, with its data."""
    op = str(rng.choice(OPS))
    rank, transposed = 1 if op == "dense" else int(op[4]), "transpose" in op
    count, groups = max(2, rank), 1 if op == "dense" else int(rng.choice([1, 1, 1, 2, 3]))

    def along(least: int, most: int) -> tuple[int, ...]:
        high = (1,) * (count - rank)
        return high + tuple(int(rng.integers(least, most + 1)) for _ in range(rank))

    kernel, strides, dilations = along(1, 4 if rank < 3 else 2), along(1, 2), along(1, 2)
    padding, longer = str(rng.choice(["valid", "same", "same_lower", "causal", "numbers"])), None
    if op == "dense":
        kernel = strides = dilations = (1, 1)
        padding = "valid"
    if padding == "causal" and transposed:
        padding = "numbers"
    if padding == "numbers":
        most = 2
        padding = ((0, 0),) * (count - rank) + tuple(
            (int(rng.integers(-1, most + 1)), int(rng.integers(0, most + 1))) for _ in range(rank)
        )
        longer = tuple(int(rng.integers(0, s)) if transposed else 0 for s in strides)
    inputs, outputs = (groups * int(rng.integers(1, 5)) for _ in range(2))
    shape = [
        1 if axis < count - rank else (k - 1) * d + 2 + int(rng.integers(0, 6 if rank < 3 else 3))
        for axis, (k, d) in enumerate(zip(kernel, dilations, strict=True))
    ]
    conv = sizes(kernel, inputs, outputs, strides, dilations, groups, op=op, padding=padding)
    conv = conv._replace(output_padding=longer or (0,) * count)
    if rank == 3:
        conv = conv._replace(depth=shape[0])
    x = rng.standard_normal((int(rng.integers(1, 3)), int(np.prod(shape[:-1])), shape[-1], inputs))
    w = rng.standard_normal((int(np.prod(kernel[:-1])), kernel[-1], inputs // groups, outputs))
    b = rng.standard_normal(outputs) if rng.random() < 0.6 else None
    return Asked(conv, to_float32(x), to_float32(w), None if b is None else to_float32(b))


OPS = (
    "conv1d",
    "conv2d",
    "conv2d",
    "conv3d",
    "conv1d_transpose",
    "conv2d_transpose",
    "conv3d_transpose",
    "dense",
)


def integers(asked: Asked, rng: Rng) -> Asked:
    """Return the same of small integers, none of them zero."""

    def like(values: Array) -> Array:
        return rng.integers(1, 10, values.shape) * rng.choice([-1.0, 1.0], values.shape)

    b = None if asked.b is None else like(asked.b)
    return Asked(asked.conv, like(asked.x), like(asked.w), b)


def by_name(asked: Asked, name: str) -> Fault | None:
    """Return the fault that convdiff calls so, as it is made here."""
    for fault in [*named(asked, np.random.default_rng(0)), *nothing_added()]:
        if fault.name == name and fault.part not in ("tap", "constant", "shift", "scaled"):
            return fault
    return _tap(name) or _constant(asked, name)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"-?\d+", text)]


def _tap(name: str) -> Fault | None:
    found = re.fullmatch(r"tap (\(.*?\)) \(.*?cin\) (is dropped|is counted twice) in (.*)", name)
    if found is None:
        return None
    tap = tuple(_numbers(found[1]))
    channels = _numbers(found[3]) or slice(None)

    def changed(asked: Asked) -> Asked:
        w = asked.w.copy()
        own = w.reshape(*asked.conv.kernel, *w.shape[2:])[(0,) * (asked.w.ndim - 1 - len(tap))]
        own[(*tap, channels)] *= 0.0 if found[2] == "is dropped" else 2.0
        return asked._replace(w=w)

    return Fault(name, "tap", changed)


def _constant(asked: Asked, name: str) -> Fault | None:
    everywhere = re.fullmatch(r"the constant (\S+) is added to all outputs", name)
    if everywhere:
        return Fault(name, "constant", after=lambda y, a: y + float(everywhere[1]))
    if not name.startswith("a constant is added: "):
        return None
    added = np.zeros(asked.w.shape[3])
    for value, channel in re.findall(r"(\S+) to output channel (\d+)", name):
        added[int(channel)] = float(value)
    return Fault(name, "constant", after=lambda y, a: y + added)
