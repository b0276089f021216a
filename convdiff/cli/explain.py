"""`convdiff explain`: the summation orders of one output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from convdiff.cli.options import DEFAULT_FRAMEWORK, DeviceType, FrameworksType, KernelType, VaryType
from convdiff.errors import UNTESTED, ConvdiffError
from convdiff.worker.ops import OPS, REFERENCE

EPILOG = """\b
Example:
  convdiff explain
  convdiff explain cases/variable_padding.yaml --length 7 --index 0,0,2,0
  convdiff explain case.yaml --op manual --vary TF_ENABLE_ONEDNN_OPTS=0
"""


class IndexType(click.ParamType[Any]):
    """A place in an NHWC output."""

    name = "N,H,W,C"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[int, ...]:
        """Parse four whole numbers."""
        if isinstance(value, tuple):
            return value
        parts = str(value).split(",")
        if len(parts) != 4 or not all(part.strip().isdigit() for part in parts):
            self.fail(f"{value!r} is not n,h,w,c", param, ctx)
        return tuple(int(part) for part in parts)


@click.command("explain", epilog=EPILOG)
@click.argument("case", required=False, type=click.Path(path_type=Path))
@click.option("--length", type=click.IntRange(min=1), help="Input width; default: the longest.")
@click.option("--index", type=IndexType(), help="The element to draw; default: the first.")
@click.option("--op", type=click.Choice([*OPS, REFERENCE]), default=OPS[0], show_default=True)
@click.option(
    "--device", type=DeviceType(), default="cpu", show_default=True, help="cpu, gpu or gpu:N."
)
@click.option("--framework", type=FrameworksType(), help="[default: tensorflow]")
@click.option("--kernel", type=KernelType(), multiple=True, help="Your own convolution.")
@click.option("--threads", type=click.IntRange(min=1), help="Intra-op threads.")
@click.option("--vary", type=VaryType(), multiple=True, help="Environment variable: NAME=VALUE.")
@click.option("--python", metavar="PATH", help="Interpreter of another environment.")
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    default=20_000,
    show_default=True,
    metavar="CALLS",
    help="Probe calls that may be spent.",
)
@click.option("--timeout", type=click.FloatRange(min=0.1), default=300.0, metavar="SECONDS")
@click.option("--color", type=click.Choice(["auto", "never", "always"]), default="auto")
def command(case: Path | None, length: int | None, color: str, **options: Any) -> int:
    """Reveal the order in which each output was summed, replay it, and draw it.

    The order is read from probes of the same shapes, then replayed in NumPy on the case's own
    numbers and on random ones: it counts only for elements whose bits the replay gives. Exits 125
    where the runtime is missing or no element could be explained.
    """
    from convdiff.case.load import built_in_case, load_case
    from convdiff.case.override import vary
    from convdiff.cli.signals import stopped_by_signals
    from convdiff.lab.session import Session
    from convdiff.runtime.matrix import interpreters

    loaded = load_case(case) if case else built_in_case()
    chosen = vary(loaded, lengths=(length or loaded.lengths[-1],), devices=(options["device"],))
    several = [name for name, values in options["vary"] if len(values) > 1]
    specs = [*(options["framework"] or ()), *options["kernel"]] or list(DEFAULT_FRAMEWORK)
    if several or len(specs) > 1:
        raise ConvdiffError("explain looks at one runtime: give --vary and --framework one value")
    pythons = [options["python"]] if options["python"] else []
    threads = [options["threads"]] if options["threads"] else []
    (interpreter,) = interpreters(specs, pythons, threads, options["vary"])
    with Session([interpreter], options["timeout"]) as session:
        session.start()
        from convdiff.case.arrays import refuse_too_big
        from convdiff.cli.progress import progress
        from convdiff.cli.screen import rendered
        from convdiff.cli.stdout import write_out
        from convdiff.explain_one import explain_one
        from convdiff.report.console.explain import print_explanation

        refuse_too_big(chosen)
        with progress() as tell, stopped_by_signals(session):
            found = explain_one(
                chosen, session, options["op"], options["index"], options["budget"], tell
            )
    write_out(rendered(lambda console: print_explanation(console, found), color))
    if session.signal:
        return 128 + session.signal
    return 0 if found.explanation is not None and found.explanation.orders else UNTESTED
