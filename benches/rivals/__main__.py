"""`python -m benches.rivals [--quick] [--save FILE]`: covey and the others, in turn, in one run.

Messages of the others are plain bytes; a block of covey is sealed, signed, verified, judged and durable.
The table therefore also says what of both processors' time of a block its signature is. The Node
reference, which does what covey does, follows where it is present (`benches.rivals.stock`).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from benches import loopback
from benches.rivals import signature, stock
from benches.rivals.pairs import RIVALS, Plan, Rival
from covey.bench import peers, suite
from covey.bench.report import Report
from covey.bench.stats import LEAST_SAMPLES, Measure

ROUNDS = LEAST_SAMPLES
QUICK_SHARE = 100
"""A quick run sends this many times less."""


def one_way(rival: Rival, count: int, rounds: int) -> Measure:
    """Measure messages a second of one rival."""
    rates = []
    for _ in range(rounds):
        with peers.process(rival.receive, Plan(count)) as receiver:
            where = peers.answer(receiver)
            with peers.process(rival.send, Plan(count, where)) as sender:
                peers.first(receiver, sender)
                rates.append((count - 1) / peers.answer(receiver))
    what = "plain messages of 1,024 bytes, one way, two processes on loopback"
    return Measure(rival.name, what, "messages/s", True, tuple(rates), {"messages": count})


def measured(*, quick: bool) -> Iterator[Measure | str]:
    """Yield each rival's measure, or why there is none; then what a signature takes here."""
    rounds = 1 if quick else ROUNDS
    for rival in RIVALS:
        missing = rival.missing
        if missing is not None:
            yield f"{rival.name}: skipped, {missing}"
            continue
        yield one_way(rival, rival.count // (QUICK_SHARE if quick else 1), rounds)
    yield from signature.measured(rounds, 10)


def covey(*, quick: bool) -> tuple[Measure, signature.Spent]:
    """Measure covey's two peers."""
    return signature.throughput(600 if quick else 20_000, 1 if quick else ROUNDS)


def show(each: Measure) -> None:
    """Print one line."""
    about = "" if each.interval is None else " ({:,.0f} to {:,.0f})".format(*each.interval)
    print(f"{each.name:24} {each.median:>12,.0f} {each.unit:12}{about}  {each.what}")


def beside_the_reference(*, quick: bool) -> stock.Sides | None:
    """Measure the Node reference and covey in turns, and print; where it is not there, say so."""
    why = stock.missing()
    if why is not None:
        print(f"{stock.NAME}: skipped, {why}")
        return None
    try:
        sides = stock.measured(quick=quick, rounds=1 if quick else stock.ROUNDS)
    except (stock.StockError, loopback.StuckError) as error:
        print(f"{stock.NAME}: no figure: {error}")
        return None
    print("\n".join(sides.lines()))
    return sides


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description="covey beside what a user might pick instead")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--save", type=Path)
    arguments = parser.parse_args()
    found: list[Measure] = []
    for each in measured(quick=arguments.quick):
        if isinstance(each, str):
            print(each)
            continue
        found.append(each)
        show(each)
    throughput, spent = covey(quick=arguments.quick)
    show(throughput)
    print("\n".join(signature.arithmetic({each.name: each for each in found}, spent)))
    found.append(throughput)
    sides = beside_the_reference(quick=arguments.quick)
    found += sides.measures() if sides else ()
    if arguments.save:
        report = Report(suite.machine(), tuple(found))
        arguments.save.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
