"""The labelled set of benches/admission: of the promised size, without leaks, and worth a path of its own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benches.admission.judges import baseline, selective
from benches.admission.learn import RECEIVERS, SLICES, as_it_is, example, in_one, learned
from benches.admission.scenarios import LABELS, cases
from benches.admission.seeds import PARTS, domains, payloads
from covey import _core


def test_both_parts_have_every_slice_and_two_thousand_blocks_in_all() -> None:
    parts = {part: cases(part) for part in PARTS}
    assert sum(map(len, parts.values())) >= 2_000
    slices = [Counter(case.slice for case in found) for found in parts.values()]
    assert set(slices[0]) == set(slices[1]) and min(min(each.values()) for each in slices) >= 80
    assert all({case.label for case in found} == set(LABELS) for found in parts.values())
    assert cases("tuning") == parts["tuning"], "the same cases every time"


def test_nothing_of_one_part_is_in_the_other() -> None:
    said = [
        {
            text
            for domain in domains(part)
            for topic in domain.topics
            for texts in (*topic.statements, *topic.restated.values(), *topic.lookalikes)
            for text in texts.values()
        }
        for part in PARTS
    ]
    names = [{domain.name for domain in domains(part)} for part in PARTS]
    assert not said[0] & said[1] and not names[0] & names[1]
    assert not set(payloads("tuning")) & set(payloads("held back"))


def test_the_selective_path_is_right_far_more_often_than_the_baseline() -> None:
    """On the tuning part: the held-back one is for reports, not for tests that somebody would tune to."""
    found = cases("tuning")[::4]
    judges = (baseline, selective(_core.Encoder()))
    right = [sum(case.label == judge(case) for case in found) / len(found) for judge in judges]
    assert right[0] < 0.4 and right[1] > 0.82, right


def test_the_committed_weights_are_what_the_tool_learns() -> None:
    """Whoever changes how words are read learns anew: the weights belong to the kernel's counts."""
    encoder = _core.Encoder()
    found = [case for case in cases("tuning", receivers=RECEIVERS) if case.slice in SLICES]
    source = (Path(__file__).parents[2] / "rust/core/src/svaf/kinship.rs").read_text(encoding="utf-8")
    for table, form in (("SEVERAL", as_it_is), ("ALONE", in_one)):
        weights = learned([example(encoder, form(case)) for case in found])
        written = source.partition(f"const {table}:")[2].partition("= [")[2].partition("];")[0]
        committed = [float(line.partition(",")[0]) for line in written.splitlines() if "," in line]
        assert committed == pytest.approx(weights, abs=0.006), table
