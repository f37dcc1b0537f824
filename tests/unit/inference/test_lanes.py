"""Lanes: which one a model names, in which order backends are asked, and what a lane's figures say."""

from __future__ import annotations

import pytest

from covey import limits
from covey.inference.lanes import Figures, Lanes, Sample, Step, quantile

LANES = {
    "large": (Step("gpu", "llama-70b"), Step("cpu", "qwen-7b")),
    "small": (Step("cpu", "qwen-1b"),),
    "default": (Step("cpu"), Step("gpu")),
}


def test_m23_a_request_names_a_lane_a_model_or_neither():
    lanes = Lanes(LANES)
    assert [lanes.named(each) for each in ("large", "qwen-1b", "", "other")] == [
        "large",
        "small",
        "default",
        "default",
    ]
    assert lanes.chain("large", "large", 0.0) == LANES["large"]
    assert lanes.chain("default", "mine", 0.0) == (Step("cpu", "mine"), Step("gpu", "mine"))
    assert lanes.chain("large", "qwen-7b", 0.0)[0] == Step("cpu", "qwen-7b"), "a named model comes first"
    assert Lanes({"only": (Step("cpu"),)}).named("x") == "only"


def test_m23_a_backend_that_keeps_failing_is_asked_last_until_it_has_rested():
    lanes = Lanes(LANES)
    for _ in range(limits.DOOR_FAILURES):
        assert lanes.chain("large", "large", 1.0)[0].backend == "gpu"
        lanes.failed("gpu", "status-500", 1.0)
    assert [step.backend for step in lanes.chain("large", "large", 2.0)] == ["cpu", "gpu"]
    seen = lanes.view(2.0)["backends"]["gpu"]
    assert (seen["healthy"], seen["last_failure"]) == (False, "status-500")
    after = 1.0 + limits.DOOR_REST_SECONDS
    assert lanes.chain("large", "large", after)[0].backend == "gpu", "one try after its rest"
    lanes.failed("gpu", "status-500", after)
    assert lanes.view(after)["backends"]["gpu"]["rests_seconds"] == 2 * limits.DOOR_REST_SECONDS
    lanes.worked("gpu")
    assert lanes.view(after)["backends"]["gpu"]["healthy"]
    for _ in range(100):
        lanes.failed("gpu", "timeout", 0.0)
    assert lanes.view(0.0)["backends"]["gpu"]["rests_seconds"] == limits.DOOR_REST_LONGEST_SECONDS


def test_m23_a_lane_shows_p50_p99_failures_and_tokens_a_second():
    figures = Figures()
    assert figures.view()["p50_seconds"] is None
    for number in range(1, 100):
        figures.samples.append(Sample(float(number), True, 10))
    figures.samples.append(Sample(1.0, False, 0))
    found = figures.view()
    assert (found["p50_seconds"], found["p99_seconds"], found["failed_share"]) == (50.0, 99.0, 0.01)
    assert found["tokens_per_second"] == pytest.approx(990 / sum(range(1, 100)))
    assert quantile([1.0], 0.99) == 1.0


def test_a_lane_is_switched_and_says_what_it_was():
    lanes = Lanes(LANES)
    assert lanes.switch("small", Step("gpu", "phi")) == Step("cpu", "qwen-1b")
    assert lanes.chain("small", "small", 0.0) == (Step("gpu", "phi"),)
    with pytest.raises(ValueError, match="cpu"):
        lanes.switch("small", Step("tpu", "phi"))
    with pytest.raises(KeyError):
        lanes.switch("nope", Step("gpu"))


@pytest.mark.parametrize("text", ["", "=m", "gpu=", "x" * 300])
def test_what_is_no_step_is_refused(text):
    with pytest.raises(ValueError):
        Step.parse(text)


def test_a_step_reads_back():
    assert [str(Step.parse(text)) for text in ("gpu", "gpu=a=b:c")] == ["gpu", "gpu=a=b:c"]
