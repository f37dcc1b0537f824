"""Calls between peers, sans-IO: numbers, credit, bounds, and an end for each call.

Rules: nothing of a body comes before its caller was let in, nothing more than was credited, and no more calls
than the bounds say; whoever breaks that is answered with the end of its call, counted, and logged once. A
frame that a slow session does not take waits in the call's own line, which credit bounds, and goes later.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import field
from typing import TYPE_CHECKING, Final

from covey import limits
from covey.proto.door import frames, words
from covey.proto.door.words import From
from covey.values import dataclass

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn

_AGAIN_SECONDS: Final = 0.05
_LOOK: Final = "look"


@dataclass(slots=True)
class _Out:
    """A call of ours: to whom, its number there, and when it counts as lost."""

    token: int
    node_id: str
    call: int
    until: float | None
    line: deque[bytes] = field(default_factory=deque)
    credit: int = limits.DOOR_CREDIT
    """Pieces of the answer that may still come."""


@dataclass(slots=True)
class _In:
    """A call from elsewhere."""

    at: From
    size: int
    until: float | None
    line: deque[bytes] = field(default_factory=deque)
    body: bytearray = field(default_factory=bytearray)
    credit: int = 0
    """Pieces of the body that may still come."""
    whole: bool = False
    ended: bool = False
    """The shell has said all; the rest of the line is still to leave."""


class DoorCalls:
    """One node's calls to others' models, and others' to its own. An `Extension`."""

    def __init__(self) -> None:
        self.name = "door"
        self.token: str | None = frames.TOKEN
        self.frames = frozenset({frames.FRAME_TYPE})
        self._host: ExtensionHost
        self._open = False
        self._out: dict[int, _Out] = {}
        self._by_number: dict[From, int] = {}
        self._in: dict[From, _In] = {}
        self._each: Counter[str] = Counter()
        self._number = 0
        self._complained: set[tuple[str, str]] = set()

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Nothing is restored: a call does not outlive its session."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Nothing is said before somebody calls."""

    def left(self, peer: Peer, turn: Turn) -> None:
        """End every call with a peer whose last session is gone."""
        self._complained = {each for each in self._complained if each[0] != peer.node_id}
        for out in [each for each in self._out.values() if each.node_id == peer.node_id]:
            self._over(out, "session-lost", turn)
        for at in [at for at in self._in if at.node_id == peer.node_id]:
            self._drop(at)
            self._host.want(words.Gone(at, "session-lost"), turn)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Read one frame."""
        try:
            read = frames.read(frame)
        except frames.BadFrameError as error:
            turn.count(f"frames.refused.{kind}")
            self._complain(peer, f"frame-{error}", turn)
            return
        at = From(peer.node_id, read.call)
        if isinstance(read, frames.Ask):
            self._asked(peer, at, read, turn)
        elif isinstance(read, frames.Cancel):
            if at in self._in:
                self._drop(at)
                self._host.want(words.Gone(at, "cancelled"), turn)
        elif isinstance(read, frames.Piece) and read.op == "body":
            self._body(peer, at, read.data, turn)
        elif isinstance(read, frames.Credit) and read.op == "more":
            if at in self._in:
                self._host.want(words.Credited(at, read.pieces), turn)
        else:
            self._answered(peer, at, read, turn)

    def due(self, whom: str, turn: Turn) -> None:
        """Send what a slow session did not take, and give up what is stale."""
        now = turn.now.monotonic
        for out in list(self._out.values()):
            if out.until is not None and out.until <= now:
                self._host.send(out.node_id, frames.write(frames.Cancel(out.call)), turn)
                self._over(out, "no-answer", turn)
            else:
                self._flush(out.node_id, out.line, turn)
        for held in list(self._in.values()):
            if held.until is not None and held.until <= now:
                self._refuse(held.at, "stalled", turn)
            else:
                self._flush(held.at.node_id, held.line, turn)
        self._arm(turn)

    def told(self, what: object, turn: Turn) -> None:
        """Take a wish of the shell."""
        if isinstance(what, words.Open):
            self._open = what.open
        elif isinstance(what, words.Begin):
            self._begin(what, turn)
        elif isinstance(what, words.Body | words.More | words.Stop):
            out = self._out.get(what.token)
            if out is not None:
                self._speak(out, what, turn)
        elif isinstance(what, words.Let | words.Start | words.Send | words.Finish):
            held = self._in.get(what.at)
            if held is not None:
                self._reply(held, what, turn)

    # --- calls of ours --------------------------------------------------------------------------

    def _begin(self, what: words.Begin, turn: Turn) -> None:
        self._number += 1
        ask = what.ask
        said = frames.Ask(self._number, ask.path, ask.size, ask.key, ask.priority, ask.within_ms)
        if len(self._out) >= limits.DOOR_CALLS_OUT:
            self._host.want(words.Over(what.token, "busy"), turn)
        elif not self._host.send(what.node_id, frames.write(said), turn):
            reason = "slow" if self._host.peer(what.node_id) is not None else "not-here"
            self._host.want(words.Over(what.token, reason), turn)
        else:
            until = turn.now.monotonic + limits.DOOR_OPEN_SECONDS
            self._out[what.token] = _Out(what.token, what.node_id, self._number, until)
            self._by_number[From(what.node_id, self._number)] = what.token
            self._wake(until)
            turn.count("door.calls.out")

    def _speak(self, out: _Out, what: words.Body | words.More | words.Stop, turn: Turn) -> None:
        if isinstance(what, words.Body):
            self._put(out.node_id, out.line, frames.Piece("body", out.call, what.data), turn)
        elif isinstance(what, words.More):
            out.credit += 1
            self._put(out.node_id, out.line, frames.Credit("more", out.call, 1), turn)
        else:
            self._host.send(out.node_id, frames.write(frames.Cancel(out.call)), turn)
            self._forget(out)

    def _answered(self, peer: Peer, at: From, read: frames.Frame, turn: Turn) -> None:
        """Take what a peer says of our call; of one that is over already, nothing."""
        out = self._out.get(self._by_number.get(at, -1))
        if out is None:
            turn.count("door.late")
            return
        # From here on the shell's own patience decides how long is too long: a queue there may be long.
        out.until = None
        if isinstance(read, frames.Credit):
            self._host.want(words.Room(out.token, read.pieces), turn)
        elif isinstance(read, frames.Head):
            self._host.want(words.Begun(out.token, read.status, read.kind, read.retry_s), turn)
        elif isinstance(read, frames.End):
            self._over(out, read.reason, turn)
        elif isinstance(read, frames.Piece):
            out.credit -= 1
            if out.credit < 0:
                self._complain(peer, "past-credit", turn)
                self._host.send(out.node_id, frames.write(frames.Cancel(out.call)), turn)
                self._over(out, "past-credit", turn)
            else:
                self._host.want(words.Came(out.token, read.data), turn)

    def _over(self, out: _Out, reason: str, turn: Turn) -> None:
        self._forget(out)
        turn.count(f"door.calls.ended.{reason or 'whole'}")
        self._host.want(words.Over(out.token, reason), turn)

    def _forget(self, out: _Out) -> None:
        del self._out[out.token]
        del self._by_number[From(out.node_id, out.call)]

    # --- calls from elsewhere -------------------------------------------------------------------

    def _asked(self, peer: Peer, at: From, ask: frames.Ask, turn: Turn) -> None:
        turn.count("door.calls.in")
        if at in self._in:
            self._complain(peer, "number-twice", turn)
            self._refuse(at, "number-twice", turn)
            return
        busy = len(self._in) >= limits.DOOR_CALLS_IN or self._each[at.node_id] >= limits.DOOR_CALLS_PEER
        if busy or not self._open:
            why = "busy" if self._open else "no-door"
            turn.count(f"door.refused.{why}")
            self._host.send(at.node_id, frames.write(frames.End(at.call, why)), turn)
            return
        until = turn.now.monotonic + limits.DOOR_STALL_SECONDS
        self._in[at] = _In(at, ask.size, until)
        self._each[at.node_id] += 1
        self._wake(until)
        self._host.want(words.Knock(at, peer.fingerprint, peer.name, ask), turn)

    def _body(self, peer: Peer, at: From, data: bytes, turn: Turn) -> None:
        held = self._in.get(at)
        if held is None:
            turn.count("door.late")
            return
        held.credit -= 1
        if held.credit < 0 or held.whole or len(held.body) + len(data) > held.size:
            self._complain(peer, "past-credit", turn)
            self._refuse(at, "past-credit", turn)
            return
        held.body += data
        held.until = turn.now.monotonic + limits.DOOR_STALL_SECONDS
        if len(held.body) == held.size:
            self._complete(held, turn)
        else:
            held.credit += 1
            self._put(at.node_id, held.line, frames.Credit("let", at.call, 1), turn)

    def _complete(self, held: _In, turn: Turn) -> None:
        held.whole, held.until = True, None
        body, held.body = bytes(held.body), bytearray()
        self._host.want(words.Whole(held.at, body), turn)

    def _reply(
        self, held: _In, what: words.Let | words.Start | words.Send | words.Finish, turn: Turn
    ) -> None:
        at = held.at
        if isinstance(what, words.Let):
            held.credit = limits.DOOR_CREDIT
            self._put(at.node_id, held.line, frames.Credit("let", at.call, limits.DOOR_CREDIT), turn)
            if not held.size:
                self._complete(held, turn)
        elif isinstance(what, words.Start):
            head = frames.Head(at.call, what.status, what.kind, what.retry_s)
            self._put(at.node_id, held.line, head, turn)
        elif isinstance(what, words.Send):
            self._put(at.node_id, held.line, frames.Piece("data", at.call, what.data), turn)
        else:
            self._put(at.node_id, held.line, frames.End(at.call, what.reason), turn)
            if held.line:
                # What waits still goes out, and the call lives until it has: nobody sends it again.
                held.ended, held.until = True, turn.now.monotonic + limits.DOOR_STALL_SECONDS
                self._wake(held.until)
            else:
                self._drop(at)

    def _refuse(self, at: From, reason: str, turn: Turn) -> None:
        """End a call here and tell its shell; its caller hears why."""
        turn.count(f"door.refused.{reason}")
        self._host.send(at.node_id, frames.write(frames.End(at.call, reason)), turn)
        if self._drop(at):
            self._host.want(words.Gone(at, reason), turn)

    def _drop(self, at: From) -> bool:
        if self._in.pop(at, None) is None:
            return False
        self._each[at.node_id] -= 1
        if not self._each[at.node_id]:
            del self._each[at.node_id]
        return True

    # --- both -----------------------------------------------------------------------------------

    def _put(self, node_id: str, line: deque[bytes], frame: frames.Frame, turn: Turn) -> None:
        line.append(frames.write(frame))
        self._flush(node_id, line, turn)
        if line:
            self._wake(turn.now.monotonic + _AGAIN_SECONDS)

    def _flush(self, node_id: str, line: deque[bytes], turn: Turn) -> None:
        while line and self._host.send(node_id, line[0], turn):
            line.popleft()

    def _wake(self, at: float) -> None:
        """Be woken at an instant, or before."""
        wanted = self._host.wanted(_LOOK)
        if wanted is None or at < wanted:
            self._host.timer(_LOOK, at)

    def _arm(self, turn: Turn) -> None:
        """Be woken for what waits to be sent, soon; else for the first that counts as lost."""
        for at in [at for at, held in self._in.items() if held.ended and not held.line]:
            self._drop(at)  # its last word has left
        calls: tuple[_Out | _In, ...] = (*self._out.values(), *self._in.values())
        for each in calls:
            if each.line:
                self._wake(turn.now.monotonic + _AGAIN_SECONDS)
            if each.until is not None:
                self._wake(each.until)

    def _complain(self, peer: Peer, why: str, turn: Turn) -> None:
        if (peer.node_id, why) not in self._complained:
            self._complained.add((peer.node_id, why))
            turn.log("warn", "door-refused", peer=peer.name, node_id=peer.node_id, reason=why)
