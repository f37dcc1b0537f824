"""The way to a model through the mesh: the door's side and the caller's, over one extension. A `Plugin`.

Rules: whoever comes is let in by a key of the door's, or as a node that its keys name, under the key its
session proved; before that not a byte of a body is taken. Pieces are bounded and under credit both ways, so
that a slow reader holds back its own call and nobody else's.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from covey import limits
from covey.errors import IpcError, NetworkError, StoreError
from covey.inference.door import Refuse
from covey.inference.keys import PRIORITIES, Entry
from covey.inference.reading import BadRequestError, body_of
from covey.proto.door import words
from covey.proto.door.engine import DoorCalls
from covey.proto.door.frames import Ask
from covey.runtime.share.going import Refused, failure
from covey.runtime.share.port import Call, Keys, Reply

if TYPE_CHECKING:
    from covey.proto.door.words import From
    from covey.proto.extension import Extension
    from covey.runtime.node import Node
    from covey.runtime.plugin import Tell
    from covey.runtime.share.door import Door

Log = Callable[[str, str, Mapping[str, Any]], None]
PATHS: Final = ("/chat/completions", "/completions", "/responses", "/embeddings")
_JSON: Final = "application/json"


class DoorPlugin:
    """Calls of this peer's to others' models, and others' to the one it shares.

    Args:
        log: Takes level, event and facts.
    """

    def __init__(self, log: Log) -> None:
        self.extension: Extension = DoorCalls()
        self._log = log
        self._tell: Tell | None = None
        self._node: Node | None = None
        self._tokens = itertools.count(1)
        self._out: dict[int, Outgoing] = {}
        self._in: dict[From, _Incoming] = {}
        self._served: tuple[Door, Keys, int] | None = None

    def attach(self, node: Node) -> None:
        """Take the node that knows who is there; called before it starts."""
        self._node = node

    async def view(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the verb `door` of the control socket: how the door of this peer stands.

        Raises:
            IpcError: Nothing is shared here.
        """
        if self._served is None:
            raise IpcError("nothing is shared here", code="no_door", hint="covey share start")
        return {"calls": len(self._in), **self._served[0].view()}

    async def start(self, tell: Tell) -> None:
        """Restore nothing: no call outlives its session."""
        self._tell = tell
        tell(words.Open(self._served is not None))

    async def stop(self) -> None:
        """End what is under way."""
        self.serve(None)
        for each in list(self._out.values()):
            each.over("stopped")

    def serve(self, served: tuple[Door, Keys, int] | None) -> None:
        """Let peers in to this door from now on, by these keys, with bodies of that many bytes; or nobody."""
        self._served = served
        if self._tell is not None:
            self._tell(words.Open(served is not None))
        if served is None:
            for each in list(self._in.values()):
                self._in.pop(each.at, None)
                each.cancel()
                if self._tell is not None:
                    self._tell(words.Finish(each.at, "stopped"))

    def perform(self, what: object) -> None:
        """Do what the engine wants."""
        if isinstance(what, words.Room | words.Begun | words.Came | words.Over):
            out = self._out.get(what.token)
            if out is not None:
                out.take(what)
        elif isinstance(what, words.Knock):
            self._knock(what)
        elif isinstance(what, words.Whole | words.Credited):
            held = self._in.get(what.at)
            if held is not None:
                held.take(what)
        elif isinstance(what, words.Gone):
            gone = self._in.pop(what.at, None)
            if gone is not None:
                gone.cancel()

    # --- calls of ours --------------------------------------------------------------------------

    async def ask(self, peer: str, path: str, body: bytes, *, key: str, seconds: float) -> Outgoing:
        """Call a peer's model; return the answer once it has begun. Close it, also halfway.

        Args:
            peer: Its nodeId; or its name, where exactly one peer of that name may wake agents here.
            path: As backends know it: `/chat/completions`.
            body: JSON.
            key: A key of its door; empty where its operator named this node.
            seconds: How long the answer is of any use.

        Raises:
            NetworkError: It is not here, or ended the call before it began to answer.
        """
        try:
            # Half of the time at most, so that some is left to answer in.
            async with asyncio.timeout(min(seconds / 2, limits.DOOR_OPEN_SECONDS)):
                node_id = await self._there(peer)
        except TimeoutError:
            raise NetworkError(f"no trusted peer {peer} is here", code="not-here") from None
        token = next(self._tokens)
        out = self._out[token] = Outgoing(self, token)
        ask = Ask(0, path, len(body), key, "", min(int(seconds * 1_000), 86_400_000))
        try:
            self.say(words.Begin(token, node_id, ask))
            await out.send(body)
            await out.begun()
        except BaseException:
            await out.__aexit__(None, None, None)
            raise
        return out

    def say(self, what: object) -> None:
        """Tell the engine.

        Raises:
            NetworkError: The peer has not started, or has ended.
        """
        if self._tell is None:
            raise NetworkError("the peer does not run yet", code="not-here")
        self._tell(what)

    def forget(self, token: int) -> None:
        """Let go of a call of ours; one that is not over is over for its peer, too."""
        if self._out.pop(token, None) is not None and self._tell is not None:
            self._tell(words.Stop(token))

    def ended(self, token: int) -> None:
        """Take note that the engine has ended a call of ours."""
        self._out.pop(token, None)

    async def _there(self, peer: str) -> str:
        """Return the nodeId of a peer, as soon as it is there.

        Raises:
            NetworkError: It is not there in time, or there are several of that name.
        """
        node = self._node
        if node is None:
            raise NetworkError("the peer does not run yet", code="not-here")
        came = asyncio.Event()
        end = node.subscribe(lambda _: came.set())
        try:
            while True:
                came.clear()
                found = [
                    each.node_id
                    for each in node.peers()
                    if each.node_id == peer or (each.name == peer and node.heeds(each.node_id))
                ]
                if len(found) == 1:
                    return found[0]
                if found:
                    said = f"{len(found)} peers are called {peer}: name one by its nodeId"
                    raise NetworkError(said, code="ambiguous")
                await came.wait()
        finally:
            end()

    # --- calls from elsewhere -------------------------------------------------------------------

    def _knock(self, what: words.Knock) -> None:
        """Let a caller in, or say why not."""
        try:
            held = self._let_in(what)
        except Refused as error:
            self._turn_away(what.at, error.refusal)
            return
        self._in[what.at] = held
        self.say(words.Let(what.at))

    def _let_in(self, what: words.Knock) -> _Incoming:
        """Return a call that may go on, with whose account it is on.

        Raises:
            Refused: On nobody's; or it may not, now.
        """
        if self._served is None:
            raise Refused(Refuse(0, 503, "no-door", "nothing is shared here"))
        door, keys, most = self._served
        ask = what.ask
        try:
            book = keys.current()
        except StoreError as error:
            raise Refused(Refuse(0, 503, "keys", "the keys cannot be read", 5)) from error
        entry = book.match(ask.key) if ask.key else book.of_node(what.at.node_id, what.fingerprint)
        if entry is None or entry.admin:
            self._log(
                "warn", "door-refused", {"node_id": what.at.node_id, "name": what.name, "reason": "key"}
            )
            raise Refused(Refuse(0, 401, "key", "neither a key of this door nor a node that it knows"))
        limited = door.limited(entry)
        if limited is not None:
            raise Refused(limited)
        if ask.path not in PATHS:
            raise Refused(Refuse(0, 404, "path", f"no such path; there are {', '.join(PATHS)}"))
        if ask.size > most:
            raise Refused(Refuse(0, 413, "body", f"a body of at most {most} bytes"))
        if ask.priority not in ("", *PRIORITIES):
            raise Refused(Refuse(0, 400, "priority", f"one of {', '.join(PRIORITIES)}"))
        door.hold(ask.size)
        return _Incoming(self, door, what.at, ask, entry)

    def _turn_away(self, at: From, refusal: Refuse) -> None:
        self.say(words.Start(at, refusal.status, _JSON, refusal.retry_after_s))
        self.say(words.Send(at, failure(refusal)))
        self.say(words.Finish(at))

    async def answer(self, held: _Incoming, body: bytes) -> None:
        """Answer a call whose body is complete."""
        ask = held.ask
        try:
            said = body_of(body)
        except BadRequestError as error:
            raise Refused(Refuse(0, 400, "request", f"expected {error}")) from error
        priority = next((each for each in PRIORITIES if each == ask.priority), None)
        within = None if ask.within_ms is None else ask.within_ms / 1_000
        reply = await held.door.answer(Call(held.entry, ask.path, said, len(body), priority, within, "mesh"))
        await held.hand_on(reply)

    def finished(self, held: _Incoming) -> None:
        """Let go of a call from elsewhere."""
        self._in.pop(held.at, None)

    def turn_away(self, at: From, refusal: Refuse) -> None:
        """Answer a call with a refusal."""
        self._turn_away(at, refusal)

    def note(self, level: str, event: str, facts: Mapping[str, Any]) -> None:
        """Leave a line in the log."""
        self._log(level, event, facts)


