"""The shell of channels: what an agent says is sealed and written; what it hears is opened and told.

Rules: on the loop's thread; one change of an own channel at a time. The own scope is spoken of only once it
holds something, so that an agent without channels lets nothing out. Wishes to join and to leave that lie in
others' scopes are followed by the owner of a channel while its peer runs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from covey import _core, limits, typed
from covey.errors import CoveyError, UsageError
from covey.proto.state.scopes import ANYBODY, agent_scope, read_scope
from covey.state.channel import (
    CLASS,
    KINDS,
    ChannelError,
    ChannelId,
    Epoch,
    Message,
    checked_name,
    place,
    seal_epoch,
    seal_message,
)
from covey.state.channels import Channel, Reader, Scopes, places
from covey.state.syndication import flushes

if TYPE_CHECKING:
    from covey.ports import ChannelKeys, Clock, Entropy
    from covey.runtime.state import SharedState

Write = tuple[str, str, bytes | None]
Watcher = Callable[[Mapping[str, Any]], None]
_TRUE: Final = b"true"


class Channels:
    """The channels of one agent, for programs and for the control socket.

    Args:
        identity: The agent.
        keys: What it seals and opens with.
        state: Its peer's shared state.
        clock: Wall time.
        entropy: Where identifiers come from.
    """

    def __init__(
        self,
        identity: _core.Identity,
        keys: ChannelKeys,
        state: SharedState,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._author = identity.author
        self._name = identity.name
        self._key = identity.public_key
        self._keys = keys
        self._state = state
        self._clock = clock
        self._entropy = entropy
        self._reader = Reader(self._author, keys)
        self._scope = agent_scope(self._author, ANYBODY, CLASS).name
        self._lock = asyncio.Lock()
        self._watchers: list[Watcher] = []
        self._told: dict[tuple[ChannelId, str], set[int]] = {}
        self._via: dict[str, str | None] = {}
        """By whose scope it is: the peer that brought what changed there last."""
        self._over: dict[tuple[ChannelId, str, int], str] = {}
        """What came over another peer than its author's: which."""
        self._touched: set[ChannelId] | None = set()
        """Channels that something changed in since they were looked at; None: any may have."""
        self._looking: asyncio.Task[None] | None = None
        self._end: Callable[[], None] | None = None
        self.trouble = ""

    async def start(self) -> None:
        """Speak of what is there, and follow what changes."""
        if places_of(self._scopes().get(self._author)):
            self._state.serve(CLASS, frozenset({self._scope}))
        for channel in self._reader.channels(self._scopes()).values():
            self._new(channel)
        self._end = self._state.watch(self._changed)
        self._touched = None
        self._look()

    async def stop(self) -> None:
        """End."""
        if self._end is not None:
            self._end()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    # --- an owner's --------------------------------------------------------------------------------

    async def open(self, name: str, members: Sequence[str] = (), kind: str = "group") -> Channel:
        """Begin a channel with these members and this agent.

        Args:
            name: What people call it.
            members: Connected peers' names or nodeIds, or authors.
            kind: `group`; `direct` (with one other, for ever); `topic` (whoever is in the room may join).

        Raises:
            CoveyError: The name, a member or the kind is none, or nothing can be written.
        """
        if kind not in KINDS:
            raise UsageError(f"kind: expected one of {', '.join(KINDS)}, got {kind[:64]!r}")
        if kind == "direct" and len(members) != 1:
            raise UsageError("direct: expected one member beside the owner")
        authors = [self._member(member) for member in members]
        async with self._lock:
            own = [at for at in self._channels() if at.owner == self._author]
            if len(own) >= limits.CHANNELS:
                raise ChannelError(f"channel: {limits.CHANNELS} fit one agent; close one", code="too_large")
            at = ChannelId(self._author, self._entropy.bytes(8).hex())
            everybody = tuple(sorted({self._author, *authors}))
            key = self._keys.fresh()
            epoch = Epoch(at, 1, key, checked_name(name), kind, everybody, {})
            more: list[Write] = [] if kind != "topic" else [("put_json", f"{at.prefix}topic", _quoted(name))]
            await self._write([self._sealed(epoch), *more])
        return self._channels()[at]

    async def add(self, channel: str, member: str) -> Channel:
        """Let a further agent in; it reads what is said from now on.

        Raises:
            CoveyError: The channel is another's, or direct, or nobody is called so.
        """
        author = self._member(member)
        async with self._lock:
            found, epoch = self._own(channel)
            if author not in epoch.members:
                out = tuple(each for each in epoch.out if each != author)
                await self._rotate(found, {*epoch.members, author}, out)
        return self._channels()[found.at]

    async def remove(self, channel: str, member: str) -> Channel:
        """Let a member out: a new key is made, and it reads and is heard no further.

        Raises:
            CoveyError: The channel is another's, or direct, or that agent is no member.
        """
        async with self._lock:
            found, epoch = self._own(channel)
            author = member if member in epoch.members else self._member(member)
            if author == self._author or author not in epoch.members:
                raise UsageError(f"remove: expected another member of {epoch.name}")
            await self._rotate(found, set(epoch.members) - {author}, (*epoch.out, author))
        return self._channels()[found.at]

    async def close(self, channel: str) -> None:
        """End an own channel: its keys and what was said in it are deleted, at its members too.

        Raises:
            CoveyError: The channel is another's.
        """
        async with self._lock:
            found = self.channel(channel)
            if found.at.owner != self._author:
                raise ChannelError("channel: only its owner closes it; leave it", code="not_authorised")
            await self._write([*self._erased(found.at), ("put_json", f"{found.at.prefix}closed", _TRUE)])

    # --- a member's --------------------------------------------------------------------------------

    async def send(self, channel: str, value: object) -> Message:
        """Say a JSON value to the members; it is durable here, and on its way, when this returns.

        Raises:
            CoveyError: This agent is no member any more, the value is none, or nothing can be written.
        """
        async with self._lock:
            found = self.channel(channel)
            epoch = found.current
            if epoch is None:
                raise ChannelError(f"channel: not a member of {found.last.name} any more", code="not_member")
            own = self._spoken(found.at)
            last = max((number for _, number in own), default=0)
            said = Message(found.at, epoch.number, self._author, last + 1, self._clock.now_ms(), value)
            sealed = seal_message(self._keys, epoch, said)
            writes: list[Write] = [("put", found.at.message(epoch.number, said.number), sealed)]
            gone = sorted(own, key=lambda each: each[1])[: -limits.CHANNEL_MESSAGES or None]
            writes += [("delete", found.at.message(*old), None) for old in gone]
            await self._write(writes)
        return said

    async def join(self, topic: str) -> None:
        """Ask to be let into a topic of the room; its owner's peer does so as soon as it hears of it.

        Raises:
            UsageError: There is no such topic here, or several.
        """
        found = [each for each in self.topics() if topic in (each["name"], each["id"])]
        if len(found) != 1:
            raise UsageError(f"topic: {len(found) or 'none'} of this name here: {topic[:64]}")
        at = ChannelId(found[0]["owner"], found[0]["id"])
        async with self._lock:
            await self._write([("put_json", f"{at.prefix}join", _TRUE), ("delete", f"{at.prefix}left", None)])

    async def leave(self, channel: str) -> None:
        """Be a member no more, as soon as the owner's peer hears of it.

        Raises:
            ChannelError: It is an own channel.
        """
        async with self._lock:
            found = self.channel(channel)
            if found.at.owner == self._author:
                raise ChannelError("channel: its owner cannot leave; close it", code="not_authorised")
            word = str(found.newest).encode()
            at = found.at
            await self._write([("put_json", f"{at.prefix}left", word), ("delete", f"{at.prefix}join", None)])

    # --- looking -----------------------------------------------------------------------------------

    def listed(self) -> list[Channel]:
        """Return every channel this agent is or was a member of, by name."""
        return sorted(self._channels().values(), key=lambda each: (each.last.name, each.at))

    def topics(self) -> list[dict[str, Any]]:
        """Return the topics that agents of the room say anybody may join."""
        found: list[dict[str, Any]] = []
        for owner, state in sorted(self._scopes().items()):
            for each in places(state):
                held = state.get(f"{each.channel.prefix}topic") if each.word == "topic" else None
                if (
                    held is not None
                    and each.channel.owner == owner
                    and len(found) < limits.CHANNEL_LISTED_MOST
                ):
                    found.append({"name": _unquoted(held[1]), "id": each.channel.id, "owner": owner})
        return found

    def channel(self, word: str) -> Channel:
        """Return the channel that a name, or the beginning of an id, means.

        Raises:
            ChannelError: None is called so.
            UsageError: Several are.
        """
        known = self.listed()
        named = [each for each in known if each.last.name == word or each.at.id == word]
        found = named or [each for each in known if len(word) >= 4 and each.at.id.startswith(word)]
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(f"channel: {len(found)} are called {word[:64]}: name the id")
        raise ChannelError(
            f"no such channel: {word[:64]}", code="channel_unknown", hint="covey channel list shows them"
        )

    def read(self, channel: str, limit: int = limits.CHANNEL_LISTED) -> list[Message]:
        """Return the newest messages of a channel, oldest first."""
        found, scopes = self.channel(channel), self._scopes()
        said = sorted(self._reader.messages(found, scopes), key=lambda m: (m.at_ms, m.author, m.number))
        return said[-limit:]

    def watch(self, watcher: Watcher) -> Callable[[], None]:
        """Call `watcher` with every message from now on, own ones too; return the way to end it."""
        self._watchers.append(watcher)

        def end() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return end

    def names(self) -> dict[str, str]:
        """Return what the authors that are here are called."""
        return {**{author: name for _, name, author in self._state.present()}, self._author: self._name}

    def shown(self, message: Message) -> dict[str, Any]:
        """Return a message as plain values; `over` is who brought it, where its author's peer did not."""
        return {
            "id": message.channel.id,
            "owner": message.channel.owner,
            "author": message.author,
            "name": self.names().get(message.author),
            "number": message.number,
            "at_ms": message.at_ms,
            "value": message.value,
            "over": self._over.get((message.channel, message.author, message.number)),
        }

    # --- within ------------------------------------------------------------------------------------

    def _scopes(self) -> Scopes:
        found: dict[str, _core.StateMap] = {}
        for name, held in self._state.sync.replicas.scopes.items():
            scope = read_scope(name, "")
            if scope is not None and scope.label == CLASS and scope.to == ANYBODY:
                found[scope.owner] = held.map
        return found

    def _channels(self) -> dict[ChannelId, Channel]:
        return self._reader.channels(self._scopes())

    def _own(self, word: str) -> tuple[Channel, Epoch]:
        found = self.channel(word)
        epoch = found.current
        if found.at.owner != self._author or epoch is None:
            raise ChannelError("channel: only its owner says who its members are", code="not_authorised")
        if epoch.kind == "direct":
            raise ChannelError("channel: a direct one keeps its two members", code="not_authorised")
        return found, epoch

    async def _rotate(self, channel: Channel, members: Iterable[str], out: tuple[str, ...]) -> None:
        """Begin an epoch with other members and a fresh key; who went is heard as far as it was here."""
        epoch, scopes = channel.last, self._scopes()
        staying = set(members)
        cut = {}
        for gone in set(epoch.members) - staying:
            said = [found.message for who, found in self._reader.spoken(channel, scopes) if who == gone]
            cut[gone] = max(said, default=0)
        made = replace(
            epoch,
            number=channel.newest + 1,
            key=self._keys.fresh(),
            members=tuple(sorted(staying)),
            cut=cut,
            out=out[-limits.CHANNEL_OUT :],
        )
        old = made.number - limits.CHANNEL_EPOCHS
        await self._write(
            [self._sealed(made), *([("delete", channel.at.epoch(old), None)] if old > 0 else [])]
        )

    def _sealed(self, epoch: Epoch) -> Write:
        keys = {member: self._public_key(member) for member in epoch.members}
        return "put_json", epoch.channel.epoch(epoch.number), seal_epoch(self._keys, epoch, keys)

    def _public_key(self, author: str) -> bytes:
        key = self._key if author == self._author else self._state.sync.replicas.keys.key(author)
        if key is None:
            raise ChannelError(f"channel: the key of {author} is not known here", code="author_unknown")
        return key

    def _member(self, word: str) -> str:
        """Return the author that a request names."""
        found = {author for node, name, author in self._state.present() if word in (node, name, author)}
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} peers are called {word}: name the author, as state status shows it"
            )
        if found or word in self._state.sync.replicas.keys.authors:
            return found.pop() if found else word
        raise UsageError(f"no such agent here: {word[:64]}", hint="a connected peer's name, or an author")

    def _spoken(self, at: ChannelId) -> list[tuple[int, int]]:
        own = self._scopes().get(self._author)
        found = () if own is None else places(own, at)
        return [(each.epoch, each.message) for each in found if each.message]

    def _erased(self, at: ChannelId) -> list[Write]:
        own = self._scopes().get(self._author)
        names = [] if own is None else [name for name in own.names() if name.startswith(at.prefix)]
        return [("delete", name, None) for name in names]

    async def _write(self, writes: list[Write]) -> None:
        for piece in flushes(writes):
            await self._state.write(piece, self._scope)
        self._state.serve(CLASS, frozenset({self._scope}))

    # --- what changes ------------------------------------------------------------------------------

    def _changed(self, event: Mapping[str, Any]) -> None:
        scope = read_scope(event["scope"], "")
        if scope is None or scope.label != CLASS:
            return
        self._via[scope.owner] = event["over"]
        found = [place(each["name"]) for each in event["changed"]]
        if not found or self._touched is None:
            self._touched = None
        else:
            self._touched |= {each.channel for each in found if each is not None}
        self._look()

    def _look(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._looks())

    async def _looks(self) -> None:
        while self._touched is None or self._touched:
            touched, self._touched = self._touched, set()
            for at, channel in self._channels().items():
                if touched is None or at in touched:
                    for message in self._new(channel):
                        self._tell(message, channel)
            try:
                await self._tend(touched)
                self.trouble = ""
            except CoveyError as error:  # shown by `list`; tried again with the next change
                self.trouble = str(error)

    def _new(self, channel: Channel) -> list[Message]:
        """Return the messages of a channel that were not told yet; from now on they were."""
        scopes, found = self._scopes(), []
        here: dict[str, set[int]] = {}
        for author, each in self._reader.spoken(channel, scopes):
            here.setdefault(author, set()).add(each.message)
            if each.message not in self._told.get((channel.at, author), ()):
                message = self._reader.opened(channel, author, each, scopes[author])
                found += [] if message is None else [message]
        for message in found:
            self._note(message)
        for author, numbers in here.items():
            self._told[channel.at, author] = numbers
        return sorted(found, key=lambda each: (each.at_ms, each.author, each.number))

    def _note(self, message: Message) -> None:
        """Remember over whom a message came, where that is not its author's own peer."""
        via = self._via.get(message.author)
        brought = [(name, author) for node, name, author in self._state.present() if node == via]
        if brought and brought[0][1] != message.author:
            while len(self._over) >= limits.CHANNEL_OVER:
                del self._over[next(iter(self._over))]
            self._over[message.channel, message.author, message.number] = brought[0][0]

    def _tell(self, message: Message, channel: Channel) -> None:
        event = {"event": "channel", **self.shown(message), "channel": channel.last.name}
        for watcher in tuple(self._watchers):
            watcher(event)

    async def _tend(self, touched: set[ChannelId] | None) -> None:
        """Do an owner's duties: let in who asks for a topic, let out who left; delete in what was closed."""
        async with self._lock:
            scopes = self._scopes()
            for at, channel in self._channels().items():
                epoch = channel.current
                if at.owner == self._author and epoch is not None and (touched is None or at in touched):
                    members = self._wanted(channel, epoch, scopes)
                    if members != set(epoch.members):
                        await self._rotate(channel, members, epoch.out)
            own = scopes.get(self._author)
            for at in set() if own is None else {each.channel for each in places(own) if each.message}:
                owner = scopes.get(at.owner)
                if at.owner != self._author and owner is not None and owner.get(f"{at.prefix}closed"):
                    await self._write(self._erased(at))

    def _wanted(self, channel: Channel, epoch: Epoch, scopes: Scopes) -> set[str]:
        """Return the members of an own channel once everybody's wish to join or leave is followed."""
        members = set(epoch.members)
        for author, state in scopes.items():
            if author == self._author:
                continue
            left = state.get(f"{channel.at.prefix}left")
            if left is not None:
                if _stands(left[1], author, channel):
                    members.discard(author)
            elif epoch.kind == "topic" and state.get(f"{channel.at.prefix}join") and author not in epoch.out:
                known = author in self._state.sync.replicas.keys
                if known and len(members) < limits.CHANNEL_MEMBERS:
                    members.add(author)
        return members


def _stands(word: bytes, author: str, channel: Channel) -> bool:
    """Tell whether a member's word that it left holds still: it was not let in again since."""
    if not word.isdigit() or len(word) > 8:
        return False
    since = (epoch for number, epoch in channel.epochs.items() if number >= int(word))
    return all(author in epoch.members for epoch in since)


def places_of(state: _core.StateMap | None) -> bool:
    """Tell whether a scope holds anything of a channel."""
    return state is not None and any(True for _ in places(state))


def _quoted(name: str) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode()


def _unquoted(data: bytes) -> str:
    """Return a name that somebody put into a scope; empty where it is no text."""
    try:
        found = typed.loaded(data)
    except typed.WrongTypeError:
        return ""
    return found[: limits.CHANNEL_NAME_CHARS] if isinstance(found, str) and typed.is_whole_text(found) else ""
