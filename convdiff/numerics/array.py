"""The type of an array, for annotations; docstrings say its shape and dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
