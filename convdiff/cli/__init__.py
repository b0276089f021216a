"""The command line: one small module a command, imported when that command is called."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from convdiff.cli.signals import EndedError, end_by_signals, ignore_signals
from convdiff.cli.streams import as_on_stderr, open_streams, silence, write_err, write_out
from convdiff.cli.usage import DEFAULTS, usage
from convdiff.errors import ENDED, SAME, SIGNALS, UNTESTED, CaseError, ConvdiffError, meant

COMMANDS = {
    "run": "Run cases: observe, compare, diagnose, print.",
    "sweep": "Run one case over a matrix of lengths, batches, threads, settings.",
    "init": "Write a new case file, commented, or of your own arrays.",
    "trace": "Say at which layers of a net a difference enters, and why.",
    "explain": "Reveal, replay and draw the summation orders of an output.",
    "cure": "Find what makes a case equal, by trying it, and what it costs.",
    "shrink": "Find the smallest case that still shows the difference.",
    "bisect": "Find the release, setting or size at which a case changes.",
    "inspect": "List a model file's layers, shapes and numbers.",
    "extract": "Write a case of one layer of a model file, with its real input.",
    "pad": "Find how far a net's input must be padded for the same bits.",
    "compare": "Compare two recordings, without running anything.",
    "show": "Render a recording as text.",
    "rule": "Say what a verdict, a cause or a refusal means, and what to do.",
    "runtimes": "List, check and remove the environments made for --requires.",
    "doctor": "Say what can be tested here: frameworks, devices, ISA, settings.",
    "schema": "Print the JSON Schema of a case file.",
}

CONFIGURED = ("run", "sweep", "trace", "explain", "shrink", "cure")
"""Commands whose options may stand in a pyproject.toml."""

EPILOG = """\b
Exit codes, the same for every command:
  0    everything compared is within `expect`
  1    drift
  2    bad usage, bad case file, bad recording, bad model
  125  could not test: a required runtime is missing or died,
       nothing was compared, or not all within --time
       (git bisect run skips 125)
  130  interrupted, 143 terminated, 129 hung up:
       what was done is shown
\b
Example:
  convdiff run cases/variable_padding.yaml
\b
Completion, for bash (zsh and fish alike), in ~/.bashrc:
  eval "$(_CONVDIFF_COMPLETE=bash_source convdiff)"
"""


class Commands(click.Group):
    """A group that imports a command's module only when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            if not ctx.resilient_parsing:
                ctx.fail(f"no such command {cmd_name!r}{meant(cmd_name, COMMANDS)}")
            return None
        module = importlib.import_module(f"convdiff.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; Ctrl-C ends it with a line (click would put an empty one before it)."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as end:
            raise click.exceptions.Exit(_ended(end)) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands,
    epilog=EPILOG,
    invoke_without_command=True,
    no_args_is_help=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--version", is_flag=True, help="Show the version; with -v Python and frameworks.")
@click.option("-v", "verbose", is_flag=True, hidden=True)
@click.pass_context
def convdiff(ctx: click.Context, version: bool, verbose: bool) -> None:
    """Say why the same convolution gives different bits.

    Runs a convolution on CPU and GPU, at other lengths, batches, threads, settings and versions,
    compares every bit, and says: rounding or bug, which side is right, and how to make it equal.
    """
    if version:
        from convdiff.cli.version import version_lines

        write_out("".join(f"{line}\n" for line in version_lines(verbose=verbose)))
        ctx.exit()
    if verbose:
        ctx.fail("-v goes with --version, or after a command")
    if ctx.invoked_subcommand in CONFIGURED:
        from convdiff.runtime.defaults import find_defaults

        ctx.meta[DEFAULTS], defaults = find_defaults(Path.cwd())
        ctx.default_map = {ctx.invoked_subcommand: defaults}


def main() -> None:
    """Run the program and exit with its code."""
    open_streams()
    end_by_signals()
    code = exit_code()
    ignore_signals()  # a late one can't change what was found
    if code > ENDED:
        # Python ends itself with SIGINT where a module's import was interrupted, whatever the
        # exit code; workers are gone and streams flushed by now.
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        os._exit(code)
    sys.exit(code)


def exit_code() -> int:
    """Run the program; whatever ends it becomes a line on stderr and an exit code."""
    try:
        code = convdiff.main(standalone_mode=False)
        write_out("")  # what is buffered goes now, where a reader that has gone is no error
    except KeyboardInterrupt as end:
        code = _ended(end)
    except click.exceptions.Abort as abort:  # what click makes of a KeyboardInterrupt
        code = _ended(abort.__cause__)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        code = _told(usage(error), error.exit_code)
    except CaseError as error:
        code = _told_of_cases(error)
    except ConvdiffError as error:
        code = _told(str(error), error.exit_code)
    except (BrokenPipeError, SystemExit):  # click makes the one the other: help that is not read
        silence(sys.stdout)
        code = SAME
    except OSError as error:  # a full disk, no more descriptors: nothing was tested
        silence(sys.stdout)
        code = _told(str(error), UNTESTED)
    except Exception:  # a bug of ours is not drift, which is what Python's own exit code 1 means
        traceback.print_exc()
        code = UNTESTED
    return code if isinstance(code, int) else SAME


def _ended(end: BaseException | None) -> int:
    """Say which signal ended it, and return its exit code."""
    number = end.number if isinstance(end, EndedError) else signal.SIGINT
    return _told(SIGNALS[number], ENDED + number)


def _told(message: str, code: int) -> int:
    """Print an error in one line and return its exit code."""
    write_err(f"convdiff: {message}")
    return code


def _told_of_cases(error: CaseError) -> int:
    """Print all errors of case files as compilers do and return their exit code."""
    from convdiff.case.excerpt import told

    for line in told(error, "convdiff: ", as_on_stderr):
        write_err(line)
    return error.exit_code
