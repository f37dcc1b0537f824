"""A run as one HTML page: figures with intervals, each sample as a dot, where a block's time goes.

Nothing in it is loaded from anywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from covey.bench.report import Report
from covey.bench.stations import SHARES
from covey.bench.stats import Change, Measure

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;
background:#fff}
table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;text-align:left;
border-bottom:1px solid #ddd}
td.n{text-align:right;font-variant-numeric:tabular-nums}
.better{color:#17692f}.worse{color:#a3211c}.same,.unsure{color:#666}
svg{width:100%;height:auto;display:block;margin:.4rem 0 1.6rem}p.what{color:#555;margin:.1rem 0}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}td,th{border-color:#444}p.what{color:#aaa}
.better{color:#7ddc95}.worse{color:#ff8d86}}
"""
_WIDTH: Final = 900
_LEFT: Final = 190
"""Where a plot begins: names stand before it."""
_RIGHT: Final = _WIDTH - 20
_ROW: Final = 30
_PAD: Final = 0.1
"""Of a plot's range, at either side: a dot is no edge."""
_BLUE: Final = "#3b7dd8"
_LEAST_SHARE: Final = 1e-4
"""Of the longest time: what took less is drawn as this."""

Place = Callable[[float], float]


def page(report: Report, before: Report | None = None, changes: Sequence[Change] = ()) -> str:
    """Return the page. Every text in it is escaped; a saved run may come from anybody."""
    moved = {change.name: change for change in changes}
    old = {measure.name: measure for measure in before.measures} if before else {}
    facts = ", ".join(f"{escape(name)} {escape(value)}" for name, value in report.machine.items())
    rows = "".join(_row(measure, moved.get(measure.name)) for measure in report.measures)
    plots = "".join(_section(measure, old.get(measure.name)) for measure in report.measures)
    compared = "<th>against before</th>" if before else ""
    apart = (
        "".join(f"<p>The saved run: {escape(said)}</p>" for said in report.apart(before)) if before else ""
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>covey bench</title>'
        f"<style>{_STYLE}</style>"
        f"<h1>covey bench</h1><p>{facts}</p><p class=what>Medians with their 95 % interval. One "
        f"machine, one run: ratios hold, absolute figures do not travel.</p>{apart}"
        f"<table><tr><th>measure</th><th>median</th><th>interval</th><th>unit</th>{compared}</tr>{rows}</table>"
        f"{plots}</html>\n"
    )


def _row(measure: Measure, change: Change | None) -> str:
    span = "" if measure.interval is None else "{:,.0f} to {:,.0f}".format(*measure.interval)
    cells = f"<td>{escape(measure.name)}</td><td class=n>{measure.median:,.0f}</td>"
    cells += f"<td class=n>{span}</td><td>{escape(measure.unit)}</td>"
    if change is not None:
        about = "" if change.interval is None else " ({:.2f} to {:.2f})".format(*change.interval)
        said = escape(f"{change.ratio:.2f} x{about}, {change.said}")
        cells += f"<td class={change.verdict}>{said}</td>"
    return f"<tr>{cells}</tr>"


def _section(measure: Measure, before: Measure | None) -> str:
    passed = _stations(measure)
    plotted = {f"{name} {word}" for name in passed for word in SHARES}
    rest = {name: value for name, value in measure.facts.items() if name not in plotted}
    facts = ", ".join(f"{escape(name)} {value:,.6g}" for name, value in rest.items())
    series = [("now", measure), *([("before", before)] if before else [])]
    title = f"<h2>{escape(measure.name)}</h2><p class=what>{escape(measure.what)}</p>"
    better = "higher" if measure.higher_is_better else "lower"
    said = f"<p class=what>{escape(measure.unit)}, {better} is better. {facts}</p>"
    return f"{title}{said}{_samples(series)}{_way(measure, passed) if passed else ''}"


