from covey.agent import effects as fx
from covey.agent.engine import in_order
from covey.model import Duplicate, EmissionRefused, PeerSend, SendState, Usage


def test_a_block_wakes_the_agent_and_its_answer_names_it_as_parent(desk, block):
    task = block("you", focus="task")
    d = desk().hear(task)
    assert len(d.asks) == 1
    assert '"task"' in d.asks[0].request.user
    d.reply(focus="answer", commitment="done")
    proposal = d.emits[0].proposal
    assert proposal.parents == (task.key,) and proposal.to is None
    assert dict(proposal.categories) == {"focus": "answer", "commitment": "done"}
    assert d.engine.in_flight == 1
    d.mint()
    assert d.engine.in_flight == 0


def test_x09_a_block_is_counted_and_logged_as_emitted_only_when_it_was_minted(desk, block):
    d = desk().hear(block("you", focus="task")).reply(focus="answer")
    assert d.engine.tally.emitted == 0 and d.noted("emitted") == []
    sent = PeerSend("n", "ann", SendState.ACCEPTED)
    made = d.mint([sent])
    assert d.engine.tally.emitted == d.guards.ledger.run.emitted == 1
    (note,) = d.noted("emitted")
    assert note["key"] == made.key
    assert note["sends"] == [{"node_id": "n", "name": "ann", "state": "accepted", "reason": None}]


def test_x09_a_refused_or_duplicate_emission_is_counted_as_what_it_was(desk, block):
    d = desk().hear(block("you", focus="one")).reply(focus="a")
    d.feed(fx.Ended(d.emits[-1].token, EmissionRefused("store-failed", "disk is full")))
    d.hear(block("you", focus="two")).reply(focus="b")
    d.feed(fx.Ended(d.emits[-1].token, Duplicate("cmb-x")))
    tally = d.engine.tally
    assert (tally.emitted, tally.refused, tally.duplicates) == (0, 1, 1)
    assert d.noted("emission-refused")[0]["reason"] == "store-failed"
    assert d.noted("emission-duplicate")[0]["key"] == "cmb-x"
    assert d.noted("emitted") == []


def test_x17_one_block_wakes_once(desk, block):
    task = block("you", focus="task")
    d = desk().hear(task).hear(task)
    d.reply("nothing to add").hear(task)
    assert len(d.asks) == 1
    assert [fact["reason"] for fact in d.noted("wake-skipped")] == ["already-woken", "already-woken"]


def test_x17_a_block_that_woke_an_earlier_run_does_not_wake_this_one(desk, block):
    task = block("you", focus="task")
    d = desk()
    d.claimed.add(task.key)
    d.hear(task)
    assert d.asks == [] and d.engine.tally.wakes == 0 and d.engine.in_flight == 0
    assert d.noted("wake-skipped")[0]["reason"] == "already-woken"


def test_x17_one_call_is_in_flight_and_a_burst_becomes_one_call_with_several_parents(desk, block):
    task = block("you", focus="task", at=1)
    d = desk().hear(task)
    burst = [block(name, focus=f"from {name}", parents=[task], at=2 + n) for n, name in enumerate("abcde")]
    for each in burst:
        d.hear(each)
    assert len(d.asks) == 1 and d.engine.waiting == 5
    d.reply("not yet")
    assert len(d.asks) == 2 and d.engine.waiting == 0
    d.reply(focus="to all of you")
    assert d.emits[-1].proposal.parents == tuple(each.key for each in burst)


def test_a_burst_is_bounded_and_threads_are_not_mixed(desk, block):
    one, two = block("you", focus="one", at=1), block("you", focus="two", at=2)
    d = desk(max_coalesced=2).hear(one).hear(two)
    for number in range(3):
        d.hear(block("ann", focus=str(number), parents=[one], at=3 + number))
    d.reply("no")
    d.reply("no")
    d.reply("no")
    d.reply("no")
    woke = [fact["thread"] for fact in d.noted("woke")]
    assert woke == [one.key, two.key, one.key, one.key]
    assert [len(fact["keys"]) for fact in d.noted("woke")] == [1, 1, 2, 1]


def test_what_waits_is_bounded_and_the_oldest_goes_with_a_reason(desk, block):
    d = desk(max_waiting=2)
    for number in range(4):
        d.hear(block("you", focus=str(number)))
    assert d.engine.waiting == 2
    assert [fact["reason"] for fact in d.noted("wake-skipped")] == ["queue-full"]


def test_a_stranger_is_heard_and_wakes_nobody(desk, block):
    d = desk().hear(block("eve", focus="wake up"), wakes=False)
    assert d.asks == [] and d.engine.tally.heard == 1
    assert d.noted("wake-skipped")[0]["reason"] == "stranger"


def test_a_question_to_the_mesh_and_its_answer_are_heard_and_wake_nobody(desk, block):
    d = desk()
    d.hear(block("you", focus="what drops?", issue="what drops?", perspective="ask"))
    d.hear(block("you", intent="synthesize", perspective="synthesis", motivation="frames drop [1]"))
    assert d.asks == [] and d.engine.tally.heard == 2
    assert [fact["reason"] for fact in d.noted("wake-skipped")] == ["asked", "asked"]
    d.hear(block("you", focus="what drops?", perspective="ask"))
    assert len(d.asks) == 1, "only what is a question by its form"


