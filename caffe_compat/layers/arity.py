"""How many bottoms or tops a layer takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Arity:
    """A closed range of counts, and how a message says it; `step` 2 asks for pairs, say."""

    least: int
    most: int | None
    step: int = 1

    def allows(self, count: int) -> bool:
        """Whether a layer may have this many."""
        within = count >= self.least and (self.most is None or count <= self.most)
        return within and (count - self.least) % self.step == 0

    def __str__(self) -> str:
        if self.most == self.least:
            return f"exactly {self.least}"
        if self.most is None:
            return f"at least {self.least}"
        return f"{self.least} to {self.most}"


def exactly(count: int) -> Arity:
    """This many and no other number."""
    return Arity(count, count)


def at_least(count: int) -> Arity:
    """This many or more."""
    return Arity(count, None)


def between(least: int, most: int) -> Arity:
    """From `least` to `most`, both included."""
    return Arity(least, most)
