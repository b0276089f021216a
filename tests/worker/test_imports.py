"""A framework is imported without what it imports only because it is there, and all of it stays."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest
from asking import need

from convdiff.worker.imports import keeping, without

OPENED = """
import sys
from convdiff.worker.frameworks import tensorflow as ours

ours.open(None)
print([package for package in ("jax", "keras") if package in sys.modules])
import jax, tensorflow
print(tensorflow.keras.layers.Dense(2)(tensorflow.ones([1, 3])).shape)
"""


def test_tensorflow_brings_neither_keras_nor_jax_and_both_can_be_had(runs_framework: None) -> None:
    need("tensorflow", "jax")
    done = subprocess.run(
        [sys.executable, "-c", OPENED],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "[]\n(1, 2)\n", done.stderr


def test_a_package_is_hidden_only_meanwhile_and_never_one_that_is_imported() -> None:
    sys.modules.pop("colorsys", None)
    with without("colorsys", "json"):
        with pytest.raises(ModuleNotFoundError):
            __import__("colorsys")
        assert __import__("json") is sys.modules["json"]
    assert __import__("colorsys") is not None
    with pytest.raises(ZeroDivisionError), without("nosuch"):
        raise ZeroDivisionError
    assert "nosuch" not in sys.modules


def test_garbage_is_looked_for_again_whatever_happens() -> None:
    with pytest.raises(ZeroDivisionError), keeping():
        assert not gc.isenabled()
        raise ZeroDivisionError
    assert gc.isenabled()
