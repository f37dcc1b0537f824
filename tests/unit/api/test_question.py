"""A question by itself: what it asks again, when, and which blocks answer it."""

import asyncio

import pytest

from covey import _core, limits
from covey.api.question import TRIES, Question, further
from covey.errors import UsageError
from covey.model import Block, Delivery, Duplicate, EmissionRefused, Minted, PeerSend, SendState
from covey.proto.news import Delivered, SendSettled
from covey.runtime.emit import Emission
from tests.unit.store.storekit import ANN, NOW, ROOM, intake, judged

BOB = "01900000-0000-7000-8000-000000000002"


def block(key, *parents):
    return Block(
        key=key,
        assertion_id=f"asrt-{key}",
        author="bob",
        node_id=BOB,
        created_ms=1,
        categories={},
        parents=parents,
        to=None,
        room="den",
    )


def delivered(key, *parents):
    found = Delivery(block(key, *parents), None, True, bool(parents), False, BOB, 1)
    return Delivered(found)


class Asker:
    """Says a question, and lets peers do with each try what the test tells."""

    def __init__(self, *fates):
        self.fates = list(fates)
        self.said = []

    async def run(self, question, **texts):
        async def say(what):
            self.said.append(dict(what))
            fate = self.fates.pop(0)
            key = f"q{len(self.said)}"
            if fate == "duplicate":
                return Emission(Duplicate(key))
            if fate == "refused":
                return Emission(EmissionRefused("too_long", "too much is said"))
            sends = (PeerSend(BOB, "bob", SendState.ACCEPTED, None),)
            asyncio.get_running_loop().call_soon(self.told, question, key, fate)
            return Emission(Minted(block(key), sends), sends)

        async with asyncio.timeout(30):
            await question.put(say, texts, iter(range(100)).__next__)

    @staticmethod
    def told(question, key, fate):
        if fate == "answered":
            question.hear(delivered("of-another", "x"))
            question.hear(delivered(f"a-{key}", key))
            question.hear(delivered(f"a-{key}", key))
        else:
            send = PeerSend(BOB, "bob", SendState.REFUSED, fate)
            question.hear(SendSettled(key, f"asrt-{key}", send))


def keys(question):
    return [each.key for each in question.found]


def test_what_everybody_takes_for_known_is_put_again_in_other_words():
    asker, question = Asker("redundant", "redundant", "answered"), Question(1)
    asyncio.run(asker.run(question, intent="how is the weather?"))
    assert keys(question) == ["a-q3"]
    assert len({(each.get("perspective"), each.get("motivation")) for each in asker.said}) == 3
    assert {each["intent"] for each in asker.said} == {"how is the weather?"}


def test_words_that_this_peer_has_said_before_are_put_again_too():
    asker, question = Asker("duplicate", "answered"), Question(1)
    asyncio.run(asker.run(question, intent="how is the weather?"))
    assert keys(question) == ["a-q2"]


def test_who_gives_a_perspective_is_asking_exactly_that():
    asker, question = Asker("redundant"), Question(1)

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asker.run(question, intent="how is it?", perspective="from above"), 0.5)

    asyncio.run(main())
    assert (len(asker.said), question.found) == (1, [])


def test_a_question_that_cannot_be_said_is_refused_with_its_reason():
    with pytest.raises(UsageError, match="too much is said"):
        asyncio.run(Asker("refused").run(Question(None), intent="?"))


def test_an_answer_that_comes_before_the_question_is_known_to_be_said_counts_and_the_rest_is_bounded():
    question = Question(None)
    question.hear(delivered("early", "q1"))
    for number in range(limits.API_QUEUE - 1):
        question.hear(delivered(f"other{number}"))

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(Asker("rejected").run(question, intent="?"), 0.05)

    asyncio.run(main())
    assert keys(question) == ["early"]
    for number in range(2 * limits.API_QUEUE):
        question.hear(delivered(f"more{number}"))
    assert len(question._unsorted) == limits.API_QUEUE


def test_a_peer_that_remembers_every_asking_hears_the_next_one_too():
    judge = intake(takes_all=False)

    def taken(number, **texts):
        draft = _core.Draft(
            {"intent": "how is the weather?", **texts},
            node_id=ANN.node_id,
            author=ANN.name,
            created_ms=NOW + number,
            room=ROOM,
            parents=(),
        )
        return judged(judge, _core.sign(draft, ANN))[0].kind == "admitted"

    assert taken(0)
    needed = [
        next(n for n, words in enumerate(TRIES) if taken(at, **further(words, NOW + at)))
        for at in range(0, 400_000, 977)
    ]
    assert max(needed) > 0, "the first try alone is sometimes taken for what is known"
