"""`convdiff run`: the cases as they are written."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from convdiff.cli.complete import CASES, files
from convdiff.cli.grouped import Grouped
from convdiff.cli.options import MATRIX_OPTIONS, Options, matrix_options

EPILOG = """\b
Example:
  convdiff run cases/variable_padding.yaml
  convdiff run cases/ --json report.json
  convdiff run case.yaml --python ../old-env/bin/python
  convdiff run cases/ --baseline baseline/ --junit report.xml
  convdiff run cases/ --time 300
  convdiff run case.yaml net.yaml model.onnx
"""


@click.command("run", cls=Grouped, params=[*MATRIX_OPTIONS], epilog=EPILOG)
@click.argument(
    "cases",
    nargs=-1,
    type=click.Path(path_type=Path),
    metavar="[CASE]...",
    shell_complete=files(*CASES),
)
@matrix_options
def command(cases: tuple[Path, ...], options: Options) -> int:
    """Run cases: observe, compare, diagnose, print.

    CASE is a case file, or a folder of them; without one, the built-in case runs: a convolution
    whose first outputs changed with the input's length. Nets and model files are traced, and
    counted with the cases; alone each is `convdiff trace`.
    """
    from convdiff.cli.session import load_with_nets, run_session
    from convdiff.cli.trace import traced

    code = traced(cases[0], options) if len(cases) == 1 else None
    if code is not None:
        return code
    whole = any(path.is_dir() for path in cases)
    loaded, nets = load_with_nets(cases, options)
    for folder in filter(Path.is_dir, cases):
        _tell_of_models(folder)
    return run_session(loaded, options, "run", whole=whole, nets=nets)


def _tell_of_models(folder: Path) -> None:
    """Say which model files lie beside a folder's cases and are not run with them."""
    from convdiff.case.words import few
    from convdiff.cli.complete import MODELS
    from convdiff.cli.streams import write_err

    models = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in MODELS]
    if models:
        names = few([path.name for path in models])
        asked = shlex.join(["convdiff", "run", str(folder), str(models[0])])
        text = "not run, since a folder is its .yaml cases; name a model beside it"
        write_err(f"convdiff: {folder}: {names}: {text}: {asked}")
