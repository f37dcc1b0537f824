"""Choose the numbers by which a table's cosines are read: `python -m benches.admission.learn --table FOLDER`.

Reads the tuning part only. One number after the other takes the value under which most blocks come out
right, in a fixed order and from a fixed start, until a round changes nothing: no randomness, so the same
table gives the same numbers. Of values that are equally good the one nearest to where it stood is taken.
Prints what to write into rust/core/src/svaf/scales.rs, and how many blocks of a domain come out right by
numbers chosen on the others, each in turn: what may be expected of domains it has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from benches.admission.judges import LABEL_OF, WEIGHTS, recalled
from benches.admission.scenarios import FRESHNESS_SECONDS, Case
from covey import _core

Numbers = Mapping[str, float]

START: Final[Numbers] = {
    "foreign": 0.40,
    "home": 0.60,
    "context": 0.65,
    "context_nearest": 0.80,
    "first": 0.40,
    "second": 0.30,
    "answering": 0.30,
    "redundancy": 0.25,
}
"""What a table has where nobody chose: as in rust/core/src/svaf/scales.rs."""
STEPS: Final = (-0.20, -0.10, -0.05, -0.02, 0.02, 0.05, 0.10, 0.20)
ROUNDS: Final = 4
_LEAST, _MOST, _APART = 0.0, 1.0, 0.02

Right = Callable[[Numbers], int]


def usable(numbers: Numbers) -> bool:
    """Tell whether cosines can be read by these numbers: home lies above foreign, and each is from 0 to 1."""
    inside = all(_LEAST <= value <= _MOST for value in numbers.values())
    return inside and numbers["home"] - numbers["foreign"] >= _APART


def chosen(right: Right, start: Numbers = START) -> tuple[dict[str, float], int]:
    """Return the numbers under which most come out right, and how many do."""
    best, most = dict(start), right(start)
    for _ in range(ROUNDS):
        before = most
        for name in start:
            stood = best[name]
            for step in sorted(STEPS, key=abs):
                tried = {**best, name: round(stood + step, 3)}
                if usable(tried) and (count := right(tried)) > most:
                    best, most = tried, count
        if most == before:
            break
    return best, most


def counted(encoder: _core.Encoder, cases: Sequence[Case]) -> Right:
    """Return how many of these cases come out right, as a function of the numbers."""
    read = [(case, *recalled(encoder, case)) for case in cases]

    def right(numbers: Numbers) -> int:
        scale = {name: value for name, value in numbers.items() if name != "redundancy"}
        count = 0
        for case, incoming, memory in read:
            profile = {
                "weights": WEIGHTS[case.profile],
                "freshness_seconds": FRESHNESS_SECONDS[case.profile],
                "redundancy": numbers["redundancy"],
            }
            said = encoder.judge(
                incoming,
                memory,
                profile,
                age_seconds=case.age_seconds,
                answers=case.answers is not None,
                scale=scale,
            )
            count += LABEL_OF[said.decision] == case.label
        return count

    return right


def left_out(encoder: _core.Encoder, cases: Sequence[Case]) -> Iterator[tuple[str, float]]:
    """Yield each domain with the share of its cases that come out right by numbers chosen on the others."""
    for domain in sorted({case.domain for case in cases}):
        others = counted(encoder, [case for case in cases if case.domain != domain])
        own = [case for case in cases if case.domain == domain]
        yield domain, counted(encoder, own)(chosen(others)[0]) / len(own)


def report(encoder: _core.Encoder, cases: Sequence[Case]) -> Iterator[str]:
    """Yield what was chosen, as it is written into the core, and how good it is."""
    right = counted(encoder, cases)
    numbers, most = chosen(right)
    yield f"// {encoder.kernel}: {len(cases)} blocks; as they are {right(START) / len(cases):.3f} right"
    yield f"// by the numbers below {most / len(cases):.3f}; on a domain left out:"
    yield from (f"//   {domain} {share:.3f}" for domain, share in left_out(encoder, cases))
    scale = ", ".join(f"{name}: {value:.2f}" for name, value in numbers.items() if name != "redundancy")
    yield f"const TABLE: Scale = Scale {{ {scale} }};"
    yield f"Encoder::Table(_) => {numbers['redundancy']:.2f}, // redundancy"
