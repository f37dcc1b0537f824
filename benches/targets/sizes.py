"""How much is measured: what the published figures are of, or little, to see that it runs."""

from dataclasses import dataclass

from covey.bench.stats import LEAST_SAMPLES

ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Sizes:
    """What was asked for on the command line."""

    quick: bool = False
    long: bool = False
    """The parts that take most of an hour, too."""
    rounds: int | None = None
    """How often each meeting of peers is measured, where it was said; a quick run measures once."""

    def of(self, full: int, quick: int) -> int:
        """Return the size of this run."""
        return quick if self.quick else full

    @property
    def turns(self) -> int:
        """How often in this run."""
        return 1 if self.quick else self.rounds or ROUNDS

    @property
    def deciding(self) -> int:
        """How often in this run beside another program: fewer decide nothing of a ratio."""
        return 1 if self.quick else self.rounds or LEAST_SAMPLES
