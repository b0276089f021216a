"""The options of `convdiff explain`, and what they mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from convdiff.cli.files import refuse_unwritable
from convdiff.cli.options import BUDGET, TIME, TIMEOUT, Options, options_of, values_of
from convdiff.cli.renamed import lengths
from convdiff.cli.reports import COLOUR, STDOUT
from convdiff.cli.shared import shared
from convdiff.cli.types import INDEX, OP, RANGE
from convdiff.errors import ConvdiffError
from convdiff.worker.ops import REFERENCE

if TYPE_CHECKING:
    from convdiff.case.model import Case
    from convdiff.explaining.model import Index
    from convdiff.explaining.one import Wanted

WIDTH = click.IntRange(1, 10**9)
WHAT = (
    lengths(type=RANGE, help="Input width, or two, as in 7,9; default: the longest."),
    click.Option(
        ["--against"],
        type=WIDTH,
        metavar="LENGTH",
        help="Another width, as a second of --lengths: why its outputs have other bits.",
    ),
    click.Option(
        ["--index"],
        type=INDEX,
        help="The element to draw; default: the first that differs, of one output the farthest"
        " from exact. Of a case with `layout: nchw` it is N,C,H,W.",
    ),
    click.Option(
        ["--op"],
        type=OP,
        metavar="OP",
        help="The convolution, or multiply + reduce_sum; default: the case's own op.",
    ),
)
WHERE = (
    shared("batch", "Batch size, or two; default: the largest."),
    shared("threads", "Intra-op threads, or two counts: 1,4."),
    shared("device", "Device, or two; default: the case's first."),
    shared("framework", "Framework, or two, as in torch,jax.  [default: tensorflow]"),
    shared("kernel", "Your own convolution, or two."),
    shared("vary", "Environment variable and its value; NAME=A,B are two runtimes."),
    shared("python", "Interpreter of another environment; two of them are two runtimes."),
    BUDGET,
    TIMEOUT,
    TIME,
    COLOUR,
)
HOW = (
    click.Option(["--all", "whole"], is_flag=True, help="Draw all terms, however many."),
    click.Option(
        ["--depth"],
        type=WIDTH,
        metavar="N",
        help="Draw N levels of sums, from the result down; default: what fits a screen.",
    ),
    click.Option(
        ["--json"],
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        metavar="FILE|-",
        help="Write the orders and the element's sums as JSON.",
    ),
    click.Option(
        ["--dot"],
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="Write the element's tree for Graphviz.",
    ),
)
OWN = (*WHAT, *HOW)
OPTIONS = (*WHAT, *WHERE, *HOW)


@dataclass(frozen=True)
class Asked:
    """Whose order is asked for, and how it is shown."""

    options: Options
    lengths: tuple[int, ...] | None
    against: int | None
    index: tuple[int, ...] | None
    op: str | None
    whole: bool
    depth: int | None
    json: Path | None
    dot: Path | None

    @property
    def _against(self) -> tuple[int, ...]:
        return () if self.against is None else (self.against,)

    @property
    def json_on_stdout(self) -> bool:
        """Whether JSON replaces the text."""
        return self.json == STDOUT

    def refuse(self) -> None:
        """Raise ConvdiffError before any work for what can't go together or be written."""
        if self.whole and self.depth is not None:
            raise ConvdiffError("--all draws every level: it goes without --depth")
        named = {"--json": None if self.json_on_stdout else self.json, "--dot": self.dot}
        refuse_unwritable({option: path for option, path in named.items() if path is not None})

    def case(self, loaded: Case) -> Case:
        """Return the case with what is asked for; its numbers are those of a `run` of it.

        Raises ConvdiffError for lengths and batches that it does not have.
        """
        from convdiff.case.override import vary

        lengths = {*loaded.lengths, *(self.lengths or ()), *self._against}
        batches = {*loaded.batches, *(self.options.batch or ())}
        devices = self.options.device or loaded.devices[:1]
        return vary(loaded, tuple(sorted(lengths)), tuple(sorted(batches)), devices)

    def wanted(self, loaded: Case) -> Wanted:
        """Return which outputs are asked for, what they are held against first."""
        from convdiff.explaining.one import Wanted

        asked = tuple(sorted(self.lengths or loaded.lengths[-1:], reverse=True))
        if self.against in asked:
            raise ConvdiffError(f"--against {self.against}: the length itself; name another")
        lengths = (*self._against, *asked)
        batches = tuple(sorted(self.options.batch or loaded.batches[-1:], reverse=True))
        return Wanted(self._op(loaded), lengths, batches, self._index(loaded))

    def _op(self, loaded: Case) -> str:
        """Return the op that is asked for, the case's own by default. Raises ConvdiffError."""
        own = loaded.conv.op
        if self.op in (None, own) or self.op == REFERENCE:
            return self.op or own
        raise ConvdiffError(f"--op {self.op}: the case's own op is {own}")

    def _index(self, loaded: Case) -> Index | None:
        """Return the index in NHWC; it is given as the case's arrays lie."""
        if self.index is None:
            return None
        order = loaded.output_order
        shown = ",".join(map(str, self.index))
        if len(self.index) != len(order.name):
            raise ConvdiffError(f"--index {shown}: an element of this case is {order.letters}")
        n, h, w, c = order.unplaced(self.index)
        if order.placed((n, h, w, c)) != self.index:
            raise ConvdiffError(f"--index {shown}: there are {order.high} rows a plane")
        return n, h, w, c


def asked_of(values: Mapping[str, Any]) -> Asked:
    """Return what the values of OPTIONS, by name, ask for."""
    where = options_of(values_of(WHERE, values))
    return Asked(where, **values_of(OWN, values))
