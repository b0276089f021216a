"""The `convdiff` program; `python -m convdiff` is the same."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the program; Ctrl-C while it is imported ends it with a line, too."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _end)
    from convdiff.cli import main as run

    run()


def _end(number: int, _frame: object) -> None:
    """End where it stands: an exception would be lost, or told, by whatever is imported."""
    try:
        os.write(2, b"convdiff: interrupted\n")
    finally:
        os._exit(128 + number)


if __name__ == "__main__":
    main()
