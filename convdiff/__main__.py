"""The `convdiff` program; `python -m convdiff` is the same."""

from __future__ import annotations

import os
import signal


def main() -> None:
    """Run the program; Ctrl-C while it is imported is no traceback, either."""
    try:
        from convdiff.cli import main as run
    except KeyboardInterrupt:
        os._exit(128 + signal.SIGINT)
    run()


if __name__ == "__main__":
    main()