def _samples(series: Sequence[tuple[str, Measure]]) -> str:
    """Draw each sample as a dot, the interval of their median as a band, the median as a line in it."""
    every = [sample for _, measure in series for sample in measure.samples]
    low, high = min(every), max(every)
    room = (high - low) * _PAD or high * _PAD
    place = _line(low - room, high + room)
    marks = "".join(_strip(number, name, each, place) for number, (name, each) in enumerate(series))
    ends = _text(place(low), len(series) * _ROW + 16, f"{low:,.6g}", "middle")
    if high > low:
        ends += _text(place(high), len(series) * _ROW + 16, f"{high:,.6g}", "middle")
    return _svg(len(series) * _ROW + 24, marks + ends)


def _strip(number: int, name: str, measure: Measure, place: Place) -> str:
    middle, top = number * _ROW + _ROW / 2, number * _ROW + 4
    count, interval = len(measure.samples), measure.interval
    drawn = _text(0, middle + 5, f"{name}: {count} {'sample' if count == 1 else 'samples'}")
    if interval is not None:
        at, wide = place(interval.low), max(1.0, place(interval.high) - place(interval.low))
        drawn += (
            f'<rect x="{at:.1f}" y="{top}" width="{wide:.1f}" height="{_ROW - 8}" fill="{_BLUE}" '
            f'fill-opacity=".2"/>'
        )
    at = place(measure.median)
    drawn += (
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{top + _ROW - 8}" stroke="{_BLUE}" '
        f'stroke-width="2"/>'
    )
    return drawn + "".join(_dot(place(sample), middle) for sample in measure.samples)


def _stations(measure: Measure) -> list[str]:
    """Return what of a measure's facts has percentiles that are times, in their order."""
    named = [name.removesuffix(" p50") for name in measure.facts if name.endswith(" p50")]
    whole = [name for name in named if all(f"{name} {word}" in measure.facts for word in SHARES)]
    return [name for name in whole if measure.facts[f"{name} p99"] > 0.0]


def _way(measure: Measure, passed: Sequence[str]) -> str:
    """Draw what each station's percentiles are, on one logarithmic line."""
    times = {name: [measure.facts[f"{name} {word}"] for word in SHARES] for name in passed}
    longest = max(max(took) for took in times.values())
    shortest = min((each for took in times.values() for each in took if each > 0.0), default=longest)
    least = max(shortest, longest * _LEAST_SHARE)
    line = _line(math.log(least) - _PAD, math.log(longest) + _PAD)

    def place(took: float) -> float:
        return line(math.log(max(took, least)))

    rows = "".join(_span(number, name, times[name], place) for number, name in enumerate(passed))
    height = len(passed) * _ROW
    tens = range(math.ceil(math.log10(least)), math.floor(math.log10(longest)) + 1)
    ends = "".join(_tick(place(10.0**ten), height, f"{10.0**ten:,.6g}") for ten in tens)
    words = ", ".join(SHARES)
    said = f"<p class=what>Each station's {words}, in {escape(measure.unit)}, on a logarithmic line.</p>"
    return said + _svg(height + 24, rows + ends)


def _span(number: int, name: str, took: Sequence[float], place: Place) -> str:
    middle, (first, last) = number * _ROW + _ROW / 2, (place(min(took)), place(max(took)))
    return (
        _text(0, middle + 5, name)
        + f'<line x1="{first:.1f}" x2="{last:.1f}" y1="{middle}" y2="{middle}" stroke="{_BLUE}"/>'
        + "".join(_dot(place(each), middle) for each in took)
    )


def _tick(at: float, height: float, said: str) -> str:
    line = (
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="{height}" stroke="currentColor" stroke-opacity=".2"/>'
    )
    return line + _text(at, height + 16, said, "middle")


def _line(low: float, high: float) -> Place:
    """Return where a figure lies across a plot that goes from one to another."""
    return lambda figure: _LEFT + (_RIGHT - _LEFT) * (figure - low) / (high - low)


def _dot(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{_BLUE}" fill-opacity=".7"/>'


def _text(x: float, y: float, said: str, anchor: str = "start") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="13" fill="currentColor">{escape(said)}</text>'


def _svg(height: float, drawn: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img">{drawn}</svg>'
