"""Attacks on a running peer over its socket: each refused for its counted reason, and honest peers go on.

Every attack runs beside an honest peer that is connected before it. Afterwards the honest peer says
something, and the attacked one must hear it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from covey import limits
from covey.conform.reference import b64, framed, minified
from covey.model import Minted, Proposal
from covey.proto import news as nw
from covey.runtime.node import Node
from tests.e2e.forge import ATTACKER, Wire, forged, puppet
from tests.unit.runtime.meshkit import Heard, identity, node

Counters = dict[str, int]
Attack = Callable[[Node], Awaitable[None]]
CLOSED_1010 = 1010


def beside_an_honest_peer(attack: Attack) -> Counters:
    """Run an attack on a node, prove that its honest peer still reaches it, and return what it counted."""

    async def work() -> Counters:
        async with node(1) as victim, node(2) as honest:
            heard = Heard(victim)
            assert victim.port is not None
            honest.dial("127.0.0.1", victim.port)
            assert await honest.wait_for_peers(1, 20)
            async with asyncio.timeout(60):
                await attack(victim)
            sent = await honest.emit(Proposal({"focus": "still here", "intent": "go on"}))
            assert isinstance(sent, Minted)
            count, delivered = 0, []
            while sent.block not in delivered:
                count += 1
                delivered = [news.delivery.block for news in await heard.until(nw.Delivered, count)]
            return dict(victim.counters())

    return asyncio.run(work())


def on_a_session(*frames: Callable[[Any], Any], counted: str, times: int = 1) -> None:
    """Say frames on an open session; each must be counted, and the session must stay."""

    async def attack(victim: Node) -> None:
        async with await Wire.to(victim) as wire:
            made = await wire.opened()
            for frame in frames:
                await wire.say(frame(made))
            await wire.settled(made)

    found = beside_an_honest_peer(attack)
    assert found.get(counted) == times, found


def ends_a_session(say: Callable[[Wire, Any], Awaitable[None]], *, counted: str, code: int | None) -> None:
    """Do something on an open session that ends it, with a sealed error of this code."""
    said: list[dict[str, Any]] = []

    async def attack(victim: Node) -> None:
        async with await Wire.to(victim) as wire:
            made = await wire.opened()
            await wire.settled(made)
            await say(wire, made)
            if code is not None:
                said.append(made.read(await wire.hear()))
            await wire.rest()

    found = beside_an_honest_peer(attack)
    assert found.get(counted) == 1, found
    assert [error["code"] for error in said] == ([] if code is None else [code])


def fails_a_handshake(*data: bytes, counted: str) -> None:
    """Say something instead of a handshake: the connection closes and nothing is answered."""

    async def attack(victim: Node) -> None:
        async with await Wire.to(victim) as wire:
            wire.raw(*data)
            assert await wire.rest() == b"", "a failed handshake sends nothing"

    found = beside_an_honest_peer(attack)
    assert found.get(f"handshakes.failed.{counted}") == 1, found


# --- the handshake -------------------------------------------------------------------------------


def test_a_second_key_for_a_known_node_is_a_conflict() -> None:
    async def attack(victim: Node) -> None:
        async with await Wire.to(victim) as wire:
            thief = puppet(node_id=identity(2).node_id, name="peer-2")
            await wire.say(thief.hello)
            await wire.say(thief.finish(await wire.hear()))
            assert thief.read(await wire.hear())["code"] == 1009
            await wire.rest()

    assert beside_an_honest_peer(attack)["sessions.closed.identity_conflict"] == 1


def test_a_reflected_handshake_is_refused() -> None:
    async def attack(victim: Node) -> None:
        async with await Wire.to(victim) as first, await Wire.to(victim) as second:
            await first.say(puppet().hello)
            mirrored = await first.hear()
            offer = {name: mirrored[name] for name in puppet().hello}
            await second.say({**offer, "type": "client-hello"})
            assert await second.rest() == b""

    assert beside_an_honest_peer(attack)["handshakes.failed.self_peer"] == 1


def test_a_proof_of_another_handshake_is_refused() -> None:
    async def attack(victim: Node) -> None:
        async with await Wire.to(victim) as first, await Wire.to(victim) as second:
            one, two = puppet(1), puppet(2)
            await first.say(one.hello)
            await second.say(two.hello)
            finish = one.finish(await first.hear())
            await second.hear()
            await second.say(finish)
            assert await second.rest() == b""

    assert beside_an_honest_peer(attack)["handshakes.failed.transcript_mismatch"] == 1


def test_an_identity_without_its_key_is_refused() -> None:
    async def attack(victim: Node) -> None:
        async with await Wire.to(victim) as wire:
            made = puppet()
            made.hello["identityPublicKey"] = b64(identity(2).public_key)
            await wire.say(made.hello)
            await wire.say(made.finish(await wire.hear()))
            assert await wire.rest() == b""

    assert beside_an_honest_peer(attack)["handshakes.failed.bad_proof"] == 1


def test_a_key_exchange_that_yields_zero_is_refused() -> None:
    hello = {**puppet().hello, "e2ePublicKey": b64(bytes(32))}
    fails_a_handshake(framed(minified(hello).encode()), counted="weak_key_agreement")


def test_the_one_frame_handshake_is_refused() -> None:
    fails_a_handshake(framed(b'{"type":"handshake","nodeId":"x","name":"y"}'), counted="version_mismatch")


def test_another_version_is_refused() -> None:
    hello = {**puppet().hello, "protocolVersion": "1.1"}
    fails_a_handshake(framed(minified(hello).encode()), counted="version_mismatch")


@pytest.mark.parametrize("size", [0xFFFF_FFFF, 1_048_577, 16_385])
def test_a_length_bomb_before_the_proof_is_refused(size: int) -> None:
    fails_a_handshake(size.to_bytes(4, "big") + b"{", counted="frame_too_large")


@pytest.mark.parametrize(
    "body",
    [b"\xff\xfe", b"[" * 10_000, b'{"type":"client-hello","type":"client-hello"}', b"null", b"{}"],
    ids=["invalid utf-8", "deep json", "duplicate keys", "null", "nothing in it"],
)
def test_garbage_before_the_proof_is_refused(body: bytes) -> None:
    fails_a_handshake(framed(body), counted="malformed_handshake")


def test_a_sealed_frame_before_the_proof_is_refused() -> None:
    fails_a_handshake(framed(b'{"type":"cmb-encrypted"}'), counted="handshake_order")


def test_a_slow_loris_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async def attack(victim: Node) -> None:
        monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.2)
        async with await Wire.to(victim) as wire:
            wire.raw(framed(minified(puppet().hello).encode())[:7])
            assert await wire.rest() == b""

    assert beside_an_honest_peer(attack)["handshakes.failed.timeout"] == 1


def test_a_flood_of_strangers_costs_a_bounded_number_of_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UNPROVEN_LINKS", 8)
    held = []

    async def attack(victim: Node) -> None:
        wires = [await Wire.to(victim) for _ in range(32)]
        turned_away = {asyncio.create_task(wire.rest()) for wire in wires}
        while turned_away and len(held) < 24:
            done, turned_away = await asyncio.wait(turned_away, return_when=asyncio.FIRST_COMPLETED)
            held.extend(done)
        for task in turned_away:
            task.cancel()
        for wire in wires:
            wire.writer.close()

    found = beside_an_honest_peer(attack)
    assert len(held) >= 24
    assert found["sessions.opened"] == 1, "only the honest peer ever had a session"


# --- an open session: frames ---------------------------------------------------------------------


def test_a_swapped_direction_is_refused() -> None:
    on_a_session(
        lambda made: {**made.control({"type": "ping"}, sequence=9), "direction": "server-to-client"},
        counted="frames.refused.wrong_direction",
    )


def test_a_replay_is_discarded() -> None:
    frames: list[Any] = []

    def first(made: Any) -> Any:
        frames.append(made.control({"type": "mood", "mood": "calm"}))
        return frames[0]

    on_a_session(
        first, lambda made: frames[0], lambda made: frames[0], counted="frames.refused.replay", times=2
    )


def test_a_replay_of_another_session_does_not_open() -> None:
    async def attack(victim: Node) -> None:
        async with await Wire.to(victim) as first:
            made = await first.opened(1)
            stolen = made.record(forged("said once"))
            await first.say(stolen)
            await first.settled(made)
        async with await Wire.to(victim) as second:
            made = await second.opened(2)
            await second.say(stolen)
            assert made.schedule is not None
            await second.say({**stolen, "sessionId": made.schedule.session_id})
            await second.settled(made)

    found = beside_an_honest_peer(attack)
    assert (found["frames.refused.wrong_session"], found["frames.refused.bad_seal"]) == (1, 1)


def test_frames_out_of_order_end_the_session() -> None:
    async def say(wire: Wire, made: Any) -> None:
        early = made.control({"type": "ping"}, sequence=made.sequence + 1)
        await wire.say(early)

    ends_a_session(say, counted="sessions.closed.gap", code=CLOSED_1010)


def test_a_truncated_frame_is_a_lost_session() -> None:
    async def attack(victim: Node) -> None:
        async with await Wire.to(victim) as wire:
            made = await wire.opened()
            await wire.settled(made)
            wire.raw(framed(minified(made.control({"type": "ping"})).encode())[:50])
            wire.writer.write_eof()
            await wire.rest()

    assert beside_an_honest_peer(attack)["sessions.lost"] == 1


@pytest.mark.parametrize(
    ("size", "reason", "code"), [(1_048_577, "frame_too_large", 1003), (0, "frame_empty", CLOSED_1010)]
)
def test_a_length_bomb_on_a_session_ends_it(size: int, reason: str, code: int) -> None:
    async def say(wire: Wire, made: Any) -> None:
        wire.raw(size.to_bytes(4, "big"))

    ends_a_session(say, counted=f"sessions.closed.{reason}", code=code)


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"[" * 500_000, b'{"type":"ping","type":"ping"}', b"null", b'{"type":5}', b'{"a":' * 5_000],
    ids=["invalid utf-8", "deep json", "duplicate keys", "null", "no type", "deep objects"],
)
def test_garbage_in_the_clear_is_refused(body: bytes) -> None:
    on_a_session(lambda made: body, counted="frames.refused.malformed_frame")


@pytest.mark.parametrize(
    ("inner", "reason"),
    [
        (b"\xff", "malformed_frame"),
        (b"[" * 200_000, "malformed_frame"),
        (b'{"type":"mood","mood":"a","mood":"b"}', "malformed_control"),
        (b'{"type":"mood","mood":""}', "malformed_control"),
        (b'{"type":"cmb"}', "forbidden_inner"),
        (b'{"type":"relay-auth"}', "forbidden_inner"),
        (b'{"type":"cmb-anchors","keys":["cmb-1"]}', "malformed_control"),
    ],
)
def test_garbage_inside_a_seal_is_refused(inner: bytes, reason: str) -> None:
    on_a_session(lambda made: made.control(inner), counted=f"frames.refused.{reason}")


def test_a_record_in_the_clear_is_refused() -> None:
    on_a_session(lambda made: {"type": "cmb", "cmb": forged()}, counted="frames.refused.clear_record")


# --- an open session: records --------------------------------------------------------------------


def spoiled(**changes: Any) -> dict[str, Any]:
    record = forged()
    return {**record, "metadata": {**record["metadata"], **changes}}


def retold() -> dict[str, Any]:
    record = forged()
    focus = {**record["categories"]["focus"], "text": "something else"}
    return {**record, "categories": {**record["categories"], "focus": focus}}


def key_of(number: int) -> str:
    return "cmb-" + f"{number:064x}"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: forged(createdByNodeId=identity(2).node_id), "bad_signature"),
        (lambda: forged(createdByNodeId="018f47a0-7b21-7abc-8def-00000000dead"), "author_unknown"),
        (lambda: spoiled(lineage={"parents": [key_of(7)], "method": "x"}), "assertion_mismatch"),
        (lambda: spoiled(createdTimestamp=5), "assertion_mismatch"),
        (lambda: spoiled(key=key_of(1)), "address_mismatch"),
        (retold, "address_mismatch"),
        (lambda: forged(room="another-room"), "wrong_room"),
        (lambda: forged(to=identity(2).node_id), "wrong_audience"),
        (lambda: forged(createdTimestamp=4_000_000_000_000), "future_timestamp"),
        (lambda: forged(to=identity(1).node_id), "expired"),
    ],
    ids=[
        "forged author",
        "unknown author",
        "forged lineage",
        "forged time",
        "another address",
        "another text",
        "another room",
        "another audience",
        "from the future",
        "directed and old",
    ],
)
def test_a_forged_record_is_refused(make: Callable[[], Any], reason: str) -> None:
    on_a_session(lambda made: made.record(make()), counted=f"records.refused.{reason}")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: forged("cafe\u0301"), "not_nfc"),
        (lambda: forged(createdBy="cafe\u0301"), "not_nfc"),
        (lambda: forged("x" * 262_145), "too_large"),
        (lambda: spoiled(extra=1), "schema"),
        (lambda: spoiled(createdByNodeId=ATTACKER.upper()), "invalid_id"),
        (lambda: spoiled(key="cmb1-" + "0" * 64), "invalid_id"),
        (lambda: spoiled(signatureSuite="mmp-sig-v1"), "schema"),
    ],
    ids=[
        "text not nfc",
        "label not nfc",
        "too long",
        "one more member",
        "upper case",
        "1.1 key",
        "another suite",
    ],
)
def test_a_record_outside_its_form_is_refused(make: Callable[[], Any], reason: str) -> None:
    on_a_session(lambda made: made.record(make()), counted=f"frames.refused.{reason}")


def test_an_honest_record_of_the_puppet_is_admitted() -> None:
    # The forge itself is honest, or every refusal above could have another cause.
    on_a_session(lambda made: made.record(forged()), counted="records.admitted", times=2)
