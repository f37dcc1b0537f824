"""`covey calibrate`: show how an encoder tells restatements from other texts, and where to draw the line."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from covey import limits
from covey.cli.console import Console, printable
from covey.cli.parser import Parser
from covey.errors import UsageError

if TYPE_CHECKING:
    from covey import _core

EXAMPLE: Final = "covey calibrate --pairs pairs.txt"

_STEPS: Final = tuple(step / 20 for step in range(1, 20))
_WIDTH: Final = 40
_PAIRS: Final = """
same | the build fails on the old compiler | With the old compiler the build fails.
same | the meeting moves to Thursday at ten | We now meet on Thursday, at ten.
same | customers cannot reset their password | Resetting a password does not work for customers.
same | I will write the report tonight | Tonight I write the report.
same | the pump in hall two leaks oil | Oil leaks from the pump of hall two.
same | order more paper before Friday | More paper should be ordered before Friday.
same | the backup of Sunday is incomplete | Sunday's backup is not complete.
same | tests take twice as long since Monday | Since Monday the tests need double the time.
other | the build fails on the old compiler | the new compiler warns about unused names
other | the meeting moves to Thursday at ten | the minutes of the meeting are in the folder
other | customers cannot reset their password | customers ask for invoices in their language
other | I will write the report tonight | the report of last year had forty pages
other | the pump in hall two leaks oil | hall two gets new lamps in spring
other | order more paper before Friday | the printer in the office jams on thick paper
other | the backup of Sunday is incomplete | on Sunday the bakery is closed
other | tests take twice as long since Monday | stir the soup until it thickens
"""
"""A few pairs to begin with; one's own say more about one's own work."""


class Pair(NamedTuple):
    """Two texts, and whether they say the same."""

    same: bool
    left: str
    right: str


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument("--pairs", type=Path, metavar="FILE", help="lines `same | text | text`, `other | …`")
    parser.add_argument(
        "--kernel",
        choices=("words-1", "lexis-h1024", "ngram-h64"),
        default="words-1",
        help="the built-in encoder (words-1)",
    )
    parser.add_argument("--table", type=Path, metavar="FOLDER", help="a static-embedding table, instead")


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Read the pairs with the encoder, and show the trade-off."""
    pairs = read_pairs(_PAIRS if arguments.pairs is None else _text(arguments.pairs))
    encoder = _encoder(arguments)
    rows = trade_off([(pair.same, _likeness(encoder, pair)) for pair in pairs])
    best = max(rows, key=lambda row: row["caught"] - row["mistaken"])
    result = {"kernel": encoder.kernel, "pairs": len(pairs), "rows": rows, "redundancy": best["redundancy"]}
    console.result(result, "\n".join(_lines(console, result)))
    return 0


def read_pairs(text: str) -> list[Pair]:
    """Read pairs, one a line; empty lines and lines that begin with # are left out.

    Raises:
        UsageError: A line is no pair, there are too many, or there are none of one kind.
    """
    pairs: list[Pair] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = [part.strip() for part in line.split("|")]
        if len(parts) != 3 or parts[0] not in ("same", "other") or not all(parts):
            raise UsageError(f"line {number}: expected `same | text | text` or `other | text | text`")
        pairs.append(Pair(parts[0] == "same", parts[1], parts[2]))
    if len(pairs) > limits.CALIBRATE_PAIRS:
        raise UsageError(f"{len(pairs)} pairs, at most {limits.CALIBRATE_PAIRS}")
    if len({pair.same for pair in pairs}) < 2:
        raise UsageError("pairs of both kinds are needed: same and other")
    return pairs


def trade_off(read: Sequence[tuple[bool, float]]) -> list[dict[str, float]]:
    """Return, for each redundancy distance, the share of `same` pairs it catches, and of others it mistakes.

    Args:
        read: For each pair whether it says the same, and its likeness (a cosine).
    """
    same = [likeness for is_same, likeness in read if is_same]
    other = [likeness for is_same, likeness in read if not is_same]
    return [
        {
            "redundancy": step,
            "caught": sum(1 - likeness < step for likeness in same) / len(same),
            "mistaken": sum(1 - likeness < step for likeness in other) / len(other),
        }
        for step in _STEPS
    ]


def _lines(console: Console, result: dict[str, Any]) -> Iterator[str]:
    yield f"{result['pairs']} pairs, encoder {result['kernel']}"
    yield f"redundancy  caught  mistaken  {'= caught, x mistaken':<{_WIDTH}}"
    for row in result["rows"]:
        mark = "  <" if row["redundancy"] == result["redundancy"] else ""
        bars = _bar(row["caught"], row["mistaken"])
        yield f"{row['redundancy']:>10.2f}  {row['caught']:>6.2f}  {row['mistaken']:>8.2f}  {bars}{mark}"
    yield f'\nin agent.toml: [svaf] path = "selective", redundancy = {result["redundancy"]:.2f}'
    yield console.style("a block whose nearest one lies closer than this only repeats", "dim")


def _bar(caught: float, mistaken: float) -> str:
    line = ["="] * round(caught * _WIDTH)
    line[: round(mistaken * _WIDTH)] = ["x"] * round(mistaken * _WIDTH)
    return "".join(line).ljust(_WIDTH)


def _likeness(encoder: _core.Encoder, pair: Pair) -> float:
    left, right = (encoder.traces({"focus": text}) for text in (pair.left, pair.right))
    return left.likeness(right)


def _encoder(arguments: argparse.Namespace) -> _core.Encoder:
    if arguments.table is not None:
        from covey.system.table import load_table

        return load_table(arguments.table)
    from covey import _core

    return _core.Encoder(arguments.kernel)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            found = file.read(limits.CONFIG_BYTES + 1)
        text = found.decode()
    except OSError as error:
        raise UsageError(f"cannot read {printable(str(path))}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{printable(str(path))}: not UTF-8 text") from error
    if len(found) > limits.CONFIG_BYTES:
        raise UsageError(f"{printable(str(path))}: more than {limits.CONFIG_BYTES} bytes")
    return text
