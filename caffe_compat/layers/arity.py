"""How many bottoms or tops a layer may have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Arity:
    """Allowed counts: `least`, `least` + `step` and so on, up to `most` (None: no limit); `str` words these counts."""

    least: int
    most: int | None
    step: int = 1

    def allows(self, count: int) -> bool:
        """Whether `count` is one of the allowed counts."""
        within = count >= self.least and (self.most is None or count <= self.most)
        return within and (count - self.least) % self.step == 0

    def __str__(self) -> str:
        if self.most == self.least:
            return f"exactly {self.least}"
        if self.most is None:
            return f"at least {self.least}"
        return f"{self.least} to {self.most}"


def exactly(count: int) -> Arity:
    """The Arity that allows `count` only."""
    return Arity(count, count)


def at_least(count: int) -> Arity:
    """The Arity that allows `count` and more."""
    return Arity(count, None)


def between(least: int, most: int) -> Arity:
    """The Arity that allows `least` to `most`, both included."""
    return Arity(least, most)
