"""A pytest plugin: `pytest --convdiff` runs case files as tests, as `convdiff run` does.

Off unless an option or the ini file asks for it; until then nothing of convdiff is imported.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from convdiff.case.model import Case
    from convdiff.lab.session import Session
    from convdiff.result import Result


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --convdiff and what goes with it, on the command line and in the ini file."""
    group = parser.getgroup("convdiff", "convolutions whose bits must not change")
    on = "Run convdiff case files (*.yaml, *.yml) as tests"
    baseline = "Hold the cases against the baseline at PATH, too"
    python = "Run the cases in this interpreter instead; may be repeated to compare several"
    implied = "; implies --convdiff"
    group.addoption("--convdiff", action="store_true", help=on)
    group.addoption("--convdiff-baseline", metavar="PATH", help=baseline + implied)
    group.addoption("--convdiff-python", metavar="PATH", action="append", help=python + implied)
    parser.addini("convdiff", on, type="bool", default=False)
    parser.addini("convdiff_baseline", baseline, default="")
    parser.addini("convdiff_python", python, type="linelist", default=[])


def pytest_configure(config: pytest.Config) -> None:
    """Collect cases where that is asked for. Raises UsageError for what they can't run with."""
    asked = ("convdiff", "convdiff_baseline", "convdiff_python")
    if config.getini("convdiff") or any(config.getoption(name) for name in asked):
        config.pluginmanager.register(Cases(config), "convdiff-cases")


class Cases:
    """The hooks of a run that asks for cases, and the workers that all its cases share."""

    def __init__(self, config: pytest.Config) -> None:
        from convdiff.cli.options import Options
        from convdiff.cli.recordings import open_options_baseline
        from convdiff.errors import UNTESTED, ConvdiffError

        pythons, baselines = _paths(config, "convdiff_python"), _paths(config, "convdiff_baseline")
        baseline = Path(baselines[0]) if baselines else None
        self.options = Options(python=tuple(pythons), baseline=baseline)
        try:
            self.interpreters = self.options.interpreters()
            self.baseline = open_options_baseline(self.options)
        except ConvdiffError as error:
            message = str(error).replace("--python", "--convdiff-python")
            if error.exit_code == UNTESTED:  # pytest makes none
                made = f"convdiff run CASES --baseline {self.options.baseline} --update-baseline"
                message = f"no baseline at {self.options.baseline}; make one with: {made}"
            raise pytest.UsageError(message) from None
        self.session: Session | None = None

    def pytest_report_header(self) -> str:
        """Say that cases are collected, and where they run."""
        pythons, baseline = ", ".join(self.options.python), self.options.baseline
        against = f", against the baseline {baseline}" if baseline else ""
        return f"convdiff: cases run in {pythons or 'this interpreter'}{against}"

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> CaseFile | None:
        """Collect a case file; all other files are left alone."""
        from convdiff.case.detect import is_case_file

        if not is_case_file(file_path):
            return None
        return CaseFile.from_parent(parent, path=file_path, cases=self)

    def pytest_unconfigure(self) -> None:
        """End the workers."""
        self.close()

    def close(self) -> None:
        """End the workers; the next case starts others."""
        if self.session is not None:
            self.session.__exit__(None, None, None)
        self.session = None

    def failure(self, case: Case) -> str:
        """Run a case in the workers that all share; return why it fails, or nothing.

        Raises KeyboardInterrupt after Ctrl-C.
        """
        from convdiff.errors import SAME, ConvdiffError

        try:
            result = self._examined(case)
        except ConvdiffError as error:
            return f"could not test: {error}"
        if result.interrupted:
            raise KeyboardInterrupt
        return "" if result.exit_code == SAME else self._report(result)

    def _examined(self, case: Case) -> Result:
        from convdiff.lab.session import Session

        if self.session is None:
            self.session = Session(self.interpreters, self.options.timeout)
            self.session.start()  # before NumPy is imported here: they overlap
        from convdiff.case.arrays import refuse_too_big
        from convdiff.pipeline import Ask, run

        refuse_too_big(case)
        sound = False
        try:
            result = run([case], self.session, Ask(baseline=self.baseline))
            sound = not self.session.pool.deaths
            return result
        finally:
            if not sound:  # whatever became of the workers, the next case gets others
                self.close()

    def _report(self, result: Result) -> str:
        """Return what `convdiff run` prints, with the reason first where nothing was tested."""
        from convdiff.cli.commands import commands_of
        from convdiff.testing.failure import failure_text

        commands = [commands_of(case, self.options, "run") for case in result.cases]
        return failure_text(result, commands)


class CaseFile(pytest.File):
    """A case file, which holds one test."""

    def __init__(self, *, cases: Cases, **known: Any) -> None:
        super().__init__(**known)
        self.cases = cases

    def collect(self) -> Iterator[CaseItem]:
        """Yield the case. Raises CollectError, with all errors, for a file that is not sound."""
        from convdiff.case.excerpt import told
        from convdiff.cli.session import load_all
        from convdiff.errors import CaseError, ConvdiffError

        path, here = self.path, self.config.invocation_params.dir
        try:
            shown = path.relative_to(here) if path.is_relative_to(here) else path
            (case,) = load_all((shown,), self.cases.options)
        except CaseError as error:
            raise self.CollectError("\n".join(told(error))) from None
        except ConvdiffError as error:
            raise self.CollectError(str(error)) from None
        yield CaseItem.from_parent(self, name=case.name, case=case, cases=self.cases)


class CaseItem(pytest.Item):
    """A case as a test: it passes where `convdiff run` would exit with 0."""

    def __init__(self, *, case: Case, cases: Cases, **known: Any) -> None:
        super().__init__(**known)
        self.case, self.cases = case, cases

    def runtest(self) -> None:
        """Run the case. Fails with the report; warns where it expects something of no baseline."""
        if self.cases.baseline is None:
            self._warn_of_what_is_not_held()
        if text := self.cases.failure(self.case):
            pytest.fail(text, pytrace=False)

    def _warn_of_what_is_not_held(self) -> None:
        from convdiff.case.unheld import unheld_notes

        for message in unheld_notes(self.case, "--convdiff-baseline"):
            at = self.case.places["expect.baseline"]
            warnings.warn_explicit(message, pytest.PytestWarning, str(self.path), at.line)

    def reportinfo(self) -> tuple[os.PathLike[str], None, str]:
        """Return where the case is, and its name for the head of a report."""
        return self.path, None, self.name


def _paths(config: pytest.Config, name: str) -> list[str]:
    """Return an option's values, else the ini file's, whose paths start at the ini file."""
    given = config.getoption(name)
    if given:
        return _several(given)
    home = config.inipath.parent if config.inipath else config.invocation_params.dir
    words = []
    for word in filter(None, _several(config.getini(name))):
        is_path = os.sep in word or name.endswith("baseline")
        words.append(str(home / Path(word).expanduser()) if is_path else word)
    return words


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
