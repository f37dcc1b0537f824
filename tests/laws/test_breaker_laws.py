"""The breaker's drawing as a machine: however calls overlap and end, it goes only where the arrows go."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from covey import limits
from covey.safety import Breaker, BreakerState, Go, Wait


class BreakerMachine(RuleBasedStateMachine):
    """Beside the breaker stands its drawing, written a second time in the plainest way."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = 0.0
        self.failures = 0
        self.blocked_until = 0.0
        self.probes_out = 0
        self.probe_began = 0.0

    @property
    def tripped(self) -> bool:
        return self.failures >= limits.BREAKER_FAILURES

    @property
    def probing(self) -> bool:
        return self.probes_out > 0 and self.now < self.probe_began + limits.MODEL_TIMEOUT_SECONDS

    @rule(gap=st.one_of(st.floats(0, 5), st.floats(0, 120), st.just(60.0)))
    def time_passes(self, gap: float) -> None:
        self.now += gap

    @rule(target=calls)
    def call(self) -> bool | None:
        attempt = self.breaker.attempt(self.now)
        if self.now < self.blocked_until:
            assert isinstance(attempt, Wait)
            assert attempt.reason == ("open" if self.tripped else "backoff")
            assert self.now + attempt.retry_in_s >= self.blocked_until - 1e-6
            return None
        if not self.tripped:
            assert attempt == Go(probe=False)
            return False
        if self.probing:
            assert isinstance(attempt, Wait)
            assert attempt.reason == "probing"
            return None
        assert attempt == Go(probe=True), "half-open lets exactly one call through"
        self.probes_out, self.probe_began = 1, self.now
        return True

    @rule(probe=consumes(calls))
    def answer(self, probe: bool | None) -> None:
        if probe is None:
            return
        before = self.breaker.view(self.now).state
        self.breaker.success(probe=probe)
        if self.tripped and not probe:
            assert self.breaker.view(self.now).state is before, (
                "an answer from before the trip closes nothing"
            )
            return
        self.failures, self.blocked_until, self.probes_out = 0, 0.0, 0

    @rule(probe=consumes(calls), asked=st.sampled_from([None, 0.5, 90.0, 1e9]), chance=st.floats(0, 1))
    def fail(self, probe: bool | None, asked: float | None, chance: float) -> None:
        if probe is None:
            return
        late = self.tripped and not probe
        wait = self.breaker.failure(self.now, retry_after_s=asked, probe=probe, chance=chance)
        pause = 0.0
        if not late:
            self.failures, self.probes_out = self.failures + 1, 0
            pause = 60.0 if self.tripped else min(30.0, 2.0 ** (self.failures - 1))
        least = max(pause, min(asked or 0.0, 3_600.0))
        assert wait >= least - 1e-6, "what the vendor asked for is honoured, up to an hour"
        previous = max(0.0, self.blocked_until - self.now)
        assert wait <= max(previous, least * 1.2) + 1e-6, "and chance adds a fifth at most"
        self.blocked_until = self.now + wait

    @rule(probe=consumes(calls))
    def give_up(self, probe: bool | None) -> None:
        if probe is not None:
            self.breaker.abandoned(probe=probe)
            self.probes_out = 0 if probe else self.probes_out

    @invariant()
    def it_shows_where_it_stands(self) -> None:
        view = self.breaker.view(self.now)
        if not self.tripped:
            assert view.state is BreakerState.CLOSED
        elif self.now < self.blocked_until - 1e-6:
            assert view.state is BreakerState.OPEN
        elif self.now > self.blocked_until + 1e-6:
            assert view.state is BreakerState.HALF_OPEN
            assert view.probing == self.probing
        assert view.failures == self.failures


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
