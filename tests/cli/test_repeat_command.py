"""The last line of a report: a command that a shell reads back as what was asked."""

from __future__ import annotations

import shlex
from dataclasses import fields, replace
from pathlib import Path

import click
import pytest
from made import drifted

from convdiff.case.load import built_in_case
from convdiff.case.override import vary
from convdiff.cli.cure import command as cure
from convdiff.cli.options import Options, options_of
from convdiff.cli.repeat import repeat_command, search_words
from convdiff.cli.run import command as run
from convdiff.cli.shrink import command as shrink
from convdiff.plan.cell import Failure
from convdiff.report.formats import FORMATS
from convdiff.result import CaseResult

ODD = Path("my cases/it's $HOME; #1.yaml")

ASKED = [
    [],
    ["--batch", "1,8", "--threads", "1,2"],
    ["--device", "cpu,gpu:1", "--require", "gpu"],
    ["--vary", "TF_ENABLE_ONEDNN_OPTS=1,0", "--vary", "EMPTY=,a b"],
    ["--python", "/old env/bin/python", "--python", "this", "--strict", "--whole"],
    ["--requires", "tensorflow==2.12.*", "--requires", "torch<2", "--exclude-newer", "2023-01-01"],
]
NOT_REPEATED = {"lengths", "timeout", "explain", "budget", "reports"}


def parsed(words: list[str]) -> tuple[tuple[Path, ...], Options]:
    """Return the cases and options that `convdiff run WORDS` would get."""
    values = dict(run.make_context("run", words).params)
    cases = values.pop("cases")
    return cases, options_of(values)


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
def test_what_was_asked_is_asked_again(words: list[str]):
    _, options = parsed(words)
    case = replace(vary(built_in_case(), batches=options.batch), file=str(ODD), built_in=False)
    result = CaseResult(case, "ok", (), (), (), None, ())
    line = repeat_command(result, options, "run")
    program, name, *again = shlex.split(line)
    assert (program, name) == ("convdiff", "run")
    cases, repeated = parsed(again)
    assert cases == (ODD,)
    assert repeated.lengths is None
    for field in fields(Options):
        if field.name not in NOT_REPEATED:
            assert getattr(repeated, field.name) == getattr(options, field.name)


@pytest.mark.parametrize("words", ASKED, ids=" ".join)
@pytest.mark.parametrize("command", [cure, shrink], ids=lambda one: one.name)
def test_searches_are_given_all_that_says_what_is_run(words: list[str], command: click.Command):
    _, options = parsed([*words, "--lengths", "7..9"])
    case = replace(vary(built_in_case(), batches=options.batch), file=str(ODD), built_in=False)
    text = search_words(CaseResult(case, "ok", (), (), (), None, ()), options)
    given = command.make_context(command.name, shlex.split(text)).params
    assert given["case"] == ODD
    for name in ("lengths", "batch", "threads", "device", "vary", "python", "require"):
        assert given[name] == getattr(options, name), name


def test_the_built_in_case_has_no_file_to_name():
    _, options = parsed([])
    result = CaseResult(built_in_case(), "ok", (), (), (), None, ())
    assert repeat_command(result, options, "sweep") == "convdiff sweep"


@pytest.mark.parametrize("lengths", [(9,), (7, 9), (7, 8, 9)])
def test_lengths_are_named_where_they_are_asked_for_or_are_not_all_of_the_cases(lengths):
    case = replace(built_in_case(), lengths=lengths)
    result = CaseResult(case, "drift", (), (drifted(7),), (), None, ())
    _, options = parsed([])
    named = "" if lengths == (7, 9) else " --lengths 7,9"
    assert repeat_command(result, options, "run") == f"convdiff run{named}"
    _, options = parsed(["--lengths", "7,9"])
    assert repeat_command(result, options, "run") == "convdiff run --lengths 7,9"


def test_the_only_length_of_a_case_is_not_named():
    finding = drifted(9)
    _, options = parsed([])
    case = replace(built_in_case(), lengths=(9,))
    result = CaseResult(case, "drift", (), (finding,), (), None, ())
    assert repeat_command(result, options, "run") == "convdiff run"


def test_where_a_worker_died_its_lengths_are_repeated():
    case = replace(built_in_case(), lengths=(6, 7, 8, 9))
    dead = [Failure(drifted(length).comparison.candidate, "killed", True) for length in (7, 7, 6)]
    told = Failure(drifted(8).comparison.candidate, "refused", False)
    result = CaseResult(case, "untested", (), (), (), None, (*dead, told), died=True)
    _, options = parsed([])
    assert repeat_command(result, options, "run") == "convdiff run --lengths 6,7,9"
    of_a_probe = replace(result, failures=(told,))
    assert repeat_command(of_a_probe, options, "run") == "convdiff run"


def test_the_options_of_the_two_commands_are_the_same():
    from convdiff.cli.sweep import command as sweep

    def options(command: click.Command) -> set[str]:
        return {p.name for p in command.params if isinstance(p, click.Option) and p.name}

    named = {field.name for field in fields(Options)} - {"reports"}
    reports = {row.name for row in FORMATS} | {"color", "verbose", "quiet", "show_all"}
    assert options(run) == options(sweep) == named | reports
