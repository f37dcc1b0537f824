"""Contents that go round in fresh messages: counted back and forth, not one way, and not when slow."""

from covey.fleet.chain import ContentChain
from covey.fleet.message import Message


def message(number, payload=None, kind="X_NOTE", to="bob", **more):
    content = {"text": "who takes the build"} if payload is None else payload
    return Message(f"{number:032x}", "ann", to, kind, content, **more)


def test_s23_a_content_that_keeps_coming_back_is_stopped_after_its_rounds():
    chain = ContentChain(rounds=3, seconds=5)
    told = []
    for number in range(6):
        chain.sent(message(2 * number), float(number))
        told.append(chain.heard(message(2 * number + 1), number + 0.5))
    assert told == [0, 0, 0, 4, 5, 6]


def test_one_way_slow_answered_and_presence_are_no_chain():
    chain = ContentChain(rounds=1, seconds=5)
    for number in range(10):
        assert chain.heard(message(number, {"status": "idle, all day"}), float(number)) == 0
    for number in range(10):
        chain.sent(message(number), 100.0 * number)
        assert chain.heard(message(number), 100.0 * number + 50) == 0
    for number in range(10):
        for each in (
            message(number, to="*"),
            message(number, depth=1),
            message(number, kind="HEARTBEAT"),
            message(number, {}),
        ):
            chain.sent(each, 5000.0 + number)
            assert chain.heard(each, 5000.5 + number) == 0
