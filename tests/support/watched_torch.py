"""convdiff's PyTorch in this process, and the tensors that it hands to PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
from asking import need


@pytest.fixture(scope="module")
def torch() -> Any:
    """Return the module of the worker that knows PyTorch."""
    need("torch")
    from convdiff.worker.frameworks import torch as module

    return module


def watched(torch: Any) -> tuple[Any, list[tuple[Any, ...]]]:
    """Return the framework, and what it will have called PyTorch's eager op with, in turn."""
    framework, calls = torch.open(None), []
    eager = framework.eager

    def call(*arguments: Any) -> Any:
        calls.append(arguments)
        return eager(*arguments)

    framework.eager = call
    return framework, calls


def strides(call: tuple[Any, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return in what strides the input and the filter of a call lie, in elements."""
    return call[0].stride(), call[1].stride()
