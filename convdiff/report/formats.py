"""The formats of a report, a row each: the command line has an option for every one of them.

A new format is a row, and the module that it names, which has `render(summary) -> str`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from convdiff.report.summary import Summary


@dataclass(frozen=True)
class Format:
    """A format that can be asked for."""

    name: str
    """Of its option, and of its module in report/."""
    goes_to: Literal["file", "file or stdout", "log"]
    """`log` is what stands after the text on stdout."""
    help: str

    @property
    def option(self) -> str:
        """The option that asks for it."""
        return f"--{self.name}"

    def render(self, summary: Summary) -> str:
        """Return the report. Its module is imported now: most runs need few of them."""
        module = importlib.import_module(f"convdiff.report.{self.name}")
        render: Callable[[Summary], str] = module.render
        return render(summary)


FORMATS = (
    Format("json", "file or stdout", "Write the JSON report; - is stdout, instead of the text."),
    Format("junit", "file", "Write a JUnit XML report, for the test views of CI servers."),
    Format(
        "markdown",
        "file",
        "Write a report in GitHub's Markdown, below 1 MiB: $GITHUB_STEP_SUMMARY.",
    ),
    Format("github", "log", "Annotate the case files in a GitHub workflow's log."),
)
