"""Colours: rounding is calm, a bug is red. Plain text says the same without them."""

from __future__ import annotations

from rich.text import Text

from convdiff.diagnose.verdict import Finding
from convdiff.diagnose.verdicts import VERDICTS, Tone, Verdict

TONES: dict[Tone, str] = {
    "good": "green",
    "calm": "cyan",
    "odd": "yellow",
    "erratic": "magenta",
    "grave": "bold red",
    "faint": "dim",
}
OUTCOMES = {
    "ok": ("OK", "bold green"),
    "drift": ("DRIFT", "bold red"),
    "untested": ("UNTESTED", "bold yellow"),
    "error": ("INTERRUPTED", "bold yellow"),
}
HEAT = "▁▂▃▄▅▆▇█"


def verdict(name: Verdict) -> Text:
    """Return a verdict in its colour."""
    return Text(name, style=verdict_style(name))


def verdict_style(name: Verdict) -> str:
    """Return the colour of a verdict."""
    return TONES[VERDICTS[name].tone]


def ruling(finding: Finding) -> Text:
    """Return a finding's verdict, marked where `expect` does not allow it."""
    text = verdict(finding.verdict)
    if finding.lock == "changed":
        text.append(" ORDER", style="bold red")
    return text if finding.allowed else text.append(" DRIFT", style="bold red")


def severity(ulp: int) -> str:
    """Return the colour of a difference of so many ulps."""
    if ulp == 0:
        return "dim"
    return "cyan" if ulp <= 4 else "yellow" if ulp <= 256 else "red"


def heat(columns: list[int], width: int) -> Text:
    """Draw ulps along the length, a character a position, several in one where space is short.

    A dot is equal bits; the bar's height is the logarithm of the ulps.
    """
    step = -(-len(columns) // width) if columns else 1
    strip = Text()
    for start in range(0, len(columns), step):
        worst = max(columns[start : start + step])
        level = min(len(HEAT) - 1, worst.bit_length() - 1) if worst else -1
        strip.append(HEAT[level] if worst else "·", style=severity(worst))
    return strip
