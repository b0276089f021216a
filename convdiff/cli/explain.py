"""`convdiff explain`: the summation orders of one output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.case.device import Device
from convdiff.cli.options import BUDGET, DEFAULT_FRAMEWORK, TIMEOUT, packed
from convdiff.cli.reports import COLOUR
from convdiff.cli.types import DEVICE, FRAMEWORKS, INDEX, KERNEL, VARIATION
from convdiff.errors import UNTESTED, ConvdiffError
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops import OPS, REFERENCE

if TYPE_CHECKING:
    from rich.console import Console

    from convdiff.case.model import Case
    from convdiff.explain_one import ElementReport
    from convdiff.lab.lab import Tell
    from convdiff.lab.session import Session

EPILOG = """\b
Example:
  convdiff explain
  convdiff explain cases/variable_padding.yaml --length 7 --index 0,0,2,0
  convdiff explain case.yaml --op manual --vary TF_ENABLE_ONEDNN_OPTS=0
  convdiff explain case.yaml --framework torch,jax
"""


OPTIONS = (
    click.Option(
        ["--length"], type=click.IntRange(min=1), help="Input width; default: the longest."
    ),
    click.Option(["--index"], type=INDEX, help="The element to draw; default: the first."),
    click.Option(
        ["--op"],
        type=click.Choice([*OPS, REFERENCE]),
        default=OPS[0],
        show_default=True,
        help="The convolution, or multiply + reduce_sum.",
    ),
    click.Option(
        ["--device"], type=DEVICE, default="cpu", show_default=True, help="cpu, gpu or gpu:N."
    ),
    click.Option(
        ["--framework"], type=FRAMEWORKS, envvar="CONVDIFF_FRAMEWORK", help="[default: tensorflow]"
    ),
    click.Option(["--kernel"], type=KERNEL, multiple=True, help="Your own convolution."),
    click.Option(["--threads"], type=click.IntRange(min=1), help="Intra-op threads."),
    click.Option(
        ["--vary"], type=VARIATION, multiple=True, help="Environment variable: NAME=VALUE."
    ),
    click.Option(["--python"], metavar="PATH", help="Interpreter of another environment."),
    BUDGET,
    TIMEOUT,
    COLOUR,
)


@dataclass(frozen=True)
class Asked:
    """Whose order is asked for, and how it is shown."""

    length: int | None
    index: tuple[int, ...] | None
    op: str
    device: Device
    framework: tuple[str, ...] | None
    kernel: tuple[str, ...]
    threads: int | None
    vary: tuple[tuple[str, tuple[str, ...]], ...]
    python: str | None
    budget: int
    timeout: float
    color: str

    def interpreters(self) -> list[Interpreter]:
        """Return the one that is to be started, or two. Raises ConvdiffError for more."""
        specs = (*(self.framework or ()), *self.kernel) or DEFAULT_FRAMEWORK
        pythons = [self.python] if self.python else []
        threads = [self.threads] if self.threads else []
        found = interpreters(specs, pythons, threads, self.vary)
        if len(found) > 2:
            raise ConvdiffError(
                f"explain looks at one runtime, or at two and why they differ; {len(found)} are "
                "named"
            )
        return found


@click.command("explain", params=[*OPTIONS], epilog=EPILOG)
@click.argument("case", required=False, type=click.Path(path_type=Path))
@packed("asked", OPTIONS, lambda values: Asked(**values))
def command(case: Path | None, asked: Asked) -> int:
    """Reveal the order in which each output was summed, replay it, and draw it.

    The order is read from probes of the same shapes, then replayed in NumPy on the case's own
    numbers and on random ones: it counts only for elements whose bits the replay gives. Exits 125
    where a runtime is missing or no element could be explained. With two runtimes, as in
    --framework torch,jax, the cause of their difference is told, too.
    """
    from convdiff.case.load import built_in_case, load_case
    from convdiff.case.override import vary
    from convdiff.cli.signals import stopped_by_signals
    from convdiff.lab.session import Session

    loaded = load_case(case) if case else built_in_case()
    chosen = vary(loaded, (asked.length or loaded.lengths[-1],), devices=(asked.device,))
    with Session(asked.interpreters(), asked.timeout) as session:
        session.start()
        from convdiff.case.arrays import refuse_too_big
        from convdiff.cli.progress import progress
        from convdiff.cli.streams import write_out
        from convdiff.report.console.screen import rendered

        refuse_too_big(chosen)
        with progress() as tell, stopped_by_signals(session):
            show, sides = _explained(chosen, session, asked, tell)
    write_out(rendered(show, asked.color))
    if session.signal:
        return 128 + session.signal
    explained = [one.explanation is not None and one.explanation.orders for one in sides]
    return 0 if all(explained) else UNTESTED


def _explained(
    case: Case, session: Session, asked: Asked, tell: Tell
) -> tuple[Callable[[Console], None], Sequence[ElementReport]]:
    """Return what prints the orders of one runtime, or of two and why they differ, and these."""
    from convdiff.explain_one import explain_one, explain_pair
    from convdiff.report.console.explain import print_explanation
    from convdiff.report.console.explain_pair import print_pair

    if len(session.interpreters) > 1:
        pair = explain_pair(case, session, asked.op, asked.index, asked.budget, tell)
        return partial(print_pair, found=pair), pair.sides
    one = explain_one(case, session, asked.op, asked.index, asked.budget, tell)
    return partial(print_explanation, found=one), [one]
