"""What a user might pick instead: the Node reference, which does the same, and rivals for plain messages."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benches.rivals import __main__ as rivals
from benches.rivals import signature, stock
from benches.targets.rows import Aim, Row
from benches.targets.sizes import Sizes
from covey.bench.stats import LEAST_SAMPLES, Measure


def reference(sizes: Sizes) -> Iterator[Row]:
    """Hold each form of covey against the Node reference, in turns with it; few rounds decide nothing."""
    why = stock.missing()
    if why is not None:
        yield Row("reference", "the Node reference beside covey, in turns", skipped=why)
        return
    sides = stock.measured(quick=sizes.quick, rounds=sizes.deciding)
    yield Row("reference", "two stock Node peers", "blocks/s", tuple(sides.reference))
    for form, (_, aim) in stock.FORMS.items():
        times, rates = sides.times(form), sides.covey[form]
        about = f"too few rounds for an interval, and to decide: {LEAST_SAMPLES} do"
        if times.interval is not None:
            about = "95 % {:.0f} to {:.0f} times".format(*times.interval)
        note = f"{statistics.median(rates):,.0f} blocks a second; {about}"
        against, held = "times the Node reference", Aim("at least", aim)
        yield Row("reference", form, against, times.samples, held, notes=(note,), least=LEAST_SAMPLES)


def plain(sizes: Sizes) -> Iterator[Row]:
    """Measure plain messages of each rival, covey beside them, and what of its time a signature is."""
    found: dict[str, Measure] = {}
    for each in rivals.measured(quick=sizes.quick):
        if isinstance(each, str):
            name, _, why = each.partition(": skipped, ")
            yield Row("rivals", name, skipped=why)
            continue
        found[each.name] = each
        yield Row("rivals", f"{each.name}: {each.what}", each.unit, each.samples)
    throughput, spent = rivals.covey(quick=sizes.quick)
    yield Row(
        "rivals",
        f"covey: {throughput.what}",
        throughput.unit,
        throughput.samples,
        notes=tuple(signature.arithmetic(found, spent)),
    )