class Outgoing(AsyncIterator[bytes]):
    """One call of ours: its body on its way, and the answer's bytes as they come.

    Args:
        plugin: What carries it.
        token: Which call.
    """

    def __init__(self, plugin: DoorPlugin, token: int) -> None:
        self.status = 0
        self.content_type = ""
        self.retry_after: str | None = None
        self._plugin = plugin
        self._token = token
        self._room = 0
        self._pieces: deque[bytes] = deque()
        self._ended: str | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._plugin.forget(self._token)

    async def __anext__(self) -> bytes:
        """Return the next bytes of the answer.

        Raises:
            NetworkError: It broke off; `code` says why.
        """
        await self._until(lambda: bool(self._pieces) or self._ended is not None)
        if self._pieces:
            data = self._pieces.popleft()
            if self._ended is None:
                self._plugin.say(words.More(self._token))
            return data
        if self._ended:
            raise NetworkError(f"the answer broke off: {self._ended}", code=self._ended)
        raise StopAsyncIteration

    async def send(self, body: bytes) -> None:
        """Send the body, as the other side makes room; stop where it answers before it is all there."""
        for start in range(0, len(body), limits.DOOR_CHUNK_BYTES):
            await self._until(lambda: self._room > 0 or self.status > 0 or self._ended is not None)
            if self.status or self._ended is not None:
                return
            self._room -= 1
            self._plugin.say(words.Body(self._token, body[start : start + limits.DOOR_CHUNK_BYTES]))

    async def begun(self) -> None:
        """Wait for the answer to begin.

        Raises:
            NetworkError: The call ended before that; `code` says why.
        """
        await self._until(lambda: self.status > 0 or self._ended is not None)
        if not self.status:
            why = self._ended or "ended"
            raise NetworkError(f"the call ended before an answer: {why}", code=why)

    def take(self, what: words.Room | words.Begun | words.Came | words.Over) -> None:
        """Take what the engine says."""
        if isinstance(what, words.Room):
            self._room += what.pieces
        elif isinstance(what, words.Begun):
            self.status, self.content_type = what.status, what.kind
            self.retry_after = None if what.retry_s is None else str(what.retry_s)
        elif isinstance(what, words.Came):
            self._pieces.append(what.data)
        else:
            self.over(what.reason)
        self._changed.set()

    def over(self, reason: str) -> None:
        """Take note that nothing more comes."""
        self._ended = reason
        self._plugin.ended(self._token)
        self._changed.set()

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            self._changed.clear()
            await self._changed.wait()


