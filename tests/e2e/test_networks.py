"""Peers on networks of their own: behind a relay, on one LAN, when cables are pulled and put back.

Rows A-08 and A-13 of the shared state: two nodes that nobody can dial exchange blocks through a relay, and
nothing but loopback listens on either.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.netns import Inside, Laboratory, laboratory, on_loopback
from tests.e2e.program import Running

TOKEN = "lab-t0ken"


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    with laboratory() as made:
        yield made


class Peer:
    """A running peer in a namespace: `covey run` with a scripted model that answers nothing."""

    def __init__(self, program: Inside, name: str, running: Running) -> None:
        self.program = program
        self.name = name
        self.running = running
        self.heard: list[dict[str, Any]] = []

    def say(self, text: str, to: str | None = None) -> dict[str, Any]:
        words = ("send", "--to", to, "--timeout", "0") if to else ("observe", "--wait", "0")
        ended = self.program(*words, "--room", "lab", "--peer", self.name, "--focus", text, "--json")
        assert "block" in ended.json, ended
        return ended.json

    def until(self, event: str, text: str | None = None) -> dict[str, Any]:
        """Read news until one of this name, about a block with this focus where one is given."""
        for line in self.running.lines():
            found: dict[str, Any] = json.loads(line)
            self.heard.append(found)
            if found["event"] == event and (text is None or _focus(found) == text):
                return found
        raise AssertionError(f"{self.name} ended before {event}: {self.running.process.communicate()}")

    def met(self) -> None:
        """Wait until the other is here; it may have come before this one was ready."""
        if not self.events("peer-joined"):
            self.until("peer-joined")

    def paths(self, other: str) -> list[dict[str, Any]]:
        for each in self.program("peers", self.name, "--json").json["peers"]:
            if each["name"] == other:
                found: list[dict[str, Any]] = each["paths"]
                return found
        return []

    def until_paths(self, other: str, *wanted: set[str]) -> list[dict[str, Any]]:
        """Ask until the kinds of paths to a peer are among those wanted."""
        while (found := self.paths(other)) is not None:
            if {path["path"] for path in found} in wanted:
                return found
        raise AssertionError

    def counted(self, name: str) -> int:
        found: int = self.program("status", self.name, "--json").json["node"]["counters"].get(name, 0)
        return found

    def events(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.heard if each["event"] == name]

    def delivered(self) -> list[str]:
        return [_focus(each) for each in self.events("delivered")]


def _focus(news: dict[str, Any]) -> str:
    focus: str = news.get("delivery", {}).get("block", {}).get("categories", {}).get("focus", "")
    return focus


@contextlib.contextmanager
def peer(lab: Laboratory, name: str, folder: Path, mesh: str) -> Iterator[Peer]:
    config = folder / f"{name}.toml"
    config.write_text(
        f'[identity]\nname = "{name}"\nrole = "generic"\n[mesh]\nroom = "lab"\n{mesh}\n'
        '[trust]\nstrangers_may_wake = false\n[model]\nadapter = "scripted"\n'
        '[[scripted.rules]]\nwhen = { focus = "^never$" }\nemit = { focus = "never" }\n'
    )
    program = lab.program(name, folder / f"home-{name}", COVEY_RELAY_TOKEN=TOKEN)
    with program.start("run", "--config", str(config), "--json") as running:
        made = Peer(program, name, running)
        made.until("ready")
        yield made


@contextlib.contextmanager
def relay(lab: Laboratory, folder: Path) -> Iterator[Running]:
    tokens = folder / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(f"lab {TOKEN}\n")
    program = lab.program("hub", folder / "home-hub")
    words = ("--listen", "0.0.0.0:8787", "--plain", "--tokens", str(tokens), "--json")
    with program.start("relay", *words) as running:
        running.event("relaying")
        yield running


def two_homes(lab: Laboratory) -> None:
    """Two networks of one host each, and a hub on both that forwards nothing: what NAT leaves to dial."""
    lab.add("hub", "ann", "bob")
    for number, name in ((1, "ann"), (2, "bob")):
        lab.cable(name, "eth0", "hub", f"to-{name}")
        lab.address(name, "eth0", f"10.71.{number}.2/24")
        lab.address("hub", f"to-{name}", f"10.71.{number}.1/24")


def one_lan(lab: Laboratory, *, multicast: bool = True, up: bool = True) -> None:
    """A switch between ann and bob, with IPv4 and IPv6."""
    lab.add("lan")
    for number, name in ((1, "ann"), (2, "bob")):
        lab.cable(name, "eth1", "lan", f"to-{name}")
        lab.address(name, "eth1", f"10.72.0.{number}/24", f"fd72::{number}/64")
        if not up:
            lab.ip(name, "link", "set", "eth1", "down")
    lab.bridge("lan", "to-ann", "to-bob")
    if not multicast:
        for interface in ("to-ann", "to-bob"):
            lab.ip("lan", "link", "set", interface, "type", "bridge_slave", "mcast_flood", "off")


def through(number: int) -> str:
    return f'relay = "ws://10.71.{number}.1:8787"\nrelay_plain = true\n'


def test_a08_a13_two_nodes_that_nobody_can_dial_meet_at_a_relay_and_only_loopback_listens(
    lab: Laboratory, tmp_path: Path
) -> None:
    two_homes(lab)
    with (
        relay(lab, tmp_path),
        peer(lab, "ann", tmp_path, through(1)) as ann,
        peer(lab, "bob", tmp_path, through(2)) as bob,
    ):
        ann.met()
        bob.met()
        ann.say("out through the relay")
        bob.until("delivered", "out through the relay")
        bob.say("and back the same way")
        ann.until("delivered", "and back the same way")
        for name in ("ann", "bob"):
            assert lab.listeners(name), "its own loopback port, or the table was not read"
            assert on_loopback(lab.listeners(name))
        assert not on_loopback(lab.listeners("hub")), "the relay itself can be dialled"
        (path,) = ann.paths("bob")
        assert (path["path"], path["carries"]) == ("relay", True)


def test_a08_peers_that_met_at_a_relay_find_the_lan_they_share_and_move_between_both_without_a_goodbye(
    lab: Laboratory, tmp_path: Path
) -> None:
    two_homes(lab)
    one_lan(lab, multicast=False, up=False)  # so that only what they tell each other can lead there
    on_both = "lan = true\n"
    with (
        relay(lab, tmp_path),
        peer(lab, "ann", tmp_path, on_both + through(1)) as ann,
        peer(lab, "bob", tmp_path, on_both + through(2)) as bob,
    ):
        ann.met()
        bob.met()
        unheeded = ann.counted("paths.ignored.address")
        lab.ip("bob", "link", "set", "eth1", "up")
        while ann.counted("paths.ignored.address") == unheeded:
            pass  # bob tells of a network that ann is not on yet
        lab.ip("ann", "link", "set", "eth1", "up")
        paths = ann.until_paths("bob", {"direct", "relay"}, {"inbound", "relay"})
        (carries,) = [path for path in paths if path["carries"]]
        assert carries["address"].startswith("10.72.0.2:"), "the LAN carries, the relay stands by"
        said = [f"on the LAN {number}" for number in range(2)]
        for text in said:
            ann.say(text, to="bob")
        bob.until("delivered", said[-1])
        lab.ip("ann", "link", "set", "eth1", "down")
        more = [f"with the cable pulled {number}" for number in range(3)]
        for text in more:
            ann.say(text, to="bob")
            bob.say(f"bob: {text}", to="ann")
        bob.until("delivered", more[-1])
        ann.until("delivered", f"bob: {more[-1]}")
        ann.until_paths("bob", {"relay"})
        assert ann.events("peer-left") == bob.events("peer-left") == []
        assert bob.delivered() == [*said, *more], "all of them, in order, once"
        assert ann.delivered() == [f"bob: {text}" for text in more]


@pytest.mark.parametrize("version", [4, 6])
def test_a08_peers_of_one_lan_find_each_other_by_multicast_and_nothing_else(
    lab: Laboratory, tmp_path: Path, version: int
) -> None:
    lab.add("ann", "bob")
    lab.cable("ann", "eth0", "bob", "eth0")
    if version == 4:  # else the link-local addresses that the cable's ends have by themselves
        for number, name in ((1, "ann"), (2, "bob")):
            lab.address(name, "eth0", f"10.73.0.{number}/24")
    with (
        peer(lab, "ann", tmp_path, "lan = true\n") as ann,
        peer(lab, "bob", tmp_path, "lan = true\n") as bob,
    ):
        ann.met()
        bob.met()
        (path,) = ann.paths("bob")
        assert path["address"].startswith("10.73.0.2:" if version == 4 else "[fe80::")
        assert path["path"] in ("mdns", "inbound")


def test_a08_a_partition_heals_and_nothing_is_lost_or_delivered_twice(
    lab: Laboratory, tmp_path: Path
) -> None:
    lab.add("ann", "bob")
    one_lan(lab)
    with (
        peer(lab, "ann", tmp_path, 'lan = true\ninterfaces = ["eth1"]\n') as ann,
        peer(lab, "bob", tmp_path, 'lan = true\ninterfaces = ["eth1"]\n') as bob,
    ):
        ann.met()
        bob.met()
        ann.say("before")
        bob.until("delivered", "before")
        lab.ip("lan", "link", "set", "to-ann", "down")
        texts = [f"into the void {number}" for number in range(3)]
        bob_id = bob.program("fingerprint", "bob", "--json").json["node_id"]
        for text in texts:  # into a dead connection at first, into the outbox once the cable's loss is seen
            ann.say(text, to=bob_id)
        lab.ip("lan", "link", "set", "to-ann", "up")
        bob.until("delivered", texts[-1])
        ann.say("after")
        bob.until("delivered", "after")
        assert bob.delivered() == ["before", *texts, "after"]
