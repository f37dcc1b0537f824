"""Invites between peers that met: who was invited says so, and is trusted from then on.

Rules: what is shown is the invite's id, which only its holders know; what is kept is its digest. An invite
trusts the key that the session proved, never a name. The first key that shows a single-use invite is the only
one; the answer goes out once that is durable. A wrong id says nothing of which ids there are.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from covey import limits
from covey.proto.controls import json_object
from covey.proto.effects import Notify
from covey.proto.link import Lane
from covey.proto.news import InviteAnswered
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn

TOKEN = "x-covey-invite-v1"
FRAME = "x-covey-invite"
Answer = Literal["welcome", "used", "expired", "unknown", "busy"]
_ID = re.compile(r"[0-9a-f]{32}\Z")
_ANSWERS: tuple[Answer, ...] = ("welcome", "used", "expired", "unknown", "busy")


@dataclass(frozen=True, slots=True)
class Given:
    """An invite this peer gave: the SHA-256 of its id in hex, its end, and the keys that came with it."""

    digest: str
    expires_ms: int
    once: bool
    guests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """An invite this peer was given: its id in hex, and who must be shown it, under which key."""

    invite_id: str
    node_id: str
    fingerprint: str
    expires_ms: int


# --- what the shell says, and what it is asked ------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Restored:
    """What was kept: invites given and taken."""

    given: tuple[Given, ...] = ()
    taken: tuple[Taken, ...] = ()


@dataclass(frozen=True, slots=True)
class Offered:
    """A new invite was given, and is durable."""

    given: Given


@dataclass(frozen=True, slots=True)
class Named:
    """An invite names its guest: this key is trusted from now on."""

    node_id: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Welcomed:
    """What `Welcome` asked for is durable, or (`ok` False) could not be written."""

    digest: str
    node_id: str
    fingerprint: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Welcome:
    """Remember that this key came with this invite, and trust it from now on; answer with `Welcomed`."""

    given: Given
    node_id: str
    fingerprint: str
    name: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The inviter's answer came: a taken invite need not be shown again."""

    taken: Taken
    answer: Answer


