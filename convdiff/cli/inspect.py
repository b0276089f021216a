"""`convdiff inspect`: a model file's layers."""

from __future__ import annotations

import json as text
from pathlib import Path

import click

from convdiff.cli.complete import MODELS, files
from convdiff.cli.doctor import JSON
from convdiff.cli.files import refuse_unwritable, write_atomically
from convdiff.cli.reports import STDOUT
from convdiff.cli.streams import write_out

EPILOG = """\b
Example:
  convdiff inspect model.onnx
  convdiff inspect model.keras --json
"""
MODEL = click.Argument(
    ["model"], type=click.Path(path_type=Path), metavar="MODEL", shell_complete=files(*MODELS)
)


@click.command("inspect", params=[MODEL, JSON], epilog=EPILOG)
def command(model: Path, json: Path | None) -> int:
    """List a MODEL's layers, shapes and numbers: .onnx, .keras, .h5, .tflite, .pt2, SavedModel.

    It is read as data: nothing of it is imported or run, and no framework is needed. What is no
    layer of convdiff is marked, with the reason.
    """
    from convdiff.net.models.formats import read_model
    from convdiff.report.model import model_json, model_lines

    files = {} if json in (None, STDOUT) else {"--json": json}
    refuse_unwritable(files)
    read = read_model(model)
    whole = text.dumps(model_json(read), indent=2, ensure_ascii=False) + "\n"
    for option, path in files.items():
        write_atomically(option, path, whole)
    write_out(whole if json == STDOUT else "".join(f"{one}\n" for one in model_lines(read)))
    return 0
