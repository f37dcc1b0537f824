"""`covey bench`: measure this build on this machine, and against a run of before."""

from __future__ import annotations

import argparse
import errno
import os
import stat
import statistics
from pathlib import Path
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.cli.console import Console, printable
from covey.cli.parser import Parser, path, whole
from covey.errors import EXIT_FAILED, EXIT_OK, CoveyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from covey.bench.report import Report
    from covey.bench.stats import Change, Measure

EXAMPLE: Final = "covey bench throughput latency --compare before.json"


def configure(parser: Parser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "measures",
        nargs="*",
        metavar="MEASURE",
        help="which; --list names them; each takes up to a minute",
    )
    parser.add_argument("--list", action="store_true", help="say what can be measured")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="small sizes, one sample each: does it all run? it decides nothing",
    )
    parser.add_argument(
        "--hearers",
        type=whole(1, limits.BENCH_HEARERS),
        metavar="N",
        help="of fan-out: how many hear one speaker (8, quickly 4); other numbers are not compared",
    )
    parser.add_argument("--save", type=path, metavar="FILE", help="keep the run, to compare with later")
    parser.add_argument("--compare", type=path, metavar="FILE", help="a saved run to lay beside this one")
    parser.add_argument("--html", type=path, metavar="FILE", help="write a page with plots")
    parser.add_argument(
        "--worst",
        type=_share,
        metavar="RATIO",
        help="with --compare: fail when a measure surely fell below this part of before, "
        "or none could be held against it (0.7)",
    )


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 < value <= 1.0:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and up to 1, got {text!r}")
    return value


def run(arguments: argparse.Namespace, console: Console) -> int:
    """Measure, print, keep, compare."""
    from covey.bench import suite

    if arguments.list:
        console.result({"measures": suite.names()}, "\n".join(suite.names()))
        return EXIT_OK
    _check_names(arguments.measures, suite.names())
    if arguments.hearers is not None and arguments.measures and suite.FAN_OUT not in arguments.measures:
        raise UsageError(f"--hearers: only {suite.FAN_OUT} has them", hint=f"ask for {suite.FAN_OUT}, too")
    if arguments.worst is not None and arguments.compare is None:
        raise UsageError("--worst: needs --compare FILE")
    if arguments.worst is not None and arguments.quick:
        raise UsageError("--worst: a quick run decides nothing", hint="leave --quick out")
    before = _saved(arguments.compare) if arguments.compare else None
    _check_places(arguments.save, arguments.html)
    report = _measured(arguments, console)
    changes = report.against(before) if before else ()
    _keep(arguments, report, before, changes)
    apart = report.apart(before) if before else ()
    console.result(
        {**report.as_json(), "changes": [_fields(change) for change in changes], "apart": list(apart)},
        "\n".join(_change_lines(changes)),
    )
    for reason in apart:
        console.note(f"the saved run: {printable(reason)}")
    return EXIT_OK if arguments.worst is None else _judged(changes, arguments.worst, console)


def _judged(changes: Sequence[Change], worst: float, console: Console) -> int:
    """Fail where a measure surely fell, or where none could be held against the saved run."""
    fallen = [change for change in changes if change.below(worst)]
    for change in fallen:
        console.note(f"{change.name}: {change.ratio:.2f} times before, surely below {worst:g}")
    if all(change.doubt for change in changes):
        console.note("--worst: nothing was held against the saved run")
        return EXIT_FAILED
    return EXIT_FAILED if fallen else EXIT_OK


def _check_names(wanted: Sequence[str], known: Sequence[str]) -> None:
    from covey.cli.parser import UnknownWord

    for word in wanted:
        if word not in known:
            raise UnknownWord("measure", word, known, f"one of {', '.join(known)}")


def _check_places(*files: Path | None) -> None:
    """Refuse a place where nothing can be written before minutes are spent on what should go there."""
    for file in files:
        if file is None:
            continue
        try:
            _check_place(file)
        except OSError as error:
            raise CoveyError(f"cannot write {file}: {(error.strerror or str(error)).lower()}") from error


