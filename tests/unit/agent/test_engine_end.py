"""How a run ends: closed, out of budget, idle, or told to stop; always with a reason, never in flight."""

from covey.agent import effects as fx


def closing(block, author, parents, at=9):
    return block(author, focus=f"{author} says", commitment="it stands", parents=parents, at=at)


def test_a_run_ends_when_every_participant_closed_its_part(desk, block):
    d = desk(participants=frozenset({"me", "ann"}))
    task = block("you", focus="task", at=1)
    d.hear(task).reply(focus="mine", commitment="it stands")
    mine = d.mint()
    assert d.ends == []
    d.hear(closing(block, "ann", [mine]))
    assert [end.reason for end in d.ends] == ["thread-closed"]
    assert task.key in d.ends[0].detail
    assert d.noted("run-ended")[0]["tally"]["emitted"] == 1


def test_an_own_last_block_ends_it_too_but_only_once_it_exists(desk, block):
    d = desk(participants=frozenset({"me", "ann"}))
    task = block("you", focus="task", at=1)
    d.hear(closing(block, "ann", [task])).hear(task).reply(focus="mine", commitment="it stands")
    assert d.ends == []
    d.mint()
    assert [end.reason for end in d.ends] == ["thread-closed"]


def test_a_thread_that_an_earlier_run_closed_does_not_end_this_one(desk, block):
    task = block("you", focus="task", at=1)
    old = [closing(block, name, [task]) for name in ("me", "ann")]
    d = desk(participants=frozenset({"me", "ann"}), blocks=[task, *old])
    d.feed(fx.Recalled((*old, task)))
    assert d.ends == []
    new = block("you", focus="another task", at=10)
    d.hear(new).reply(focus="mine", commitment="new")
    d.mint()
    assert d.ends == []
    d.hear(block("ann", focus="hers", commitment="new too", parents=[new], at=12))
    assert new.key in d.ends[0].detail


def test_without_participants_a_peer_stays(desk, block):
    task = block("you", focus="task", at=1)
    d = desk().hear(task).reply(focus="mine", commitment="it stands")
    d.mint()
    d.hear(closing(block, "ann", [task])).at(100_000)
    assert d.ends == [] and d.engine.next_timer() is None


def test_x13_after_the_last_call_nothing_wakes_and_the_run_ends_by_budget_once_quiet(desk, block):
    d = desk(max_calls=1, idle_seconds=30.0).hear(block("you", focus="one"))
    assert "last answer" in d.asks[0].request.user
    d.reply("-").hear(block("you", focus="two"))
    assert len(d.asks) == 1
    assert d.noted("wake-skipped")[0]["reason"] == "call-budget"
    assert d.ends == [] and d.engine.next_timer() == d.now + 30.0
    d.at(29.0)
    assert d.ends == []
    d.at(1.0)
    assert [end.reason for end in d.ends] == ["budget"]


def test_a_retry_counts_as_a_call(desk, block):
    d = desk(max_calls=1).hear(block("you", focus="one")).fail()
    assert d.noted("model-failed")[0]["final"] is True
    assert d.engine.tally.calls == 1


def test_a_quiet_run_ends_as_idle_but_never_during_a_call(desk, block):
    d = desk(idle_seconds=30.0).hear(block("you", focus="task"))
    d.at(1_000)
    assert d.ends == [] and d.engine.next_timer() is None
    d.reply("-").at(30.0)
    assert [end.reason for end in d.ends] == ["idle"]


def test_x18_stop_lets_what_is_in_flight_finish_and_takes_nothing_new(desk, block):
    d = desk().hear(block("you", focus="one")).hear(block("you", focus="two"))
    d.feed(fx.Stop("sigterm"))
    d.hear(block("you", focus="three"))
    assert d.ends == [] and len(d.asks) == 1
    d.reply(focus="answer")
    assert d.ends == []
    d.mint()
    assert [end.reason for end in d.ends] == ["sigterm"]
    assert len(d.noted("waiting-kept")[0]["keys"]) == 2, "they wait for the next run"


def test_x18_stop_ends_a_pause_at_once(desk, block):
    d = desk().hear(block("you", focus="one")).fail().feed(fx.Stop("sigint"))
    assert [end.reason for end in d.ends] == ["sigint"]
    assert d.noted("wake-kept")[0]["reason"] == "stopping"


def test_x18_a_failure_while_stopping_is_final(desk, block):
    d = desk().hear(block("you", focus="one")).feed(fx.Stop("sigint")).fail()
    assert [end.reason for end in d.ends] == ["sigint"]


def test_after_the_end_nothing_happens_any_more(desk, block):
    d = desk().feed(fx.Stop("sigint")).hear(block("you", focus="late"))
    assert d.asks == [] and d.engine.next_timer() is None and len(d.ends) == 1
