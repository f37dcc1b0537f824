"""The numbers of a static-embedding table are chosen on labelled blocks, the same way each time."""

from __future__ import annotations

import array
import json

import pytest

from benches.admission import learn_table
from benches.admission.scenarios import cases
from covey import _core

WORDS = ("parser", "frame", "drops", "kitchen", "soup", "oven", "train", "rails", "signal")


def table() -> _core.Encoder:
    """Three matters, each with a direction of its own; a word leans a little towards the next matter."""
    rows = []
    for number, _ in enumerate(WORDS):
        row = [0.0] * 4
        row[number // 3] = 1.0
        row[(number // 3 + 1) % 3] = 0.1 * (number % 3)
        rows.extend(row)
    data = array.array("f", rows).tobytes()
    tensor = {"dtype": "F32", "shape": [len(WORDS), 4], "data_offsets": [0, len(data)]}
    header = json.dumps({"embeddings": tensor}).encode()
    model = {"type": "WordLevel", "vocab": {word: place for place, word in enumerate(WORDS)}}
    return _core.Encoder.table(
        len(header).to_bytes(8, "little") + header + data, json.dumps({"model": model}).encode()
    )


@pytest.mark.parametrize("name", list(learn_table.START))
def test_one_number_after_the_other_goes_where_most_is_right(name):
    wanted = round(learn_table.START[name] + (0.10 if name != "foreign" else -0.10), 3)

    def right(numbers):
        return 100 - round(100 * abs(numbers[name] - wanted))

    found, most = learn_table.chosen(right)
    assert (found[name], most) == (pytest.approx(wanted), 100)
    untouched = {other: value for other, value in found.items() if other != name}
    assert untouched == {other: value for other, value in learn_table.START.items() if other != name}


def test_numbers_that_cannot_be_read_by_are_never_tried():
    tried = []

    def right(numbers):
        tried.append(dict(numbers))
        return round(100 * (numbers["foreign"] - numbers["home"]))

    found, _ = learn_table.chosen(right)
    assert learn_table.usable(found) and all(map(learn_table.usable, tried))
    assert not learn_table.usable({**learn_table.START, "home": learn_table.START["foreign"]})


def test_a_table_is_judged_by_the_numbers_that_are_tried():
    some = cases("tuning", receivers=1)[:40]
    right = learn_table.counted(table(), some)
    start = right(learn_table.START)
    assert start == right(dict(learn_table.START)) and 0 < start < len(some)
    _, most = learn_table.chosen(right)
    assert most >= start


def test_what_is_printed_can_be_written_into_the_core():
    some = [case for case in cases("tuning", receivers=1) if case.slice in ("repeat", "foreign")]
    lines = list(learn_table.report(table(), some[:24]))
    assert lines[-2].startswith("const TABLE: Scale = Scale { foreign: ") and lines[-2].endswith(" };")
    assert lines[-1].startswith("Encoder::Table(_) => ")