def _check_place(file: Path) -> None:
    """Raise what the system would say of writing a file there, as far as it can be known without writing."""
    try:
        place, mode = file, file.stat().st_mode
    except FileNotFoundError:
        place, mode = file.parent, 0
        place.stat()
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not os.access(place, os.W_OK):
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))


def _measured(arguments: argparse.Namespace, console: Console) -> Report:
    from covey.bench import lost, suite
    from covey.bench.report import Report

    found: list[Measure] = []
    for piece in suite.chosen(arguments.measures, arguments.hearers):
        console.remark(f"measuring {piece.name} …")
        measures = piece.quick() if arguments.quick else piece.full()
        for measure in measures:
            console.say("\n".join([_line(measure), *_stations(measure), *lost.lines(measure.facts)]))
        console.say(f"  {_pace(measures[0])}")
        found += measures
    return Report(suite.machine(), tuple(found))


def _line(measure: Measure) -> str:
    said = f"{measure.name:19} {measure.median:>12,.0f} {measure.unit:10} {_span(measure)}"
    shown = ("full-text lag", "drained after ms")
    facts = [f"{name} {measure.facts[name]:,.0f}" for name in shown if name in measure.facts]
    return "  ".join([said, *facts, measure.what])


def _span(measure: Measure) -> str:
    """Return the interval; of too few samples there is none."""
    if measure.interval is None:
        return f"(samples: {len(measure.samples)})"
    return f"({measure.interval.low:,.0f} to {measure.interval.high:,.0f})"


def _pace(measure: Measure) -> str:
    """Say what fixed work of the machine took beside it."""
    taken = (f"{part} {statistics.median(each) / 1e3:.3g}" for part, each in measure.paces.items())
    return f"the machine beside it, in ms: {', '.join(taken)}"


def _stations(measure: Measure) -> list[str]:
    """Return a row for each of a measure's facts that have percentiles."""
    named = [name.removesuffix(" p50") for name in measure.facts if name.endswith(" p50")]
    shares = ("p50", "p90", "p99")
    return [
        f"  {name:22}" + "".join(f"  {share} {measure.facts[f'{name} {share}']:>8,.0f}" for share in shares)
        for name in named
    ]


def _change_lines(changes: Sequence[Change]) -> list[str]:
    if not changes:
        return ["medians and 95 % intervals; ratios hold on one machine only"]
    lines = ["", "against before (over 1 is better), and the machine's speed in times of its speed then:"]
    for change in changes:
        span = "" if change.interval is None else "({:.2f} to {:.2f})".format(*change.interval)
        speeds = ", ".join(f"{printable(part)} {speed:.2f}" for part, speed in change.speeds.items())
        lines.append(f"  {printable(change.name):19} {change.ratio:.2f} {span:14}  {printable(change.said)}")
        lines += [f"  {'':19} {speeds}"] if speeds else []
    return lines


def _fields(change: Change) -> dict[str, object]:
    low, high = change.interval or (None, None)
    said = {"verdict": change.verdict, "doubt": change.doubt, "speeds": change.speeds}
    return {"name": change.name, "ratio": change.ratio, "low": low, "high": high, **said}


def _saved(file: Path) -> Report:
    from covey.bench.report import read

    try:
        with file.open("rb") as opened:
            raw = opened.read(limits.BENCH_REPORT_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {(error.strerror or str(error)).lower()}") from error
    if len(raw) > limits.BENCH_REPORT_BYTES:
        raise UsageError(f"{file}: longer than {limits.BENCH_REPORT_BYTES} bytes")
    return read(raw, str(file))


def _keep(
    arguments: argparse.Namespace, report: Report, before: Report | None, changes: Sequence[Change]
) -> None:
    import json

    from covey.bench.page import page

    if arguments.save:
        _write(arguments.save, json.dumps(report.as_json(), indent=1, ensure_ascii=False) + "\n")
    if arguments.html:
        _write(arguments.html, page(report, before, changes))


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CoveyError(f"cannot write {file}: {(error.strerror or str(error)).lower()}") from error
