"""A recorded conversation of stock Node peers with the stock relay, held against both of our ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from covey.proto.relay import client as rc
from covey.proto.relay import frames
from covey.proto.relay import server as rs

Json = Any
PEERS = (1, 2)
"""The connections of the two peers; the third of the recording is one with a wrong token."""


def captured(golden: Callable[[str], Any]) -> list[Json]:
    found: list[Json] = golden("captured-relay-ws.json")["frames"]
    return found


def test_our_relay_answers_stock_peers_as_theirs_did(golden: Callable[[str], Any]) -> None:
    relay = rs.RelayServer(rs.Access({rs.digest("tok-1"): "default"}))
    said: dict[int, list[Json]] = {conn: [] for conn in PEERS}
    theirs: dict[int, list[Json]] = {conn: [] for conn in PEERS}

    def do(event: rs.Event, now: float) -> None:
        for effect in relay.handle(event, now):
            if isinstance(effect, rs.Say):
                said[effect.conn].append(json.loads(effect.message))
                do(rs.Written(effect.conn, len(effect.message)), now)

    for each in captured(golden):
        conn, now = each.get("id"), each["t"] / 1000.0
        while (due := relay.next_timer()) is not None and due <= now:
            do(rs.Tick(), due)
        if conn not in PEERS:
            continue
        if "open" in each:
            do(rs.Opened(conn, "recorded"), now)
        elif each.get("dir") == "client->relay":
            do(rs.Heard(conn, each["text"].encode()), now)
        elif each.get("dir") == "relay->client":
            theirs[conn].append(json.loads(each["text"]))
        elif "closeByClient" in each:
            do(rs.Gone(conn), now)

    def no_pings(heard: list[Json]) -> list[Json]:
        return [frame for frame in heard if frame.get("type") != "relay-ping"]

    for conn in PEERS:
        assert len(no_pings(theirs[conn])) >= 5
        assert no_pings(said[conn]) == no_pings(theirs[conn])


def test_our_client_understands_the_stock_relay(golden: Callable[[str], Any]) -> None:
    first = next(each for each in captured(golden) if each.get("dir") == "client->relay")
    auth = json.loads(first["text"])
    ours = rc.RelayClient(frames.Auth(auth["nodeId"], auth["name"], auth["token"]), "recorded")
    told: list[Any] = []
    wrote: list[Json] = []

    def do(event: rc.Event, now: float) -> None:
        for effect in ours.handle(event, now):
            if isinstance(effect, rc.Transmit):
                wrote.append(json.loads(effect.message))
            elif isinstance(effect, rc.Presence | rc.Arrived | rc.Undelivered):
                told.append(effect)

    do(rc.Begin(), 0.0)
    do(rc.Up(), 0.0)
    assert wrote == [auth]
    heard = [e for e in captured(golden) if e.get("id") == 1 and e.get("dir") == "relay->client"]
    for each in heard:
        do(rc.Heard(each["text"].encode()), each["t"] / 1000.0)
    kinds = [effect.kind for effect in told if isinstance(effect, rc.Arrived)]
    came = [(effect.name, effect.online) for effect in told if isinstance(effect, rc.Presence)]
    assert came == [("rbob", True), ("rbob", False)]
    assert kinds[:2] == ["handshake", "attestation"]
    assert [frame["type"] for frame in wrote[1:]].count("relay-pong") == 2
