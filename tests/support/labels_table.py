"""Prints what labelled kernels are called, by kind, as the table of docs/labels.md.

python tests/support/labels_table.py [COUNT [any]]: of VALID conv2d, or of any op and padding
"""

from __future__ import annotations

import multiprocessing
import sys
from collections import Counter
from functools import partial

from labelled import drawn, drawn_of_any
from labels_judged import Drawn, outcome_of

COLUMNS = ("named", "same numbers", "unnamed", "named wrongly", "rounding", "precision")
"""Of faults; any other verdict is counted as `other`."""
PARTS = {
    "steps": "strides, dilations, padding, output padding",
    "input": "the input's memory, place, channels, groups",
    "filter": "the filter flipped, transposed, its channels, its memory",
    "tap": "a tap dropped or counted twice",
    "bias": "the bias missing, twice, half, subtracted",
    "products": "the products scaled, the bias not",
    "scaled": "the weights scaled, and rounded",
    "values": "an activation, a factor",
    "output": "the output's memory, transposed, its channels",
    "shift": "the output shifted",
    "constant": "a constant added",
}

OF = {False: drawn, True: drawn_of_any}
Told = tuple[str, str, str]
"""Kind, row of the table, what was said."""


def told(of: Drawn, number: int) -> Told:
    """Judge one kernel; what is not as it should be is printed on stderr."""
    one = outcome_of(number, of)
    made = one.made
    row = made.label[0]
    if made.kind == "named":
        row = PARTS[made.faults[0].part]
    elif made.kind != "arithmetic":
        row = ROWS[made.kind]
    if one.said not in ("right", "named", "same numbers", "unnamed"):
        print(number, one.said, made.label, one.finding.fits, file=sys.stderr, flush=True)
    if made.kind == "arithmetic" and one.said == "right":
        return made.kind, row, one.finding.verdict
    return made.kind, row, one.said


ROWS = {
    "two named": "two of the faults above at once",
    "other": "16 faults that have no name, at drawn places",
    "two others": "two of those at once",
}


def main(count: int, of: Drawn) -> None:
    """Judge so many kernels in all processes there are and print the table."""
    counts: Counter[Told] = Counter()
    with multiprocessing.Pool() as pool:
        for done, one in enumerate(
            pool.imap_unordered(partial(told, of), range(count), chunksize=20), 1
        ):
            counts[one] += 1
            if done % 1000 == 0:
                print(f"{done:,} of {count:,}", file=sys.stderr, flush=True)
    print_arithmetic({key[1:]: n for key, n in counts.items() if key[0] == "arithmetic"})
    print()
    print_faults(counts)


def print_arithmetic(counts: dict[tuple[str, str], int]) -> None:
    verdicts = ("rounding", "precision", "same", "transform", "wrong")
    print(f"| sums of fp32, in a drawn order | kernels | {' | '.join(verdicts)} |")
    print("|---|" + "---|" * (1 + len(verdicts)))
    for row in dict.fromkeys(sorted(row for row, _ in counts)):
        numbers = [counts.get((row, verdict), 0) for verdict in verdicts]
        total = sum(n for (name, _), n in counts.items() if name == row)
        print(f"| {row} | {total} | {' | '.join(map(str, numbers))} |")


def print_faults(counts: Counter[Told]) -> None:
    print(f"| fault | kernels | {' | '.join(COLUMNS)} | other |")
    print("|---|" + "---|" * (2 + len(COLUMNS)))
    for row in (*PARTS.values(), *ROWS.values()):
        mine = {said: n for (_, name, said), n in counts.items() if name == row}
        numbers = [mine.pop(column, 0) for column in COLUMNS]
        rest = sum(mine.values())
        cells = [sum(numbers) + rest, *numbers, rest]
        print(f"| {row} | {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000, OF[sys.argv[2:] == ["any"]])
