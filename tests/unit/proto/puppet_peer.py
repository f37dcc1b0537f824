"""A puppet on the virtual mesh: it proves an identity by hand and then says anything, right or wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from covey import _core
from covey.conform.reference import Puppet, framed, minified
from covey.proto import effects as fx
from tests.unit.proto.virtual import START_MS, Host, Mesh, identity

Json = dict[str, Any]


class PuppetPeer:
    """A client that connected to one host. Its identity's key is that of `virtual.identity(number)`."""

    def __init__(self, mesh: Mesh, host: Host, number: int, *, link: int = 1000, **hello: Any) -> None:
        self.mesh, self.host, self.link = mesh, host, link
        self.identity = identity(number)
        seed = hashlib.sha256(f"seed {number}".encode()).digest()
        self.puppet = Puppet(
            node_id=self.identity.node_id,
            name=self.identity.name,
            seed=hello.pop("seed", seed),
            room="default",
            e2e_secret=mesh.entropy(32),
            nonce=mesh.entropy(32),
            extensions=hello.pop("extensions", ()),
        )
        self.puppet.hello |= hello
        self.raw: list[Json] = []
        self.closed = self.paused = False
        self.other = self
        self.waiting = _Inbox(self)
        host.ends[link] = self  # type: ignore[assignment]  # stands in for the connection's end
        host.feed(fx.LinkOpened(link, True, "127.0.0.1:7", True, mesh.entropy(64)))
        mesh.settle()
        self.give(self.puppet.hello)
        if self.raw:
            self.give(self.puppet.finish(self.raw[0]))

    def give(self, *frames: Mapping[str, Any] | bytes) -> None:
        """Let the host read frames."""
        for frame in frames:
            body = frame if isinstance(frame, bytes) else minified(frame).encode()
            self.host.feed(fx.LinkData(self.link, framed(body), self.mesh.entropy(32)))
            self.mesh.settle()

    def say(self, inner: object) -> None:
        """Seal a control frame."""
        self.give(self.puppet.control(inner))

    def heard(self) -> list[Json]:
        """Return the control frames that the host sealed for us, opened."""
        return [self.puppet.read(frame) for frame in self.raw if frame["type"] == "control-encrypted"]

    def errors(self) -> list[int]:
        """Return the codes of the errors that the host sealed for us."""
        return [frame["code"] for frame in self.heard() if frame["type"] == "error"]

    def record(self, text: str, *, to: str | None = None, application: Any = None) -> Json:
        """Sign a record of this identity."""
        draft = _core.Draft(
            {"focus": text, "intent": f"say {text}"},
            node_id=self.identity.node_id,
            author=self.identity.name,
            created_ms=START_MS + 1_000_000,
            room="default",
            to=to,
            application=application,
        )
        made = _core.sign(draft, self.identity)
        self.mesh.texts[made.key] = text
        value: Json = json.loads(made.to_json())
        return value


class _Inbox:
    """What the host writes to a puppet, cut into frames."""

    def __init__(self, peer: PuppetPeer) -> None:
        self._peer = peer
        self._held = b""

    def extend(self, chunks: list[bytes]) -> None:
        self._held += b"".join(chunks)
        while len(self._held) >= 4 and len(self._held) >= 4 + (size := int.from_bytes(self._held[:4], "big")):
            self._peer.raw.append(json.loads(self._held[4 : 4 + size]))
            self._held = self._held[4 + size :]

    def append(self, _: bytes) -> None:
        self._peer.closed = True

    def __bool__(self) -> bool:
        return False
