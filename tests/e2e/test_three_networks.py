"""Three machines on three networks: they meet by an invite, and reach each other over whom they meet."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.netns import Inside, Laboratory, laboratory, on_loopback
from tests.e2e.program import Running
from tests.e2e.test_networks import TOKEN

NAMES = ("ann", "bob", "cid")
RELAY = "10.71.9.9"
"""An address of the hub's own, to which each network has a way and which leads to no other network."""


@pytest.fixture
def lab() -> Iterator[Laboratory]:
    with laboratory() as made:
        yield made


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of the relay, which its peers are told to believe."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed: no certificate for a relay")
    made, key = folder / "cert.pem", folder / "key.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    names = ["-subj", "/CN=relay", "-addext", f"subjectAltName=IP:{RELAY}"]
    files = ["-keyout", str(key), "-out", str(made)]
    subprocess.run([openssl, *words, *names, *files], check=True, capture_output=True, timeout=60)
    return made, key


def three_networks(lab: Laboratory) -> None:
    """Give each of three hosts a network of its own; only the hub is a part of all, and forwards nothing."""
    lab.add("hub", *NAMES)
    lab.ip("hub", "addr", "add", f"{RELAY}/32", "dev", "lo")
    for number, name in enumerate(NAMES, 1):
        lab.cable(name, "eth0", "hub", f"to-{name}")
        lab.address(name, "eth0", f"10.71.{number}.2/24")
        lab.address("hub", f"to-{name}", f"10.71.{number}.1/24")
        lab.ip(name, "route", "add", f"{RELAY}/32", "via", f"10.71.{number}.1")


@contextlib.contextmanager
def relay(lab: Laboratory, folder: Path, cert: Path, key: Path) -> Iterator[Running]:
    tokens = folder / "tokens"
    tokens.touch(mode=0o600)
    tokens.write_text(f"lab {TOKEN}\n")
    words = ("--cert", str(cert), "--key", str(key), "--tokens", str(tokens), "--json")
    with lab.program("hub", folder / "home-hub").start("relay", "--listen", f"{RELAY}:8787", *words) as made:
        made.event("relaying")
        yield made


def shown(program: Inside, peer: str) -> dict[str, tuple[str, int]]:
    """Return of every peer whose round trip is known the path, and when its session opened, by name."""
    found = {}
    for each in program("peers", peer, "--json").json["peers"]:
        for path in each["paths"]:
            if path["rtt_ms"] is not None:
                found[each["name"]] = (path["path"], each["since_ms"])
    return found


def test_a01_three_hosts_of_three_networks_form_one_mesh_by_an_invite_within_five_seconds(
    lab: Laboratory, tmp_path: Path
) -> None:
    three_networks(lab)
    cert, key = certificate(tmp_path)
    env = {"COVEY_RELAY_TOKEN": TOKEN, "SSL_CERT_FILE": str(cert)}
    programs = {name: lab.program(name, tmp_path / f"home-{name}", **env) for name in NAMES}
    with contextlib.ExitStack() as stack:
        stack.enter_context(relay(lab, tmp_path, cert, key))
        words = ("invite", "ann", "--listen", "--json", "--room", "lab", "--relay", f"wss://{RELAY}:8787")
        ann = stack.enter_context(programs["ann"].start(*words))
        line = ann.event("invite")["invite"]
        ann.event("listening")
        file = tmp_path / "invite.txt"
        file.touch(mode=0o600)
        file.write_text(line + "\n")
        for name in NAMES[1:]:
            config = tmp_path / f"{name}.toml"
            words = ("join", "--file", str(file), "--name", name, "--config", str(config), "--yes")
            stack.enter_context(programs[name].start(*words, "--listen", "--json")).event("listening")
        began_ms = int(time.time() * 1000)
        for name in NAMES:
            while set(found := shown(programs[name], name)) != set(NAMES) - {name}:
                pass
            assert {path for path, _ in found.values()} == {"relay"}
            assert max(since_ms for _, since_ms in found.values()) < began_ms + 5_000
        for name in NAMES:
            assert on_loopback(lab.listeners(name)), "nothing that could be dialled from elsewhere"


def test_a04_a_message_reaches_whom_its_sender_never_meets_over_the_one_between_and_says_so(
    lab: Laboratory, tmp_path: Path
) -> None:
    lab.add(*NAMES)
    for number, name in ((1, "ann"), (2, "cid")):  # bob has a foot in both networks, and forwards no packet
        lab.cable(name, "eth0", "bob", f"to-{name}")
        lab.address(name, "eth0", f"10.74.{number}.2/24")
        lab.address("bob", f"to-{name}", f"10.74.{number}.1/24")
    programs = {name: lab.program(name, tmp_path / f"home-{name}") for name in NAMES}
    with contextlib.ExitStack() as stack:
        for name in NAMES:
            words = ("listen", name, "--room", "lab", "--lan", "--json")
            stack.enter_context(programs[name].start(*words)).event("listening")
        ann, cid = programs["ann"], programs["cid"]
        assert cid("state", "set", "cid", "here", "true").code == 0
        with ann.start("state", "watch", "ann", "--json") as watching:
            watching.event("watching")
            while ann("state", "get", "ann", "here").code != 0:
                watching.event("state")
        author = cid("state", "status", "cid", "--json").json["author"]
        assert ann("channel", "open", "ann", "talk", "--member", author).code == 0
        watching = stack.enter_context(cid.start("channel", "watch", "cid", "--json"))
        watching.event("watching")
        assert ann("channel", "send", "ann", "talk", "around the corner").code == 0
        heard = watching.event("channel")
        assert (heard["value"], heard["over"]) == ("around the corner", "bob"), "the path it came"
        assert "over bob" in cid("channel", "read", "cid", "talk").out
        for name, other in (("ann", "cid"), ("cid", "ann")):
            peers = programs[name]("peers", name, "--json").json["peers"]
            assert [each["name"] for each in peers] == ["bob"], f"{name} never met {other}"
