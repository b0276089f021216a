"""The table of formats: a row is all that the command line asks of a new one."""

from __future__ import annotations

from pathlib import Path

import made
import pytest

from convdiff.case.load_net import load_net
from convdiff.cli import reports
from convdiff.cli.options import Options
from convdiff.cli.reports import Reports
from convdiff.cli.trace import trace_net
from convdiff.cli.traced import TraceOptions
from convdiff.errors import ConvdiffError
from convdiff.report.commands import Commands
from convdiff.report.formats import FORMATS, Format

NAMES = Format("names", "file or stdout", "Write the cases' names.")


@pytest.fixture(autouse=True)
def _row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "FORMATS", (*FORMATS, NAMES))
    rendered = lambda self, summary: f"{self.name}: {[case.name for case in summary.cases]}\n"  # noqa: E731
    monkeypatch.setattr(Format, "render", rendered)


def write(**asked: Path | bool) -> None:
    result = made.FINE["same"]
    Reports(asked).write(result, [Commands("convdiff run")] * len(result.cases))


def test_a_row_is_an_option():
    option = reports._option(NAMES)
    assert (option.name, option.opts, option.metavar) == ("names", ["--names"], "FILE|-")
    assert option.help == NAMES.help


def test_a_file_is_written_beside_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write(names=tmp_path / "names.txt")
    assert (tmp_path / "names.txt").read_text() == "names: ['made']\n"
    assert capsys.readouterr().out.startswith("OK ")


def test_stdout_is_for_one_format_instead_of_the_text(capsys: pytest.CaptureFixture[str]):
    write(names=Path("-"), github=True)
    shown = capsys.readouterr()
    assert shown.out == "names: ['made']\n"
    assert shown.err == "github: ['made']\n"
    with pytest.raises(ConvdiffError, match="--json and --names: only one can have stdout"):
        Reports({"json": Path("-"), "names": Path("-")}).refuse()


def test_a_file_that_cannot_be_written_is_refused_by_its_option(tmp_path: Path):
    with pytest.raises(ConvdiffError, match=r"--names .*does not exist"):
        Reports({"names": tmp_path / "none" / "names.txt"}).refuse()


def test_a_net_is_written_in_every_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    net = tmp_path / "net.yaml"
    net.write_text("input: {ramp: 1}\nlengths: [4, 5]\nlayers: [conv2d: {filter: [1.0, 2.0]}]\n")
    for asked in (tmp_path / "names.txt", Path("-")):
        reports = Reports({"names": asked, "github": True})
        options = Options(framework=("numpy",), reports=reports)
        assert trace_net(load_net(net), options, TraceOptions()) == 0
    assert (tmp_path / "names.txt").read_text() == "names: []\n"
    shown = capsys.readouterr()
    assert shown.out.startswith("OK net") and shown.out.endswith("github: []\nnames: []\n")
    assert shown.err == "github: []\n"
