"""`convdiff extract`: one layer of a model as a case."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from convdiff.cli.files import refuse_unwritable
from convdiff.cli.inspect import MODEL
from convdiff.cli.options import TIMEOUT
from convdiff.cli.streams import write_out
from convdiff.cli.types import FRAMEWORKS
from convdiff.errors import SAME, UNTESTED, ConvdiffError, Place

if TYPE_CHECKING:
    from convdiff.net.models.extract import Extracted

EPILOG = """\b
Example:
  convdiff extract model.onnx --layer conv1 -o conv1.yaml
  convdiff extract model.keras --layer dense --input x.npy -o dense.yaml
"""
LAYER = click.Option(["--layer"], required=True, metavar="NAME", help="As inspect calls it.")
INPUT = click.Option(
    ["--input", "given"],
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="The model's input, as its file has it; drawn without one.",
)
OUTPUT = click.Option(
    ["-o", "--output"],
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="CASE",
    help="The case to write; its arrays lie beside it.",
)
FRAMEWORK = click.Option(
    ["--framework"],
    type=FRAMEWORKS,
    help="What runs the layers before it.  [default: the format's own]",
)
PYTHON = click.Option(
    ["--python"], multiple=True, metavar="PATH", help="Another environment's interpreter."
)


@click.command(
    "extract", params=[MODEL, LAYER, INPUT, OUTPUT, FRAMEWORK, PYTHON, TIMEOUT], epilog=EPILOG
)
def command(
    model: Path,
    layer: str,
    given: Path | None,
    output: Path,
    framework: tuple[str, ...] | None,
    python: tuple[str, ...],
    timeout: float,
) -> int:
    """Write a case of one layer of a MODEL: its filter, its bias, and the input that it really has.

    The layers before it are run, and the case is run once: it is said whether the layer alone gives
    the bits that it has in the net.
    """
    from convdiff.case.device import Device
    from convdiff.case.npy import array_shape, read_values
    from convdiff.lab.session import Session
    from convdiff.net.models.extract import extract, layer_of
    from convdiff.net.models.formats import format_of, read_model
    from convdiff.net.models.subject import refuse_shape
    from convdiff.runtime.matrix import interpreters
    from convdiff.runtime.model import Runtime

    refuse_unwritable({"--output": output})
    read = read_model(model)
    layer_of(read, layer)
    array = None
    if given is not None:
        refuse_shape(read, array_shape(given, None, Place(str(given))), str(given))
        array = read_values(given, None, Place(str(given)))
    row = format_of(model)
    asked = interpreters(framework or ((row.framework,) if row else ()), python, (), ())
    if len(asked) != 1:
        raise ConvdiffError("one framework and one interpreter run the layers")
    named = [one for one in asked[0].devices if isinstance(one, Device)]
    device = next(iter(named), Device("cpu"))
    with Session(asked, timeout) as session:
        session.start()
        runtime = Runtime(asked[0], device)
        return _told(extract(read, layer, array, output, runtime, session))


def _told(written: Extracted) -> int:
    named, _ = written.runtime.id_parts
    run = shlex.join(["convdiff", "run", str(written.case), "--framework", named])
    write_out(f"{written.case}: {written.layer}; next: {run}\n")
    if written.alone == "same":
        write_out(f"alone it gives the bits that it has in the net ({written.runtime.id})\n")
        return SAME
    if written.alone == "other":
        count = f"{written.differing:,} of {written.elements:,}"
        write_out(f"alone it gives other bits than in the net, {count} ({written.runtime.id})\n")
        return SAME
    write_out(f"it was not run alone: {written.reason}\n")
    return UNTESTED
