"""What a running peer answers, without a mesh: every verb, every wrong argument."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from covey.errors import CoveyError, IpcError, NetworkError, UsageError
from covey.model import (
    CAT7,
    NEUTRAL,
    Block,
    Duplicate,
    EmissionRefused,
    EmissionResult,
    Minted,
    PeerSend,
    PeerView,
    Proposal,
    SendState,
)
from covey.proto.membership.views import MemberView
from covey.proto.news import News, SendSettled
from covey.runtime.answers import read_inbox, trace
from covey.runtime.emit import addressee, emit_and_wait
from covey.runtime.ipc import Control
from covey.runtime.node import Node

ANN, BOB = (f"0192f3a0-0000-7000-8000-00000000000{n}" for n in (1, 2))


def key(number: int) -> str:
    return f"cmb-{number:064x}"


def block(number: int, *parents: int, **said: str) -> Block:
    categories = {name: said.get(name, NEUTRAL) for name in CAT7}
    return Block(
        key(number),
        f"asrt-{number:064x}",
        ANN,
        "ann",
        number,
        "r",
        None,
        tuple(map(key, parents)),
        categories,
    )


def view(node_id: str, name: str) -> PeerView:
    return PeerView(node_id, name, "f" * 64, "inbound", "open", trusted=False)


@dataclass
class FakeNode:
    """A node whose emissions end as the test says, and whose peers answer as it says."""

    result: EmissionResult = field(default_factory=lambda: Minted(block(1, focus="x"), ()))
    settles: Sequence[PeerSend] = ()
    connected: Sequence[PeerView] = ()
    proposals: list[Proposal] = field(default_factory=list)
    listeners: list[Callable[[News], None]] = field(default_factory=list)
    identity: Any = field(default_factory=lambda: SimpleNamespace(name="ann"))
    ends: list[tuple[str, str, str | None]] = field(default_factory=list)

    def ended(self, assertion_id: str, how: str, why: str | None = None) -> None:
        self.ends.append((assertion_id, how, why))

    def subscribe(self, listener: Callable[[News], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    async def emit(self, proposal: Proposal) -> EmissionResult:
        self.proposals.append(proposal)
        if isinstance(self.result, Minted):
            for send in self.settles:
                self.tell(SendSettled(self.result.block.key, self.result.block.assertion_id, send))
        return self.result

    def tell(self, news: News) -> None:
        for listener in tuple(self.listeners):
            listener(news)

    def members(self) -> Sequence[MemberView]:
        return [MemberView(BOB, "bob", "suspect", 3, "{}", 1.5, 0.25, 2)]

    def peers(self) -> Sequence[PeerView]:
        return self.connected

    def status(self) -> Mapping[str, object]:
        return {"room": "r"}


class FakeMemory:
    def __init__(self, *blocks: Block) -> None:
        self.blocks = {each.key: each for each in blocks}

    def block(self, wanted: str) -> Block | None:
        return self.blocks.get(wanted)

    def feedback_for_own(self, limit, room):
        return []

    def carried(self, wanted, schema):
        return None

    def author_keys(self):
        return {}

    def is_own(self, wanted):
        return False

    def recent(self, limit: int, *, own: bool | None = None, room: str | None = None) -> Sequence[Block]:
        return list(self.blocks.values())[::-1][:limit]

    def recall(self, query: str, limit: int) -> Sequence[Block]:
        return [each for each in self.blocks.values() if query in each.categories["focus"]][:limit]


class FakeInbox:
    def __init__(self, *blocks: Block) -> None:
        self.cursor = 0
        self.rows = [
            SimpleNamespace(
                seq=seq,
                record=each,
                from_node_id=BOB,
                received_ms=seq,
                ingested=True,
                directed=each.to is not None,
                number=seq if each.to is not None else None,
                finished=None,
            )
            for seq, each in enumerate(blocks, 1)
        ]
        self.gaps: list[Any] = []
        self.mail = SimpleNamespace(gaps=lambda start, end, limit: self.gaps)

    def inbox(self, cursor: int, limit: int) -> Any:
        return [row for row in self.rows if row.seq > cursor][:limit]

    def inbox_ack(self, cursor: int) -> None:
        self.cursor = cursor

    def inbox_cursor(self) -> int:
        return self.cursor


class FakeAgent:
    def status(self) -> Mapping[str, Any]:
        return {
            "model": "m",
            "run": {"calls": 2},
            "lifetime": {"calls": 5},
            "cost": {"run": 0.1},
            "role": "writer",
        }

    def tools(self) -> Mapping[str, Any]:
        return {"offered": {"files__write": "ask"}, "missing": [], "waiting": [{"id": "t-1"}]}

    def decide_call(self, word: str, *, approve: bool) -> Mapping[str, Any]:
        return {"result": "allowed" if approve else "denied", "id": word, "tool": "files__write"}


def control(
    node: FakeNode | None = None,
    *blocks: Block,
    agent: FakeAgent | None = None,
    stopped: list[float | None] | None = None,
) -> Control:
    stops = [] if stopped is None else stopped
    return Control(
        cast("Node", node or FakeNode()),
        FakeMemory(*blocks),
        FakeInbox(*blocks),
        stops.append,
        agent=lambda: agent,
        facts=lambda: {"pid": 7},
    )


def ask(peer: Control, cmd: str, **arguments: object) -> dict[str, Any]:
    return asyncio.run(peer.handle(cmd, arguments))


def test_status_joins_facts_node_and_agent() -> None:
    found = ask(control(agent=FakeAgent()), "status")
    assert (found["peer"], found["pid"], found["node"], found["agent"]["model"]) == (
        "ann",
        7,
        {"room": "r"},
        "m",
    )
    assert ask(control(), "status")["agent"] is None


def test_tools_are_listed_and_their_calls_decided() -> None:
    agent = FakeAgent()
    assert ask(control(agent=agent), "tools")["offered"] == {"files__write": "ask"}
    allowed = ask(control(agent=agent), "tools", action="allow", call="t-1")
    assert (allowed["peer"], allowed["result"], allowed["id"]) == ("ann", "allowed", "t-1")
    assert ask(control(agent=agent), "tools", action="deny", call="t-1")["result"] == "denied"
    with pytest.raises(IpcError, match="has no agent"):
        ask(control(), "tools")
    for wrong in ({"action": "run"}, {"action": "allow"}, {"more": 1}, {"action": "allow", "call": 7}):
        with pytest.raises(CoveyError):
            ask(control(agent=agent), "tools", **wrong)


def test_cost_is_the_agents_and_nothing_else() -> None:
    found = ask(control(agent=FakeAgent()), "cost")
    assert set(found) == {"peer", "model", "run", "lifetime", "cost"}
    with pytest.raises(IpcError, match="has no agent"):
        ask(control(), "cost")


def test_peers_are_plain_values() -> None:
    found = ask(control(FakeNode(connected=[view(BOB, "bob")])), "peers")
    assert found["peers"][0]["name"] == "bob"
    assert found["peers"][0]["trusted"] is False
    assert found["members"][0]["state"] == "suspect"
    assert found["members"][0]["suspicion"] == 0.25


def test_stop_is_passed_on() -> None:
    stopped: list[float | None] = []
    assert ask(control(stopped=stopped), "stop") == {"accepted": True}
    assert ask(control(stopped=stopped), "stop", timeout_seconds=1.5) == {"accepted": True}
    assert stopped == [None, 1.5]


def test_observe_emits_for_the_room_and_send_for_one_peer() -> None:
    node = FakeNode(connected=[view(BOB, "bob")])
    ask(control(node), "observe", categories={"focus": "x"}, parents=[key(3)], wait_seconds=0)
    ask(control(node), "send", categories={"focus": "x"}, to="bob", wait_seconds=0)
    assert node.proposals == [
        Proposal({"focus": "x"}, (key(3),), None, fresh="application"),
        Proposal({"focus": "x"}, (), BOB, fresh="application"),
    ]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Duplicate(key(9)), {"result": "duplicate", "key": key(9)}),
        (EmissionRefused("no_text", "why"), {"result": "refused", "reason": "no_text", "detail": "why"}),
    ],
)
def test_what_was_not_minted_is_said_as_such(result: EmissionResult, expected: dict[str, str]) -> None:
    assert ask(control(FakeNode(result)), "observe", categories={"focus": "x"}) == expected


def test_each_send_is_reported_as_it_ended() -> None:
    sends = (
        PeerSend(ANN, "a", SendState.ACCEPTED),
        PeerSend(BOB, "b", SendState.ACCEPTED),
        PeerSend("c", "c", SendState.REFUSED, "queue full"),
    )
    ends = (
        PeerSend(BOB, "b", SendState.REFUSED, "rejected"),
        PeerSend(ANN, "a", SendState.DELIVERED),
    )
    found = ask(
        control(FakeNode(Minted(block(1, focus="x"), sends), ends)), "observe", categories={"focus": "x"}
    )
    assert [(send["name"], send["state"], send["reason"]) for send in found["sends"]] == [
        ("a", "delivered", None),
        ("b", "refused", "rejected"),
        ("c", "refused", "queue full"),
    ]
    assert (found["settled"], found["taken"]) == (True, True)
    assert found["block"]["said"] == {"focus": "x"}


def test_a_peer_that_never_tells_has_taken_what_it_was_given() -> None:
    given = PeerSend(BOB, "b", SendState.ACCEPTED)
    node = FakeNode(Minted(block(1), (given,)), (given,))
    assert ask(control(node), "observe", categories={"focus": "x"})["taken"] is True


def test_who_is_away_is_not_waited_for_while_somebody_is_there() -> None:
    here, away = PeerSend(BOB, "b", SendState.ACCEPTED), PeerSend(ANN, "a", SendState.UNKNOWN, "away")
    taken = PeerSend(BOB, "b", SendState.DELIVERED)
    node = FakeNode(Minted(block(1), (here, away)), (taken,))
    found = ask(control(node), "observe", categories={"focus": "x"}, wait_seconds=60)
    assert (found["settled"], found["taken"]) == (True, True)
    assert [send["state"] for send in found["sends"]] == ["delivered", "unknown"]

    alone = FakeNode(Minted(block(1), (away,)))
    assert ask(control(alone), "observe", categories={"focus": "x"}, wait_seconds=0.01)["settled"] is False


def test_a_wait_that_runs_out_is_not_settled_and_nothing_was_taken() -> None:
    node = FakeNode(Minted(block(1), (PeerSend(BOB, "b", SendState.ACCEPTED),)))
    found = ask(control(node), "observe", categories={"focus": "x"}, wait_seconds=0.01)
    assert (found["settled"], found["taken"]) == (False, False)
    assert node.listeners == [], "the wait leaves no listener behind"


def test_a_receipt_that_comes_later_ends_the_wait() -> None:
    node = FakeNode(Minted(block(1), (PeerSend(BOB, "b", SendState.ACCEPTED),)))

    async def scene() -> bool:
        waiting = asyncio.ensure_future(emit_and_wait(cast("Node", node), Proposal({"focus": "x"}), 30))
        await asyncio.sleep(0)
        other = SendSettled(key(2), f"asrt-{2:064x}", PeerSend(BOB, "b", SendState.DELIVERED))
        node.tell(other)
        await asyncio.sleep(0)
        assert not waiting.done(), "another block's receipt ends nothing"
        node.tell(SendSettled(key(1), f"asrt-{1:064x}", PeerSend(BOB, "b", SendState.DELIVERED)))
        return (await waiting).taken

    assert asyncio.run(scene())


def test_an_addressee_is_a_node_id_or_one_connected_name() -> None:
    peers = [view(ANN, "ann"), view(BOB, "bob"), view("x", "twin"), view("y", "twin")]
    assert addressee("bob", peers) == BOB
    assert addressee(ANN, []) == ANN
    with pytest.raises(UsageError, match='"twin" names 2 connected peers: x, y'):
        addressee("twin", peers)
    with pytest.raises(NetworkError, match='no connected peer named "zoe"'):
        addressee("zoe", peers)


def test_recall_searches_and_without_words_returns_the_newest() -> None:
    peer = control(None, block(1, focus="ships"), block(2, focus="bread"))
    assert [each["key"] for each in ask(peer, "recall", query="ship")["blocks"]] == [key(1)]
    assert [each["key"] for each in ask(peer, "recall", query="  ")["blocks"]] == [key(2), key(1)]
    assert [each["key"] for each in ask(peer, "recall", limit=1)["blocks"]] == [key(2)]


def test_the_inbox_goes_on_where_it_was_acknowledged() -> None:
    peer = control(None, block(1), block(2), block(3))
    first = ask(peer, "inbox", limit=2)
    assert [each["seq"] for each in first["deliveries"]] == [1, 2]
    assert ask(peer, "inbox", limit=2, ack=True) == first, "reading alone moves nothing"
    assert [each["seq"] for each in ask(peer, "inbox", ack=True)["deliveries"]] == [3]
    assert ask(peer, "inbox") == {"deliveries": [], "cursor": 3, "gaps": []}
    assert [each["seq"] for each in ask(peer, "inbox", after=0)["deliveries"]] == [1, 2, 3]


def test_whoever_reads_the_inbox_on_has_finished_with_what_was_for_this_peer() -> None:
    node = FakeNode()
    peer = control(node, block(1), replace(block(2), to=ANN))
    ask(peer, "inbox")
    assert node.ends == [], "looking is not finishing"
    ask(peer, "inbox", ack=True)
    assert node.ends == [(block(2).assertion_id, "executed", "acknowledged by its reader")]


def test_what_is_missing_in_the_inbox_is_said_with_what_is_there() -> None:
    inbox = FakeInbox(block(1), block(2), block(3))
    inbox.gaps = [SimpleNamespace(node_id=BOB, first=4, last=0, reason="its sender began anew", late=False)]
    assert read_inbox(cast(Any, inbox), None, 10, False)["gaps"] == [
        {"of": BOB, "first": 4, "last": None, "reason": "its sender began anew", "late": False}
    ]
    inbox.gaps, inbox.rows = [], inbox.rows[2:]
    assert read_inbox(cast(Any, inbox), None, 10, False)["gaps"] == [
        {"of": "inbox", "first": 1, "last": 2, "reason": "nobody read them in time", "late": False}
    ]


def test_a_trace_has_the_block_first_and_names_what_is_missing() -> None:
    memory = FakeMemory(block(1, 7), block(2, 1), block(3, 1, 2))
    found = trace(memory, key(3), 10)
    assert [(each["depth"], each["block"]["key"]) for each in found["chain"]] == [
        (0, key(3)),
        (1, key(1)),
        (1, key(2)),
    ]
    assert (found["missing"], found["cut"]) == ([key(7)], False)
    assert trace(memory, key(2), 1)["cut"] is True
    with pytest.raises(IpcError, match="no such block here"):
        trace(memory, key(9), 1)


@pytest.mark.parametrize(
    ("cmd", "arguments"),
    [
        ("status", {"x": 1}),
        ("peers", {"x": 1}),
        ("stop", {"x": 1}),
        ("stop", {"timeout_seconds": -1}),
        ("stop", {"timeout_seconds": "1"}),
        ("cost", {"x": 1}),
        ("observe", {}),
        ("observe", {"categories": "focus"}),
        ("observe", {"categories": {"focus": None}}),
        ("observe", {"categories": {"colour": "red"}}),
        ("observe", {"categories": {"focus": "x"}, "to": "bob"}),
        ("observe", {"categories": {"focus": "x"}, "parents": "cmb"}),
        ("observe", {"categories": {"focus": "x"}, "parents": [1]}),
        ("observe", {"categories": {"focus": "x"}, "wait_seconds": "1"}),
        ("observe", {"categories": {"focus": "x"}, "wait_seconds": 601}),
        ("observe", {"categories": {"focus": "x"}, "wait_seconds": float("nan")}),
        ("send", {"categories": {"focus": "x"}}),
        ("send", {"categories": {"focus": "x"}, "to": 7}),
        ("recall", {"query": 7}),
        ("recall", {"limit": 0}),
        ("recall", {"limit": True}),
        ("inbox", {"after": -1}),
        ("inbox", {"ack": 1}),
        ("trace", {}),
        ("trace", {"key": 7}),
        ("trace", {"key": "k", "depth": 10**9}),
        ("trace", {"key": "k", "down": 1}),
        ("unknown", {}),
        ("_status", {}),
        ("handle", {}),
    ],
)
def test_what_is_wrong_is_refused_and_nothing_is_emitted(cmd: str, arguments: dict[str, object]) -> None:
    node, stopped = FakeNode(), list[float | None]()
    with pytest.raises(CoveyError) as caught:
        ask(control(node, agent=FakeAgent(), stopped=stopped), cmd, **arguments)
    assert caught.value.code in ("invalid_argument", "unknown_cmd")
    assert (node.proposals, stopped) == ([], [])
