"""`convdiff explain`: the summation orders of one output."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from convdiff.case.device import Device
from convdiff.cli.options import BUDGET, DEFAULT_FRAMEWORK, TIMEOUT, packed
from convdiff.cli.reports import COLOUR
from convdiff.cli.types import DEVICE, FRAMEWORKS, INDEX, KERNEL, VARIATION
from convdiff.errors import UNTESTED, ConvdiffError
from convdiff.runtime.matrix import interpreters
from convdiff.runtime.model import Interpreter
from convdiff.worker.ops import OPS, REFERENCE

EPILOG = """\b
Example:
  convdiff explain
  convdiff explain cases/variable_padding.yaml --length 7 --index 0,0,2,0
  convdiff explain case.yaml --op manual --vary TF_ENABLE_ONEDNN_OPTS=0
"""


OPTIONS = (
    click.Option(
        ["--length"], type=click.IntRange(min=1), help="Input width; default: the longest."
    ),
    click.Option(["--index"], type=INDEX, help="The element to draw; default: the first."),
    click.Option(["--op"], type=click.Choice([*OPS, REFERENCE]), default=OPS[0], show_default=True),
    click.Option(
        ["--device"], type=DEVICE, default="cpu", show_default=True, help="cpu, gpu or gpu:N."
    ),
    click.Option(["--framework"], type=FRAMEWORKS, help="[default: tensorflow]"),
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

    def interpreter(self) -> Interpreter:
        """Return the one that is to be started. Raises ConvdiffError where several are named."""
        several = any(len(values) > 1 for _, values in self.vary)
        specs = (*(self.framework or ()), *self.kernel) or DEFAULT_FRAMEWORK
        if several or len(specs) > 1:
            raise ConvdiffError(
                "explain looks at one runtime: give --vary and --framework one value"
            )
        pythons = [self.python] if self.python else []
        threads = [self.threads] if self.threads else []
        (interpreter,) = interpreters(specs, pythons, threads, self.vary)
        return interpreter


@click.command("explain", params=[*OPTIONS], epilog=EPILOG)
@click.argument("case", required=False, type=click.Path(path_type=Path))
@packed("asked", OPTIONS, lambda values: Asked(**values))
def command(case: Path | None, asked: Asked) -> int:
    """Reveal the order in which each output was summed, replay it, and draw it.

    The order is read from probes of the same shapes, then replayed in NumPy on the case's own
    numbers and on random ones: it counts only for elements whose bits the replay gives. Exits 125
    where the runtime is missing or no element could be explained.
    """
    from convdiff.case.load import built_in_case, load_case
    from convdiff.case.override import vary
    from convdiff.cli.signals import stopped_by_signals
    from convdiff.lab.session import Session

    loaded = load_case(case) if case else built_in_case()
    chosen = vary(loaded, (asked.length or loaded.lengths[-1],), devices=(asked.device,))
    with Session([asked.interpreter()], asked.timeout) as session:
        session.start()
        from convdiff.case.arrays import refuse_too_big
        from convdiff.cli.progress import progress
        from convdiff.cli.stdout import write_out
        from convdiff.explain_one import explain_one
        from convdiff.report.console.explain import print_explanation
        from convdiff.report.console.screen import rendered

        refuse_too_big(chosen)
        with progress() as tell, stopped_by_signals(session):
            report = explain_one(chosen, session, asked.op, asked.index, asked.budget, tell)
    write_out(rendered(lambda console: print_explanation(console, report), asked.color))
    if session.signal:
        return 128 + session.signal
    return 0 if report.explanation is not None and report.explanation.orders else UNTESTED
