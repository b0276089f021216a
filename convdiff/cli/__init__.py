"""The command line: one small module a command, imported when that command is called."""

from __future__ import annotations

import importlib
import os
import sys

import click

from convdiff import __version__
from convdiff.errors import INTERRUPTED, ConvdiffError

COMMANDS = {
    "run": "Run cases: observe, compare, diagnose, print.",
    "sweep": "Run one case over a matrix of lengths, batches, threads, settings.",
    "doctor": "Say what can be tested here: frameworks, devices, ISA, settings.",
    "schema": "Print the JSON Schema of a case file.",
}

EPILOG = """\b
Exit codes, the same for every command:
  0    everything compared is within `expect`
  1    drift
  2    bad usage, bad case file, bad recording
  125  could not test: a required runtime is missing or died,
       or nothing was compared (git bisect run skips 125)
  130  interrupted
\b
Example:
  convdiff run cases/variable_padding.yaml
"""


class Commands(click.Group):
    """A group that imports a command's module only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"convdiff.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, prog_name="convdiff")
def convdiff() -> None:
    """Say why the same convolution gives different bits.

    Runs a convolution on CPU and GPU, at other lengths, batches, threads, settings and versions,
    compares every bit, and says: rounding or bug, which side is right, and how to make it equal.
    """


def main() -> None:
    """Run the program and exit with its code."""
    try:
        code = convdiff.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ConvdiffError as error:
        click.echo(f"convdiff: {error}", err=True)
        code = error.exit_code
    except KeyboardInterrupt:
        click.echo("convdiff: interrupted", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        code = 0
        silence_stdout()
    sys.exit(code if isinstance(code, int) else 0)


def silence_stdout() -> None:
    """Point stdout nowhere, so that the interpreter's last flush finds no closed pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