def test_own_blocks_wake_nobody_but_answers_to_them_do(desk, block):
    mine = block("me", focus="draft")
    d = desk(blocks=[mine]).hear(mine)
    assert d.engine.tally.heard == 0
    d.hear(block("ann", focus="about your draft", parents=[mine]))
    assert len(d.asks) == 1
    assert d.noted("heard")[0]["answers_own"] and d.noted("woke")[0]["answers_own"]


def test_after_its_closing_block_an_agent_is_not_woken_in_that_thread_again(desk, block):
    task, other = block("you", focus="task"), block("you", focus="another task")
    d = desk().hear(task).reply(focus="mine", commitment="it stands")
    mine = d.mint()
    d.hear(block("ann", focus="but", parents=[mine]))
    assert len(d.asks) == 1
    assert d.noted("wake-skipped")[-1]["reason"] == "closed"
    d.hear(other)
    assert len(d.asks) == 2


def test_what_waited_when_the_part_was_closed_is_dropped_with_a_reason(desk, block):
    task = block("you", focus="task")
    d = desk().hear(task).hear(block("ann", focus="late", parents=[task]))
    d.reply(focus="mine", commitment="it stands")
    d.mint()
    assert len(d.asks) == 1 and d.noted("wake-skipped")[-1]["reason"] == "closed"


def test_silence_is_an_answer_and_not_a_suppression(desk, block):
    d = desk().hear(block("you", focus="task")).reply("not my turn")
    assert d.noted("no-answer")[0]["text"] == "not my turn"
    assert (d.engine.tally.silent, d.engine.tally.suppressed, d.engine.in_flight) == (1, 0, 0)


def test_it_says_when_nothing_is_in_hand_any_more(desk, block):
    d = desk().hear(block("you", focus="one")).hear(block("you", focus="two"))
    assert d.noted("resting") == []
    d.reply("-")
    assert d.noted("resting") == []
    d.reply("-")
    assert d.noted("resting") == [{}]


def test_an_unreadable_answer_is_suppressed_with_its_reason(desk, block):
    d = desk().hear(block("you", focus="task")).reply(focus="  ").reply(focus=" ")
    assert d.noted("answer-unreadable")[0]["reason"] == "empty"
    assert d.engine.tally.suppressed == d.guards.ledger.run.suppressed == 1


def test_waking_blocks_are_shown_as_they_came_to_be(block):
    task = block("you", focus="task", at=5)
    draft = block("ann", focus="draft", parents=[task], at=7)
    review = block("bob", focus="review", parents=[draft], at=7)
    assert in_order([review, task, draft]) == [task, draft, review]


def test_rule_based_models_learn_the_newest_block_and_who_was_heard(desk, block):
    task = block("you", focus="task", at=1)
    d = desk().hear(task)
    draft = block("ann", focus="draft", parents=[task], at=2)
    review = block("bob", focus="review", parents=[draft], at=3)
    d.hear(review).hear(draft).reply("wait")
    facts = d.asks[-1].request.metadata["wake"]
    assert facts.block == review and facts.thread == task.key
    assert facts.heard == ("you", "bob", "ann")
    assert (facts.self_name, facts.self_role) == ("me", "reviewer")


def test_routing_targets_the_asker_only_where_asked_to_and_connected(desk, block):
    def addressee(routing, peers):
        d = desk(routing=routing, peers=peers).hear(block("ann", focus="task")).reply(focus="a")
        return d.emits[0].proposal.to

    assert addressee("broadcast", ["ann", "bob", "cat"]) is None
    assert addressee("targeted", ["ann"]) == "ann"
    assert addressee("targeted", ["bob"]) is None
    assert addressee("auto", ["ann", "bob"]) is None
    assert addressee("auto", ["ann", "bob", "cat"]) == "ann"


def test_a_claim_that_failed_stops_the_wake(desk, block):
    d = desk()
    d._perform = lambda effect: (
        [fx.ClaimFailed(effect.token, "disk is full")]
        if isinstance(effect, fx.Claim)
        else d.notes.append(effect) or []
        if isinstance(effect, fx.Note)
        else []
    )
    d.hear(block("you", focus="task"))
    assert d.noted("wake-ended")[0] == {
        "keys": [block("you", focus="task").key],
        "reason": "claim-failed",
        "detail": "disk is full",
    }
    assert d.engine.in_flight == 0


def test_usage_is_added_up_and_an_unknown_price_is_not_called_free(desk, block):
    d = desk().hear(block("you", focus="one")).reply("-", usage=Usage(100, 20, 0.25))
    d.hear(block("you", focus="two")).reply("-", usage=Usage(100, 20, None))
    tally = d.engine.tally
    assert (tally.input_tokens, tally.output_tokens, tally.cost_usd, tally.unpriced_calls) == (
        200,
        40,
        0.25,
        1,
    )


def test_what_peers_say_of_an_own_block_is_noted(desk):
    d = desk().feed(fx.Settled("cmb-1", PeerSend("n", "ann", SendState.REFUSED, "rejected")))
    (noted,) = d.noted("settled")
    assert noted["detail"] == "cmb-1 at ann: refused"
    assert (noted["key"], noted["state"], noted["reason"]) == ("cmb-1", "refused", "rejected")


def test_threads_go_on_where_an_earlier_run_left_them(desk, block):
    task = block("you", focus="task", at=1)
    closed = block("me", focus="mine", commitment="it stands", parents=[task], at=2)
    d = desk(blocks=[task, closed]).feed(fx.Recalled((closed, task)))
    d.hear(block("ann", focus="more", parents=[closed], at=3))
    assert d.asks == [] and d.noted("wake-skipped")[0]["reason"] == "closed"
