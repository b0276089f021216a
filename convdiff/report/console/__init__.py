"""The report that people read: the answer first, then why, then what to do; -v has all."""

from convdiff.report.console.brief import print_brief
from convdiff.report.console.run import print_run
from convdiff.report.console.sweep import print_brief_sweep, print_sweep

__all__ = ["print_brief", "print_brief_sweep", "print_run", "print_sweep"]
