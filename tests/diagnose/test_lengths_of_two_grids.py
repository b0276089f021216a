"""Safe lengths where `same` with a stride has two grids: each is held against its own longest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fake_lab import FakeLab
from findings import case_of, tensors
from kernels import CELL, direct
from program import convdiff

from convdiff.case.arrays import Tensors
from convdiff.diagnose.equal_orders import prove
from convdiff.diagnose.safe_lengths import safe_lengths
from convdiff.lab.kernel import data_of, geometry_of_cell
from convdiff.lab.lab import OFF, NotAsked
from convdiff.order.orders import Orders, orders_of
from convdiff.order.reveal.kernel import CallableKernel
from convdiff.plan.cell import Cell
from convdiff.plan.plan import Plan
from convdiff.worker.ops.convolution import Convolution

CASE = """
filter: {normal: 1, shape: [1, 3, 2, 2], seed: 1}
input: {normal: 1, shape: [1, 1, 14, 2], seed: 1}
padding: same
strides: [1, 2]
lengths: 7..14
"""


@pytest.mark.slow
def test_each_grid_has_a_longest_length_in_tables_sentences_and_json(tmp_path: Path):
    (tmp_path / "case.yaml").write_text(CASE, "utf-8")
    asked = ("sweep", "case.yaml", "--framework", "numpy:cpu", "-v", "--json", "r.json")
    ran = convdiff(*asked, cwd=tmp_path)
    assert "length, 7..11:2 against T=13, 8..12:2 against T=14" in ran.out
    words = " ".join(ran.out.split())
    assert "agree with T=13 or T=14, whichever windows start alike" in words
    (safe,) = json.loads((tmp_path / "r.json").read_text())["cases"][0]["safe_lengths"]
    assert (safe["longest"], safe["others"], safe["untested"]) == (14, [13], [])
    assert safe["proved"] == [7, 8, 9, 10, 11, 12]
    assert safe["lengths"] == [*safe["proved"], 14]


def test_what_is_proved_of_one_grid_takes_the_orders_of_its_own_longest_length():
    conv = Convolution((1, 3), 1, 1, (1, 2), padding="same")
    data = tensors(conv, (1, 1, 9, 1), 3, bias=False)
    case = replace(case_of(conv, data), lengths=(5, 6, 7, 8, 9), batches=(1,))

    class Lab(FakeLab):
        def orders(self, cell: Cell) -> Orders | NotAsked:
            if cell.length == 8:
                return OFF
            own = data_of(case, cell, data)
            kernel = CallableKernel(
                lambda x, w, b: direct(conv, Tensors(w, b, x)), geometry_of_cell(case, cell)
            )
            return orders_of(kernel, own, None, 1000)

    lab = Lab(data, lambda cell, own: direct(conv, own))
    equal = dict.fromkeys((5, 6, 7), True)
    found = safe_lengths(CELL.runtime.id, case.lengths, equal, 16, others=(8,))
    (safe,) = prove(Plan(case, (CELL.runtime,), (), ()), [found], lab)
    assert safe.proved == (5, 7), "nothing was revealed of length 8, with which 6 is compared"
