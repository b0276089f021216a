"""What frameworks answer on one geometry's arrays: right, wrong, or refused with a reason."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from by_taps import by_taps
from geometries import Shape, integers

from convdiff.case.arrays import Tensors, numpy_dtype
from convdiff.lab.pool import Job, Pool
from convdiff.plan.cell import NoBits
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops.convolution import Convolution


@dataclass(frozen=True)
class Question:
    """One geometry with its arrays, and the right output, NHWC in float64."""

    conv: Convolution
    tensors: Tensors
    right: np.ndarray

    def job(self, spec: str, interpreter: Interpreter | None = None) -> Job:
        """Return it as work for one runtime, `torch:cpu+compiled` say, in this Python if none."""
        framework, _, device = spec.partition(":")
        batch, _, length, _ = self.tensors.input_nhwc.shape
        arrays = {"x": self.tensors.input_nhwc, "w": self.tensors.filter_hwio}
        if self.tensors.bias is not None:
            arrays["b"] = self.tensors.bias
        bias = "b" if "b" in arrays else None
        keys = {"x": "x", "w": "w", "b": bias, "length": length, "batch": batch}
        cell = {**keys, "op": self.conv.op, "device": device}
        runs = interpreter or Interpreter(framework, sys.executable)
        return Job(runs, self.conv._asdict(), arrays, [cell])

    def refusal(self, answer: np.ndarray | NoBits) -> str | None:
        """Return the reason where it was refused."""
        if not isinstance(answer, NoBits):
            return None
        assert not answer.died, f"{self.conv}: {answer.reason}"
        return answer.reason

    def fault(self, answer: np.ndarray, bound: np.ndarray | float = 0.0) -> str | None:
        """Return what is wrong with an output, None where it is right.

        bound: how far each element may be off; 0 for integers.
        """
        if not answer.size and not self.right.size:
            return None
        if answer.shape != self.right.shape:
            return f"its shape is {answer.shape}, and not {self.right.shape}"
        if self.conv.dtype == "bfloat16":  # travels as bits
            answer = answer.view(numpy_dtype("bfloat16"))
        if answer.dtype != numpy_dtype(self.conv.dtype):
            return f"its dtype is {answer.dtype}"
        off = np.abs(answer.astype(np.float64) - self.right)
        bad = int(np.count_nonzero(~(off <= bound)))
        return f"{bad} of {off.size} elements are off by up to {off.max():g}" if bad else None


def of_integers(conv: Convolution, shape: Shape, seed: int = 7, bias: bool = True) -> Question:
    """Return the question with small integers; every order of adding gives the same bits."""
    tensors = integers(conv, shape, seed, bias)
    return Question(conv, tensors, by_taps(conv, tensors))


def ask(
    pool: Pool, spec: str, questions: Sequence[Question], interpreter: Interpreter | None = None
) -> list[np.ndarray | NoBits]:
    """Return one runtime's answer to each question."""
    jobs = [question.job(spec, interpreter) for question in questions]
    answers = {number: result for number, _, result, _ in pool.observe(jobs)}
    return [answers[number] for number in range(len(jobs))]
