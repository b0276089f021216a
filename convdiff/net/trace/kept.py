"""The activations of a pair, as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from convdiff.atomic import replacing
from convdiff.errors import ConvdiffError
from convdiff.net.trace.compared import keep
from convdiff.net.trace.layers import Tracing
from convdiff.net.trace.model import PairTrace
from convdiff.net.trace.observed import Key


def write_activations(tracing: Tracing, trace: PairTrace, folder: Path) -> None:
    """Write the activations of a pair, an .npz a side. Raises ConvdiffError."""
    names = [one.name for one in trace.layers if one.status != "unseen"]
    observed, pair = tracing.observed, trace.pair
    keep(observed, pair, names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for side, run in zip(("baseline", "candidate"), pair.runs, strict=True):
            arrays: dict[str, Any] = {name: observed.get(Key(run, name)) for name in names}
            with replacing(folder / f"{side}.npz") as path, path.open("wb") as file:
                np.savez(file, **arrays)
    except OSError as error:
        raise ConvdiffError(f"--keep {folder}: {error.strerror}") from None
