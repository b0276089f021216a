"""The report that people read: the answer first, then the table, then why, then what to do."""

from convdiff.report.console.run import print_run
from convdiff.report.console.sweep import print_sweep

__all__ = ["print_run", "print_sweep"]
