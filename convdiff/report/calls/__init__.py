"""How each framework is called in a script of its own, as the worker calls it: one file each.

Each has `text(conv, modes, version)`, which returns a function `convolve(x, w, b, a, threads)`, the
`MODES` that it has and the `WORDS` of padding that its framework takes. Arrays have the op's own
axes, N[[D]H]WC and [[kd]kh]kwIO; the bias and what is added may be None.
"""

PRODUCTS = ("dense",)
"""Ops that are matrix products."""
