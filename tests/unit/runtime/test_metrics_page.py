"""The page of metrics: its grammar, its names, and the bound on what labels may say."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import limits
from covey.proto.relay.server import Access, RelayServer
from covey.runtime.metrics.page import OTHER, Histogram, Page, Words
from covey.runtime.relay import RelayHost

SAMPLE = re.compile(r'[a-z_]+(\{[a-z_]+="[^"\\\n]*"(,[a-z_]+="[^"\\\n]*")*\})? (-?[0-9.e+-]+|\+Inf|NaN)')


def lines(page: Page) -> list[str]:
    return page.text().splitlines()


def test_a_family_is_said_once_with_help_and_type() -> None:
    page = Page(Words())
    page.counter("covey_calls_total", "calls", 2, outcome="replied")
    page.gauge("covey_peers", "peers", 1)
    page.counter("covey_calls_total", "calls", 3, outcome="failed")
    assert lines(page) == [
        "# HELP covey_calls_total calls",
        "# TYPE covey_calls_total counter",
        'covey_calls_total{outcome="replied"} 2',
        'covey_calls_total{outcome="failed"} 3',
        "# HELP covey_peers peers",
        "# TYPE covey_peers gauge",
        "covey_peers 1",
    ]


def test_a_histogram_counts_what_lies_at_or_below_each_bound() -> None:
    seen = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7):
        seen.observe(value)
    page = Page(Words())
    page.histogram("covey_call_seconds", "calls", seen)
    assert lines(page)[2:] == [
        'covey_call_seconds_bucket{le="0.1"} 2',
        'covey_call_seconds_bucket{le="1"} 3',
        'covey_call_seconds_bucket{le="+Inf"} 4',
        "covey_call_seconds_sum 7.65",
        "covey_call_seconds_count 4",
    ]


def test_the_first_word_of_a_dotted_counter_is_its_family() -> None:
    page = Page(Words())
    page.dotted("covey_peer", "since the start", {"records.refused.replay": 2, "holds": 1, "x-y.z": 3})
    assert [line for line in lines(page) if line[0] != "#"] == [
        "covey_peer_holds_total 1",
        'covey_peer_records_total{kind="refused.replay"} 2',
        'covey_peer_x_y_total{kind="z"} 3',
    ]


@pytest.mark.parametrize("name", ["calls_total", "covey_Calls_total", "covey__calls_total", "covey_calls\n"])
def test_a_name_that_prometheus_or_we_would_not_give_is_a_bug(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Page(Words()).gauge(name, "", 1)


def test_a_counter_without_its_ending_is_a_bug() -> None:
    with pytest.raises(ValueError, match="_total"):
        Page(Words()).counter("covey_calls", "", 1)


@given(st.lists(st.text(max_size=80), max_size=limits.METRIC_WORDS * 2, unique=True))
def test_whatever_words_come_a_label_has_a_bounded_number_of_them(said: list[str]) -> None:
    words = Words()
    page = Page(words)
    for word in said:
        page.counter("covey_refused_total", "refused\nbecause", 1, reason=word)
    samples = [line for line in page.text().split("\n") if line and not line.startswith("#")]
    assert len(samples) <= limits.METRIC_WORDS + 1
    assert all(SAMPLE.fullmatch(line) for line in samples)
    assert sum(int(line.rsplit(" ", 1)[1]) for line in samples) == len(said)


def test_no_counter_ever_falls_when_new_words_come() -> None:
    words = Words()
    plain = [f"w{number:04}" for number in range(limits.METRIC_WORDS + 8)]
    assert [words.word("f", word) for word in plain[8:]] == plain[8:]
    assert {words.word("f", word) for word in plain[:8]} == {OTHER}
    assert [words.word("f", word) for word in plain[8:]] == plain[8:]
    assert words.word("g", plain[0]) == plain[0]


def test_numbers_that_are_none_are_said_as_prometheus_says_them() -> None:
    page = Page(Words())
    for place, value in enumerate((math.inf, -math.inf, math.nan, 1e300, 0.25, 10**15)):
        page.gauge("covey_value", "", value, place=str(place))
    said = [line.rsplit(" ", 1)[1] for line in lines(page)[2:]]
    assert said == ["+Inf", "-Inf", "NaN", "1e+300", "0.25", "1000000000000000"]


class _Clock:
    def now_ms(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 1.5

    def era(self) -> str:
        return "one"


class _Listener:
    half_open = 3


def test_a_relay_speaks_through_the_same_page() -> None:
    relay = RelayHost(RelayServer(Access(open=True)), listener=_Listener(), clock=_Clock())
    relay.engine.counters.update({"messages.forwarded": 4, "undelivered.bob is away": 1})
    shown = relay.metrics()
    assert "# TYPE covey_relay_uptime_seconds gauge\ncovey_relay_uptime_seconds 0\n" in shown
    assert 'covey_relay_messages_total{kind="forwarded"} 4\n' in shown
    assert "covey_relay_half_open 3\n" in shown
    assert 'covey_relay_undelivered_total{kind="other"} 1\n' in shown
