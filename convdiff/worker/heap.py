"""What the C library keeps of memory that was given back to it. Runs on Python 3.6."""

import contextlib
import ctypes


def give_back() -> None:
    """Let the system have memory that is free again, where the C library is glibc."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
