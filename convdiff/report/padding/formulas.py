"""Lengths and rules in figures, for people and for Python."""

from __future__ import annotations

from convdiff.case.words import given, one_or_many
from convdiff.net.padding.rule import Rule, Steps
from convdiff.net.receptive_field import Field

LEAST = "L_min"
"""What the paper minimum is called."""


def field_text(field: Field) -> str:
    """Say a receptive field and stride, of each phase where they differ."""
    sizes = list(dict.fromkeys(field.sizes))
    size = str(sizes[0])
    if len(sizes) > 1:
        size = " or ".join(map(str, field.sizes)) + " by phase"
    if field.period == 1:
        return f"receptive field {size}, stride {field.step}"
    return f"receptive field {size}, {field.period} outputs a stride of {field.step}"


def steps_text(steps: Steps) -> str:
    """Write the length of some data, as in 64·⌈data/64⌉ + 388."""
    if steps.multiple == 1:
        return _plus("data", steps.offset + steps.more)
    inner = _term("data", steps.offset)
    return _plus(f"{steps.multiple}·⌈{inner}/{steps.multiple}⌉", steps.more)


def steps_python(steps: Steps) -> str:
    """Write the length of `data_length` in Python."""
    if steps.multiple == 1:
        return _plus(_plus("data_length", steps.offset), steps.more)
    inner = _term("data_length", steps.offset)
    return _plus(f"-(-{inner} // {steps.multiple}) * {steps.multiple}", steps.more)


def rule_text(rule: Rule) -> str:
    """Write a rule, as in max(516, L_min)."""
    return at_least(rule.least, _plus(LEAST, rule.beyond * rule.steps.multiple))


def at_least(least: int, length: str) -> str:
    """Write a length that is never below another."""
    if not least:
        return length
    return f"max({least}, {length})"


def multiple_text(rule: Rule) -> str:
    """Say a rule in steps as data collators do."""
    steps = rule.steps
    before = given(steps.offset, "add {}, then ")
    more = given(max(0, steps.more), ", then {} more")
    less = given(max(0, -steps.more), ", less {}")
    least = given(rule.least, ", never below {}")
    return f"{before}pad_to_multiple_of={steps.multiple}{more}{less}{least}"


def in_words(rule: Rule) -> str:
    """Say what the rule asks for beside the paper minimum."""
    parts = []
    if rule.beyond:
        parts.append(f"{positions_text(rule.beyond)} more than depend on the data")
    if rule.positions:
        parts.append(f"at least {positions_text(rule.positions)}")
    elif rule.least:
        parts.append(f"never below {rule.least}")
    return ", and ".join(parts) or "the paper minimum is enough"


def positions_text(count: int) -> str:
    """Write a number of output positions."""
    return f"{count} {one_or_many(count, 'output position', 'output positions')}"


def _term(name: str, offset: int) -> str:
    """Write a length and what is added to it, in brackets where that is anything."""
    if not offset:
        return name
    return f"({_plus(name, offset)})"


def _plus(text: str, more: int) -> str:
    if not more:
        return text
    sign = "+" if more > 0 else "-"
    return f"{text} {sign} {abs(more)}"
