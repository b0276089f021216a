"""What two outputs have in common with their step, and without it."""

from __future__ import annotations

from dataclasses import dataclass

from convdiff.case.words import plural


@dataclass(frozen=True)
class WithoutStep:
    """Two outputs with and without their step, by elements."""

    then: str
    differing: int
    """Without it."""
    passed_on: int
    """Without it and with it."""
    hidden: int
    """Without it, and not with it."""
    made: int
    """With it, and not without it."""
    fused: tuple[int, int] = (0, 0)
    """Elements of each side that are others than the step makes of its convolution alone."""

    @property
    def words(self) -> str:
        """Say whose the difference is."""
        if not self.differing:
            what = f": {self.then} differs" if self.made else ", too"
            return f"without {self.then} both sides agree{what}"
        count = plural(self.differing, "element")
        facts = [f"without {self.then} the convolutions differ in {count}"]
        if self.hidden and not self.passed_on:
            facts.append(f"{self.then} hides all of them")
        elif self.hidden:
            facts.append(f"{self.then} hides {self.hidden:,}")
        if self.passed_on:
            facts.append(f"{self.then} passes on {self.passed_on:,}")
        if self.made:
            facts.append(f"{self.made:,} differ with {self.then} only")
        return ", ".join(facts)