class _Incoming:
    """One call from elsewhere: its task, and the credit of its answer."""

    def __init__(self, plugin: DoorPlugin, door: Door, at: From, ask: Ask, entry: Entry) -> None:
        self.door = door
        self.at = at
        self.ask = ask
        self.entry = entry
        self._plugin = plugin
        self._credit = limits.DOOR_CREDIT
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._held = True

    def take(self, what: words.Whole | words.Credited) -> None:
        """Begin to answer, or go on."""
        if isinstance(what, words.Credited):
            self._credit = min(self._credit + what.pieces, limits.DOOR_CREDIT)
            self._changed.set()
        elif self._task is None:
            self._task = asyncio.create_task(self._work(what.body))

    def cancel(self) -> None:
        """Give it up: its caller is gone, or the door closes."""
        if self._task is not None:
            self._task.cancel()
        self._let_go()

    async def hand_on(self, reply: Reply) -> None:
        """Send a reply, piece by piece, as the caller takes it."""
        close: Any = reply.chunks
        try:
            self._plugin.say(words.Start(self.at, reply.status, reply.content_type))
            async for data in reply.chunks:
                for start in range(0, len(data), limits.DOOR_CHUNK_BYTES):
                    async with asyncio.timeout(limits.DOOR_STALL_SECONDS):
                        await self._room()
                    self._credit -= 1
                    self._plugin.say(words.Send(self.at, data[start : start + limits.DOOR_CHUNK_BYTES]))
        finally:
            await close.aclose()

    async def _work(self, body: bytes) -> None:
        reason, refusal = "", None
        try:
            await self._plugin.answer(self, body)
        except Refused as error:
            refusal = error.refusal
        except TimeoutError:
            reason = "stalled"
        except asyncio.CancelledError:
            reason = "stopped"
            raise
        except Exception as error:  # a fault here must not leave the caller waiting; it is said and logged
            reason = "internal"
            self._plugin.note("error", "door-call-failed", {"error": repr(error)})
        finally:
            self._plugin.finished(self)
            self._let_go()
            if refusal is None:
                self._plugin.say(words.Finish(self.at, reason))
            else:
                self._plugin.turn_away(self.at, refusal)

    async def _room(self) -> None:
        while self._credit <= 0:
            self._changed.clear()
            await self._changed.wait()

    def _let_go(self) -> None:
        if self._held:
            self._held = False
            self.door.hold(-self.ask.size)
