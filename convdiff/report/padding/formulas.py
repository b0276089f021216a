"""Lengths and rules in figures, for people and for Python."""

from __future__ import annotations

from convdiff.net.padding.rule import Rule, Steps
from convdiff.net.receptive_field import Field

LEAST = "L_min"
"""What the paper minimum is called."""


def field_text(field: Field) -> str:
    """Say a receptive field and stride, of each phase where they differ."""
    sizes = list(dict.fromkeys(field.sizes))
    size = str(sizes[0]) if len(sizes) == 1 else " or ".join(map(str, field.sizes)) + " by phase"
    if field.period == 1:
        return f"receptive field {size}, stride {field.step}"
    return f"receptive field {size}, {field.period} outputs a stride of {field.step}"


def steps_text(steps: Steps) -> str:
    """Write the length of some data, as in 64·⌈data/64⌉ + 388."""
    if steps.multiple == 1:
        return _plus("data", steps.offset + steps.more)
    inner = _plus("data", steps.offset)
    inner = f"({inner})" if steps.offset else inner
    return _plus(f"{steps.multiple}·⌈{inner}/{steps.multiple}⌉", steps.more)


def steps_python(steps: Steps) -> str:
    """Write the length of `data_length` in Python."""
    inner = _plus("data_length", steps.offset)
    if steps.multiple == 1:
        return _plus(inner, steps.more)
    inner = f"({inner})" if steps.offset else inner
    return _plus(f"-(-{inner} // {steps.multiple}) * {steps.multiple}", steps.more)


def rule_text(rule: Rule) -> str:
    """Write a rule, as in max(516, L_min)."""
    steps = _plus(LEAST, rule.beyond * rule.steps.multiple)
    return f"max({rule.least}, {steps})" if rule.least else steps


def multiple_text(rule: Rule) -> str:
    """Say a rule in steps as data collators do."""
    steps = rule.steps
    before = f"add {steps.offset}, then " if steps.offset else ""
    more = f", then {steps.more} more" if steps.more > 0 else ""
    less = f", less {-steps.more}" if steps.more < 0 else ""
    least = f", never below {rule.least}" if rule.least else ""
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
    return f"{count} output position{'s' if count > 1 else ''}"


def _plus(text: str, more: int) -> str:
    if not more:
        return text
    return f"{text} {'+' if more > 0 else '-'} {abs(more)}"
