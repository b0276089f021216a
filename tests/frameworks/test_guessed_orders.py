"""What is guessed of a real kernel's order and confirmed is what revealing it gives."""

from __future__ import annotations

from pathlib import Path

import pytest
from asking import need
from soak import WHOLE

from convdiff.case.device import Device
from convdiff.case.load import load_case
from convdiff.lab.kernel import WorkerKernel
from convdiff.lab.pool import Pool
from convdiff.order.reveal.budget import BudgetedKernel
from convdiff.order.reveal.confirm import confirm
from convdiff.order.reveal.fma_probes import mark_fused
from convdiff.order.reveal.guess import guess
from convdiff.order.reveal.mask_probes import Site
from convdiff.order.reveal.refusal import RefusedError
from convdiff.order.reveal.reveal import reveal_tree
from convdiff.order.tree.notation import notation
from convdiff.order.tree.tree import Tree
from convdiff.plan.cell import Cell
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.model import Runtime

SHAPES = {
    "1x211 at one position": ((1, 211, 1, 1), (1, 211), False),
    "1x1009 to 4 channels at four": ((1, 1009, 1, 4), (1, 1012), False),
    "1x211 at nine, with a bias": ((1, 211, 1, 1), (1, 219), True),
    "14x15, windows": ((14, 15, 1, 1), (14, 15), False),
    "3x3, 48 to 2 channels": ((3, 3, 48, 2), (5, 5), False),
    "1x5, 64 channels": ((1, 5, 64, 1), (1, 24), True),
}

RUNTIMES = {
    "tensorflow": (),
    "tensorflow, oneDNN off": (("TF_ENABLE_ONEDNN_OPTS", ("0",)),),
    "torch": (),
    "jax": (),
    "onnxruntime": (),
    "numpy": (),
}


def kernel_of(pool: Pool, runtime: str, shape: str, folder: Path) -> BudgetedKernel:
    filter_shape, (height, width), bias = SHAPES[shape]
    framework = runtime.split(",", maxsplit=1)[0]
    text = f"""
filter: {{normal: 0.1, shape: {list(filter_shape)}, seed: 1}}
input: {{normal: 1, shape: [1, {height}, {width}, {filter_shape[2]}], seed: 2}}
lengths: [{width}]
"""
    if bias:
        text += f"bias: {{normal: 0.1, shape: [{filter_shape[3]}], seed: 3}}\n"
    path = folder / "case.yaml"
    path.write_text(text, "utf-8")
    threads = [] if framework == "jax" else [2]  # of which it takes no number
    (interpreter,) = interpreters([framework], [], threads, RUNTIMES[runtime])
    cell = Cell(Runtime(interpreter, Device("cpu")), "conv2d", width, 1)
    return BudgetedKernel(WorkerKernel(load_case(path), cell, pool, lambda calls: None), 20_000)


def accepted(kernel: BudgetedKernel) -> Tree | None:
    site = Site.at(kernel, 0, 0)
    try:
        for tree in guess(kernel, site):
            confirm(kernel, site, tree)
            return tree
    except RefusedError as error:
        assert error.refusal.kind != "failed", error
    return None


def shapes_of(runtime: str) -> list[str]:
    """Return the shapes to ask a runtime for; in the suite each has another one."""
    every = list(SHAPES)
    own = list(RUNTIMES).index(runtime)
    return every if WHOLE else every[own : own + 1]


@pytest.mark.soak
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_accepted_guess_is_the_revealed_order(
    runtime: str, runs_framework: None, tmp_path: Path
) -> None:
    need(runtime.split(",", maxsplit=1)[0])
    guessed = 0
    with Pool(timeout=120) as pool:
        for shape in shapes_of(runtime):
            kernel = kernel_of(pool, runtime, shape, tmp_path)
            tree = accepted(kernel)
            if tree is None:
                continue
            guessed += 1
            site = Site.at(kernel, 0, 0)
            revealed = mark_fused(kernel, site, reveal_tree(kernel, site))
            assert notation(tree) == notation(revealed), shape
    if runtime == "numpy":  # the loop that the worker writes out
        assert guessed == len(shapes_of(runtime))
