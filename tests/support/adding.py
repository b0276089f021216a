"""A kernel of five taps that adds them in the order that the environment asks for.

Its bits are the same on every machine, and so is what differs when ORDER=pairs. Tests copy it
beside their cases, for `--kernel adding:convolution`.
"""

import os


def convolution(x, w, b):
    width = x.shape[2] - w.shape[1] + 1
    products = [x[:, :, tap : tap + width] * w[0, tap] for tap in range(w.shape[1])]
    if os.environ.get("ORDER") == "pairs":
        total = ((products[0] + products[1]) + (products[2] + products[3])) + products[4]
    else:
        total = (((products[0] + products[1]) + products[2]) + products[3]) + products[4]
    return total if b is None else total + b
