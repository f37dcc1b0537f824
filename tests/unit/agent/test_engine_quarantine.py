"""Quarantine in the loop: what a gate holds goes out on a person's word, once, or not at all."""

from covey.agent import effects as fx
from covey.model import Duplicate, EmissionRefused


def held(desk, block, **options):
    """An agent whose answer to a task was held by a gate; with the id of the held answer."""
    d = desk(**options).hear(block("you", focus="task")).reply(intent="deploy it", focus="all is well")
    return d, d.noted("answer-quarantined")[-1]["facts"]["id"]


def restarted(d, desk, guards, **options):
    """The same agent after its process was killed: what was saved last, and a store."""
    again = desk(blocks=d.memory.blocks, guards=guards(), **options)
    again.now = d.now
    again.guards.restore(d.saves[-1].get, again.moment)
    return again.feed(fx.Recalled(()))


def test_x14_an_approved_answer_goes_out_as_it_was(desk, block):
    d, name = held(desk, block)
    assert d.emits == [] and d.engine.in_flight == 0
    assert d.guards.ledger.run.held == 1
    d.feed(fx.Decide(1, name, approve=True))
    assert d.emits[-1].proposal.categories == {"intent": "deploy it", "focus": "all is well"}
    assert d.decided == {}, "nothing is answered before it is on the mesh"
    made = d.mint()
    assert d.decided == {1: {"result": "approved", "id": name, "key": made.key}}
    assert d.engine.tally.emitted == 1 and d.engine.quarantine.waiting() == []


def test_x14_approving_twice_emits_once(desk, block):
    d, name = held(desk, block)
    d.feed(fx.Decide(1, name, approve=True)).feed(fx.Decide(2, name, approve=True))
    assert d.decided[2]["reason"] == "decided"
    made = d.mint()
    d.feed(fx.Decide(3, name, approve=True)).feed(fx.Decide(4, name, approve=False))
    assert len(d.emits) == 1
    assert d.decided[3]["detail"] == f"{name} was emitted already: {made.key}"
    assert d.decided[4]["reason"] == "decided"


def test_x14_a_denied_answer_is_discarded(desk, block):
    d, name = held(desk, block)
    d.feed(fx.Decide(1, name[:4], approve=False, why="not today"))
    assert d.decided[1] == {"result": "denied", "id": name}
    assert d.emits == [] and d.noted("quarantine-denied")[0]["detail"] == "not today"
    assert b"deploy it" not in d.saves[-1]["safety.quarantine"], "what was thrown away is not kept"


def test_x14_nobodys_word_is_a_no_in_the_end(desk, guards, block):
    d, name = held(desk, block, guards=guards(hold_seconds=60.0))
    assert d.engine.next_timer() == d.now + 60.0
    d.at(59).at(1)
    assert d.noted("quarantine-expired")[0]["id"] == name
    d.feed(fx.Decide(1, name, approve=True))
    assert d.decided[1]["reason"] == "decided" and d.emits == []


def test_x14_an_unknown_or_ambiguous_id_is_said_to_be_so(desk, block):
    d, _ = held(desk, block)
    d.hear(block("you", focus="another")).reply(intent="publish the package")
    d.feed(fx.Decide(1, "q-zzz", approve=True)).feed(fx.Decide(2, "q-", approve=True))
    d.feed(fx.Decide(3, "", approve=True))
    assert [d.decided[ref]["reason"] for ref in (1, 2, 3)] == ["unknown", "ambiguous", "unknown"]


def test_x14_what_is_held_survives_a_restart(desk, guards, block):
    d, name = held(desk, block)
    d = restarted(d, desk, guards)
    assert [entry.id for entry in d.engine.quarantine.waiting()] == [name]
    d.feed(fx.Decide(1, name, approve=True))
    d.mint()
    assert d.decided[1]["result"] == "approved"


def test_x14_an_approval_that_a_crash_cut_off_is_seen_through_after_it(desk, guards, block):
    d, name = held(desk, block)
    d.feed(fx.Decide(1, name, approve=True))
    d = restarted(d, desk, guards)
    assert len(d.emits) == 1
    made = d.mint()
    assert d.engine.quarantine.decided()[-1].outcome == made.key


def test_x14_an_approval_whose_block_exists_already_is_not_emitted_again(desk, guards, block):
    d, name = held(desk, block)
    d.feed(fx.Decide(1, name, approve=True))
    approved, minted = d.saves[-1], d.mint()
    d.saves.append(approved)  # the crash came after the block, and before what the block led to was kept
    d = restarted(d, desk, guards)
    assert d.emits == []
    assert d.engine.quarantine.decided()[-1].outcome == minted.key


def test_x14_an_approval_that_is_not_durable_does_not_count(desk, block):
    d, name = held(desk, block)
    d.refusing = ("state-not-saved", 5.0)
    d.feed(fx.Decide(1, name, approve=True))
    assert d.emits == [] and d.decided[1]["reason"] == "state-not-saved"
    d.refusing = None
    d.feed(fx.Decide(2, name, approve=True))
    assert len(d.emits) == 1


def test_x14_a_full_quarantine_takes_no_more_and_says_so(desk, guards, block):
    d = desk(guards=guards(per_minute=500))
    for number in range(65):
        d.hear(block("you", focus=f"task {number}")).reply(intent=f"deploy {number}")
    assert len(d.engine.quarantine.waiting()) == 64
    assert d.noted("answer-held-back")[-1]["reason"] == "quarantine-full"


def test_x12_an_approval_does_not_reopen_a_thread_that_was_closed_meanwhile(desk, block):
    task = block("you", focus="task", at=1)
    d = desk().hear(task).reply(intent="deploy it", commitment="I will")
    name = d.noted("answer-quarantined")[-1]["facts"]["id"]
    d.hear(block("ann", focus="well?", parents=[task], at=2)).reply(focus="no", commitment="I will not")
    d.mint()
    d.feed(fx.Decide(1, name, approve=True))
    assert len(d.emits) == 1 and d.decided[1]["reason"] == "thread-closed"


def test_the_mesh_may_refuse_an_approved_answer_and_that_is_said(desk, block):
    d, name = held(desk, block)
    d.feed(fx.Decide(1, name, approve=True))
    d.feed(fx.Ended(d.emits[-1].token, EmissionRefused("store", "disk full")))
    assert d.decided[1] == {"result": "refused", "id": name, "reason": "store", "detail": "disk full"}
    d, name = held(desk, block)
    d.feed(fx.Decide(1, name, approve=True))
    d.feed(fx.Ended(d.emits[-1].token, Duplicate("cmb-1")))
    assert d.decided[1]["key"] == "cmb-1"


def test_a_stopping_agent_decides_nothing_more(desk, block):
    d, name = held(desk, block)
    d.hear(block("you", focus="long work"))
    d.feed(fx.Stop("asked")).feed(fx.Decide(1, name, approve=True))
    assert d.decided[1]["reason"] == "stopping"
    assert [entry.id for entry in d.engine.quarantine.waiting()] == [name]


def test_a_run_waits_for_an_approved_answer_before_it_ends(desk, block):
    d, name = held(desk, block)
    d.feed(fx.Decide(1, name, approve=True)).feed(fx.Stop("asked"))
    assert d.ends == []
    d.mint()
    assert [end.reason for end in d.ends] == ["asked"] and d.decided[1]["result"] == "approved"
