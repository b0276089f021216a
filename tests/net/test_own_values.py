"""What a file gives in one step: nothing is run for that is not asked for."""

from __future__ import annotations

import numpy as np

from convdiff.net.models.marked import Marked, Value
from convdiff.net.models.own_values import Step, Values, compared, identity

ARRAYS = {"a": np.arange(6, dtype="float32"), "b": np.ones(3, "float32")}


class Side:
    """A side with two values, and one that one side alone has; it counts what is run for."""

    def __init__(self, **arrays):
        self.arrays, self.asked = {**ARRAYS, **arrays}, []
        values = tuple(Value(name, name, "Relu", (), name) for name in self.arrays)
        self.marked = Marked(b"", values, (), ("b",))

    def digests(self, inputs, names):
        return [identity(self.arrays[name]) for name in names]

    def bits(self, inputs, names):
        self.asked += names
        return [self.arrays[name] for name in names]


def step_of(side: Side) -> Step:
    return Step({}, Values(side, {}), {}, {}, frozenset())


def test_what_is_the_same_is_not_run_for():
    one, other = Side(c=ARRAYS["b"]), Side()
    step = compared(step_of(one), step_of(other), ARRAYS)
    assert step.elements == {"a": 6, "b": 3}
    assert not step.differing
    assert one.asked == other.asked == []


def test_what_differs_is_run_for_once():
    one, other = Side(), Side(a=ARRAYS["a"] + 1)
    step = compared(step_of(one), step_of(other), ARRAYS)
    assert step.differing == {"a": 6}
    assert one.asked == other.asked == ["a"]