class Inviting:
    """Both ends of an invite: it is shown by who took it, and judged by who gave it."""

    name = "invite"
    token: str | None = TOKEN
    frames = frozenset({FRAME})

    def __init__(self) -> None:
        self._given: dict[str, Given] = {}
        self._taken: dict[str, Taken] = {}
        self._lanes: dict[str, Lane] = {}

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Begin; what was kept comes as `Restored`."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Show an invite to who gave it, under the key that it names and no other."""
        taken = self._taken.get(peer.node_id)
        if taken is None or taken.fingerprint != peer.fingerprint:
            return
        if turn.now.wall_ms >= taken.expires_ms + limits.INVITE_SKEW_MS:
            turn.count("invites.expired")
            return
        self._host.send(peer.node_id, _frame(id=taken.invite_id), turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Forget how much a peer has asked; the next session has to be made first."""
        self._lanes.pop(peer.node_id, None)

    def due(self, whom: str, turn: Turn) -> None:
        """Nothing here waits for a time."""

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Take an invite that is shown, or the answer to ours."""
        value = json_object(frame) if len(frame) <= limits.INVITE_FRAME_BYTES else None
        if value is not None and value.keys() == {"type", "id"} and _is_id(value["id"]):
            self._shown(peer, value["id"], turn)
        elif value is not None and value.keys() == {"type", "answer"} and value["answer"] in _ANSWERS:
            self._answered(peer, value["answer"], turn)
        else:
            turn.count(f"frames.refused.{FRAME}")
            turn.log("warn", "invite-frame-refused", peer=peer.name, node_id=peer.node_id)

    def told(self, what: object, turn: Turn) -> None:
        """Take what the shell restored, gave, or made durable."""
        if isinstance(what, Restored):
            self._given = {each.digest: each for each in what.given}
            self._taken = {each.node_id: each for each in what.taken}
            for peer in self._host.peers():
                self.joined(peer, turn)
        elif isinstance(what, Offered):
            self._given[what.given.digest] = what.given
        elif isinstance(what, Named):
            self._host.trust(what.node_id, what.fingerprint)
        elif isinstance(what, Welcomed):
            self._welcomed(what, turn)

    # --- below ----------------------------------------------------------------------------------

    def _shown(self, peer: Peer, invite_id: str, turn: Turn) -> None:
        lane = self._lanes.setdefault(
            peer.node_id, Lane(limits.INVITE_TRIES_PER_SECOND, limits.INVITE_TRIES_BURST)
        )
        lane.refill(turn.now.monotonic)
        if lane.wait_seconds() > 0.0:
            turn.count("invites.ignored.too_many")
            return
        lane.tokens -= 1.0
        given = self._given.get(digest_of(invite_id))
        refused = _refusal(given, peer, turn.now.wall_ms)
        if refused is not None or given is None:
            self._refuse(peer, refused or "unknown", turn)
            return
        if peer.fingerprint not in given.guests:
            given = replace(given, guests=(*given.guests, peer.fingerprint))
            self._given[given.digest] = (
                given  # at once: a second key must not slip in while the first is written
            )
        self._host.want(Welcome(given, peer.node_id, peer.fingerprint, peer.name), turn)

    def _refuse(self, peer: Peer, answer: Answer, turn: Turn) -> None:
        turn.count(f"invites.refused.{answer}")
        facts = {"node_id": peer.node_id, "fingerprint": peer.fingerprint, "reason": answer}
        turn.log("warn", "invite-refused", peer=peer.name, **facts)
        turn.add(Notify(InviteAnswered(peer.node_id, peer.name, answer, ours=True)))
        self._host.send(peer.node_id, _frame(answer=answer), turn)

    def _welcomed(self, what: Welcomed, turn: Turn) -> None:
        given = self._given.get(what.digest)
        if not what.ok:
            if given is not None:
                left = tuple(guest for guest in given.guests if guest != what.fingerprint)
                self._given[what.digest] = replace(given, guests=left)
            self._host.send(what.node_id, _frame(answer="busy"), turn)
            return
        turn.count("invites.welcomed")
        turn.log("info", "invite-welcomed", node_id=what.node_id, fingerprint=what.fingerprint)
        peer = self._host.peer(what.node_id)
        turn.add(Notify(InviteAnswered(what.node_id, peer.name if peer else "", "welcome", ours=True)))
        self._host.trust(what.node_id, what.fingerprint)
        self._host.send(what.node_id, _frame(answer="welcome"), turn)

    def _answered(self, peer: Peer, answer: Answer, turn: Turn) -> None:
        taken = self._taken.get(peer.node_id)
        if taken is None or taken.fingerprint != peer.fingerprint:
            turn.count("invites.ignored.unasked")
            return
        turn.count(f"invites.answered.{answer}")
        turn.log("info" if answer == "welcome" else "warn", "invite-answered", peer=peer.name, answer=answer)
        turn.add(Notify(InviteAnswered(peer.node_id, peer.name, answer, ours=False)))
        if answer != "busy":  # then it is shown again when we meet next
            del self._taken[peer.node_id]
            self._host.want(Answered(taken, answer), turn)


def digest_of(invite_id: str) -> str:
    """Return what is kept of an invite's id: its SHA-256 in hex."""
    return hashlib.sha256(bytes.fromhex(invite_id)).hexdigest()


def with_given(given: Sequence[Given], new: Given, now_ms: int) -> tuple[Given, ...]:
    """Return the invites that are kept once a new one was given."""
    return living((*given, new), now_ms)


def living(given: Sequence[Given], now_ms: int) -> tuple[Given, ...]:
    """Return the invites that can still be shown, the newest last; beyond the bound the oldest go."""
    alive = [each for each in given if now_ms < each.expires_ms + limits.INVITE_SKEW_MS]
    return tuple(alive[-limits.INVITES :])


def _refusal(given: Given | None, peer: Peer, now_ms: int) -> Answer | None:
    if given is None:
        return "unknown"
    if now_ms >= given.expires_ms + limits.INVITE_SKEW_MS:
        return "expired"
    if peer.fingerprint in given.guests:
        return None
    if given.once and given.guests:
        return "used"
    return "busy" if len(given.guests) >= limits.INVITE_GUESTS else None


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.match(value) is not None


def _frame(**members: str) -> bytes:
    return json.dumps({"type": FRAME, **members}, separators=(",", ":")).encode()
