"""A run as one HTML page: figures with intervals, a plot for each measure, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Final

from covey.bench.report import Report
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
_BAR: Final = 22
_BINS: Final = 60
_POINTS: Final = 40
"""Series up to this length are drawn sample by sample, longer ones as a histogram."""


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
    facts = ", ".join(f"{escape(name)} {value:,.6g}" for name, value in measure.facts.items())
    series = [("now", measure.samples)] + ([("before", before.samples)] if before else [])
    top = max(max(samples) for _, samples in series) or 1.0
    drawn = "".join(_series(name, samples, top) for name, samples in series)
    title = f"<h2>{escape(measure.name)}</h2><p class=what>{escape(measure.what)}</p>"
    better = "higher" if measure.higher_is_better else "lower"
    return f"{title}<p class=what>{escape(measure.unit)}, {better} is better. {facts}</p>{drawn}"


def _series(name: str, samples: Sequence[float], top: float) -> str:
    if len(samples) <= _POINTS:
        marks = [_bar(index, sample, top) for index, sample in enumerate(samples)]
        height = _BAR * len(samples)
    else:
        marks, height = _histogram(samples, top), 140
    label = f"<p class=what>{name}: {len(samples)} samples</p>"
    return f'{label}<svg viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(marks)}</svg>'


def _bar(index: int, sample: float, top: float) -> str:
    width = max(1.0, (_WIDTH - 140) * sample / top)
    above = index * _BAR
    return (
        f'<rect x="0" y="{above + 3}" width="{width:.1f}" height="{_BAR - 6}" fill="#3b7dd8"/>'
        f'<text x="{width + 8:.1f}" y="{above + 16}" font-size="13" fill="currentColor">{sample:,.0f}</text>'
    )


def _histogram(samples: Sequence[float], top: float) -> list[str]:
    counts = [0] * _BINS
    for sample in samples:
        counts[min(_BINS - 1, int(sample / top * _BINS))] += 1
    most, wide = max(counts), _WIDTH / _BINS
    bars = [
        f'<rect x="{n * wide:.1f}" y="{110 - 100 * count / most:.1f}" width="{wide - 1:.1f}" '
        f'height="{100 * count / most:.1f}" fill="#3b7dd8"/>'
        for n, count in enumerate(counts)
        if count
    ]
    text = f'<text x="0" y="132" font-size="13" fill="currentColor">0</text><text x="{_WIDTH}" y="132" '
    return [*bars, f'{text}font-size="13" text-anchor="end" fill="currentColor">{top:,.0f}</text>']
