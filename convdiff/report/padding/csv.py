"""`convdiff pad` as comma-separated values: a row a runtime and group of data lengths."""

from __future__ import annotations

import csv
import io

from convdiff.net.padding.result import Answer

HEADER = ("runtime", "data_from", "data_to", "outputs", "paper_minimum", "length", "positions")


def render(answer: Answer) -> str:
    """Return the rows; a runtime that could not be asked has none."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    for padding in answer.paddings:
        for safe in padding.safe:
            group = safe.group
            data = group.data[0], group.data[-1]
            row = (*data, group.outputs, group.minimum, safe.length, safe.positions)
            writer.writerow((padding.standing.name, *row))
    return buffer.getvalue()
