"""What a hostile peer needs: records signed by hand, and a socket with a puppet on it.

Everything is made by the kit's second writing of the constructions (`covey.conform.reference`), so that a
test can also make what the native core refuses to make.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any, Self

from nacl.signing import SigningKey

from covey import core
from covey.conform.reference import Json, Puppet, b64, framed, lp, minified
from covey.runtime.node import Node

ATTACKER = "018f47a0-7b21-7abc-8def-00000000a77a"
SEED = b"\xa7" * 32
ROOM = "default"


def hexadecimal(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def forged(text: str = "from the attacker", *, seed: bytes = SEED, **metadata: Any) -> Json:
    """Sign a record by hand; `metadata` replaces members before they are signed."""
    texts = {name: text if name == "focus" else "neutral" for name in core.CATEGORIES}
    keys = {n: hashlib.sha256(b"mmp-cmb-v1\n" + lp(n) + lp(said)).digest() for n, said in texts.items()}
    level = [hashlib.sha256(b"\x00" + key).digest() for key in keys.values()]
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\x01" + b"".join(p)).digest() if len(p) == 2 else p[0] for p in pairs]
    said: Json = {
        "key": "cmb-" + level[0].hex(),
        "addressScheme": "mmp-cmb-merkle-v2",
        "signatureSuite": "mmp-sig-v2.0",
        "createdByNodeId": ATTACKER,
        "createdBy": "attacker",
        "createdTimestamp": 1_000,
        "room": ROOM,
        "to": None,
        "lineage": None,
        "application": None,
        **metadata,
    }
    parents = (said["lineage"] or {"parents": []})["parents"]
    no_parents = hexadecimal(b"mmp-fp-v1\n", *(lp(name) + lp(0) for name in core.CATEGORIES))
    signed = [
        said[n] for n in ("addressScheme", "key", "createdByNodeId", "createdBy", "createdTimestamp", "room")
    ]
    tail = (
        said["to"] or "",
        len(parents),
        *sorted(parents),
        no_parents,
        hexadecimal(b"mmp-app-v1\n", lp("0")),
    )
    payload = b"mmp-sig-v2.0\n" + b"".join(map(lp, ("2.0", *signed, *tail)))
    said |= {
        "assertionId": "asrt-" + hashlib.sha256(payload).hexdigest(),
        "sigAlg": "ed25519",
        "sig": b64(SigningKey(seed).sign(payload).signature),
    }
    entries = {n: {"text": texts[n], "meta": {"key": keys[n].hex(), "parents": []}} for n in texts}
    return {"categories": entries, "metadata": said}


class Wire:
    """One connection to a node, and the puppet that speaks on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @staticmethod
    async def to(node: Node) -> Wire:
        assert node.port is not None
        return Wire(*await asyncio.open_connection("127.0.0.1", node.port))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()

    async def say(self, *frames: Json | bytes) -> None:
        """Write frames, given as values or as the bytes of a frame."""
        self.raw(*(framed(f if isinstance(f, bytes) else minified(f).encode()) for f in frames))
        await self.writer.drain()

    def raw(self, *data: bytes) -> None:
        self.writer.writelines(data)

    async def hear(self) -> Json:
        """Read one frame."""
        size = int.from_bytes(await self.reader.readexactly(4), "big")
        frame: Json = json.loads(await self.reader.readexactly(size))
        return frame

    async def rest(self) -> bytes:
        """Read until the node closes: what it still said."""
        return await self.reader.read()

    async def opened(self, number: int = 0, **who: Any) -> Puppet:
        """Complete a handshake and send the empty `cmb-anchors` that goes first."""
        made = puppet(number, **who)
        await self.say(made.hello)
        await self.say(made.finish(await self.hear()))
        await self.say(made.control({"type": "cmb-anchors", "keys": []}))
        return made

    async def settled(self, made: Puppet) -> None:
        """Wait until the node has read everything said so far: it answers a ping last."""
        await self.say(made.control({"type": "ping"}))
        while True:
            frame = await self.hear()
            if frame["type"] == "control-encrypted" and made.read(frame) == {"type": "pong"}:
                return


def puppet(number: int = 0, **who: Any) -> Puppet:
    """Return a puppet of the attacker, or of `who`; `number` gives it fresh randomness."""
    fresh = {
        "e2e_secret": hashlib.sha256(b"e%d" % number).digest(),
        "nonce": hashlib.sha256(b"n%d" % number).digest(),
    }
    return Puppet(**{"node_id": ATTACKER, "name": "attacker", "seed": SEED, "room": ROOM, **fresh, **who})
