"""Imports a framework and what it needs, no more, and without pauses. Runs on Python 3.6."""

import gc
import sys
from contextlib import contextmanager
from typing import Any, Dict, Iterator


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Import as where these packages are not installed; afterwards they can be imported.

    TensorFlow imports Keras for its optimizers and JAX for its converter, if it finds them: a
    quarter of its own time, and no convolution needs them.
    """
    hidden: Dict[str, Any] = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


@contextmanager
def keeping() -> Iterator[None]:
    """Look for no garbage while modules are imported, and never among what they made.

    What an import makes stays; to look through it over and over takes a fifth of its time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        getattr(gc, "freeze", int)()  # Python 3.6 has none
        if was_enabled:
            gc.enable()
