"""What of the Node product's files becomes what of covey's, line by line; nothing is written here.

Rules: what covey already has stays; what is carried twice is the same the second time; everything that is
not carried is named with its reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from covey.cli.migrate import config as configs
from covey.cli.migrate import write
from covey.cli.migrate.config import Carried
from covey.cli.migrate.source import OldKey, OldTotals, Source, Unusable
from covey.cli.migrate.step import Step
from covey.errors import CoveyError
from covey.names import peer_complaint
from covey.system import identity as ids
from covey.system import trust as books
from covey.system.home import Home
from covey.system.lock import running_pid
from covey.system.log import timestamp
from covey.system.trust import TrustBook, Trusted
from covey.values import dataclass

_NOTE_CHARS: Final = 200
_LISTED: Final = 5
"""Files that are named one by one; of more, the number."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is carried from where to where. `prefer_mesh` takes the key that signed on the old mesh."""

    source: Source
    home: Home
    configs: tuple[Path, ...] = ()
    prefer_mesh: bool = False

    def steps(self) -> Iterator[Step]:
        """Yield every step; each one sees what the ones before it have written."""
        given: dict[str, Carried] = {}
        for each in self._named():
            if isinstance(each, Step):
                yield each
            elif each.name in given:
                told = f"{given[each.name].file} and {each.file} are both of this peer: name one"
                yield Step(each.name, "config", "FAIL", told)
            else:
                given[each.name] = each
        rooms: set[str] = set()
        for name in sorted({*self.source.names(), *given}):
            complaint = peer_complaint(name)
            if complaint is not None:
                yield Step(name, "peer", "FAIL", f"no name for a peer here: {complaint}")
            elif running_pid(self.home.lock_path(name)) is not None:
                yield Step(name, "peer", "FAIL", f"it runs under covey: covey stop {name}, then again")
                rooms.add(self._last_room(name))
            else:
                yield from self._peer(name, given.get(name), rooms)
        yield from self._rest(rooms)

    def _named(self) -> Iterator[Carried | Step]:
        """Read the configurations that were named on the command line."""
        for file in self.configs:
            try:
                yield configs.read(file)
            except Unusable as error:
                yield Step("", "config", "FAIL", str(error))

    def _peer(self, name: str, given: Carried | None, rooms: set[str]) -> Iterator[Step]:
        try:
            totals = self.source.totals(name)
        except Unusable as error:
            totals = None
            yield Step(name, "totals", "FAIL", str(error))
        yield from self._identity(name)
        carried = given
        if carried is None and totals is not None and totals.config is not None:
            found = self._last_config(name, totals.config)
            carried = found if isinstance(found, Carried) else None
            if isinstance(found, Step):
                yield found
        if carried is not None:
            yield from self._config(name, carried)
        elif totals is None or totals.config is None:
            yield Step(name, "config", "skip", "no agent.toml of it is known: name it with --config")
        room = carried.room if carried is not None else (totals.group if totals is not None else None)
        if room is not None:
            rooms.add(room)
            yield from self._trust(name, room)
        if totals is not None:
            yield self._totals(name, totals)
        blocks = self.source.remembered(name)
        if blocks:
            why = "signed for the old wire, they cannot be verified as covey's"
            yield Step(name, "memory", "skip", f"{blocks} blocks of the old mesh: {why}")

    def _last_room(self, name: str) -> str:
        try:
            totals = self.source.totals(name)
        except Unusable:
            totals = None
        return "" if totals is None or totals.group is None else totals.group

    def _last_config(self, name: str, file: Path) -> Carried | Step | None:
        """Read the file that the last run was started with, where that still says so."""
        if file in [each.absolute() for each in self.configs]:
            return None  # it was named, and what is wrong with it was said
        if not file.is_absolute() or not file.is_file():
            return Step(
                name, "config", "skip", f"{file}, of its last run, is not there: name it with --config"
            )
        try:
            carried = configs.read(file)
        except Unusable as error:
            return Step(name, "config", "FAIL", str(error))
        if carried.name != name:
            return Step(name, "config", "skip", f'{file}, of its last run, is now of peer "{carried.name}"')
        return carried

    # --- identity -------------------------------------------------------------------------------------

    def _identity(self, name: str) -> Iterator[Step]:
        first, second = (self.source.key, self.source.mesh_key)[:: -1 if self.prefer_mesh else 1]
        try:
            taken = first(name)
            taken, left = (second(name), None) if taken is None else (taken, _or_none(second, name))
        except Unusable as error:
            yield Step(name, "identity", "FAIL", str(error))
            return
        if taken is None:
            yield Step(name, "identity", "note", "no key of it: covey makes one at the first run")
            return
        yield self._key(name, taken)
        if taken.mode & 0o077:
            told = f"{taken.file} could be read by others (mode {taken.mode:04o})"
            yield Step(name, "identity", "note", f"{told}: if they did, `covey keygen {name} --force`")
        if left is not None and left.public_key != taken.public_key:
            other = "keys" if self.prefer_mesh else "mesh"
            told = f"one agent has one key; {left.file} is taken with --identity {other} instead"
            yield Step(name, "identity", "skip", told)

    def _key(self, name: str, taken: OldKey) -> Step:
        keyprint = hashlib.sha256(taken.public_key).hexdigest()[:16]
        try:
            held = ids.load(self.home.identity_path(name))
        except CoveyError as error:
            if error.code != "identity_missing":
                return Step(name, "identity", "FAIL", error.message)
            node = "a new node id" if taken.node_id is None else f"node id {taken.node_id}"
            work = partial(write.identity, self.home, name, taken)
            return Step(name, "identity", "write", f"key {keyprint} of {taken.file}, {node}", work)
        if held.public_key == taken.public_key:
            return Step(name, "identity", "same", f"key {keyprint}, node id {held.node_id}")
        return Step(name, "identity", "keep", f"covey has key {held.keyprint}; {keyprint} is not carried")

    # --- configuration --------------------------------------------------------------------------------

    def _config(self, name: str, carried: Carried) -> Iterator[Step]:
        target = self.home.peer_folder(name) / "agent.toml"
        try:
            configs.settle(carried, target.parent)
        except Unusable as error:
            yield Step(name, "config", "FAIL", str(error))
            return
        content = carried.text().encode()
        try:
            held = target.read_bytes()
        except FileNotFoundError:
            work = partial(write.config, self.home, name, content)
            yield Step(name, "config", "write", f"{carried.file} -> {target}", work)
        else:
            state, told = ("same", "") if held == content else ("keep", " is another one and stays")
            yield Step(name, "config", state, f"{target}{told}")
        yield from (Step(name, "config", "note", note) for note in carried.notes)
        yield from (Step(name, "config", "skip", left) for left in carried.left_out)

    # --- trust ----------------------------------------------------------------------------------------

    def _trust(self, name: str, group: str) -> Iterator[Step]:
        try:
            book = books.load(self.home.trust_path(name))
            own = self.source.key(name)
        except CoveyError as error:
            yield Step(name, "trust", "FAIL", error.message)
            return
        except Unusable:
            own = None  # said with the identity
        entries: list[Trusted] = []
        for each in self.source.trusted(group) if group in self.source.groups() else ():
            if isinstance(each, Unusable):
                yield Step(name, "trust", "FAIL", str(each))
            elif own is None or each.public_key != own.public_key:
                mark = hashlib.sha256(each.public_key).hexdigest()
                note = f'{each.peer} of group "{group}", from the Node product'[:_NOTE_CHARS]
                entries.append(Trusted(mark, each.since_ms or 0, None, note))
        yield from self._entries(name, book, entries)

    def _entries(self, name: str, book: TrustBook, entries: Sequence[Trusted]) -> Iterator[Step]:
        missing = [entry for entry in entries if book.find(entry.identity) is None]
        for entry in entries:
            since = f" since {timestamp(entry.since_ms)}" if entry.since_ms else ""
            told = f"{entry.identity[:16]}  {entry.note}{since}"
            if entry not in missing:
                yield Step(name, "trust", "same", told)
            else:
                yield Step(name, "trust", "write", told, partial(write.trust, self.home, name, entry))
        if missing:
            yield Step(
                name, "trust", "note", "it holds for those who come with the same key: let them migrate too"
            )

    # --- totals ---------------------------------------------------------------------------------------

    def _totals(self, name: str, totals: OldTotals) -> Step:
        told = f"runs={totals.runs} emitted={totals.emitted} suppressed={totals.suppressed}"
        told += f" cost=${totals.cost_usd:.6f}"
        try:
            there = write.held_ledger(self.home, name)
        except CoveyError as error:
            return Step(name, "totals", "FAIL", error.message)
        if there is None:
            return Step(name, "totals", "write", told, partial(write.ledger, self.home, name, totals))
        same = there == write.ledger_bytes(totals)
        return Step(
            name, "totals", "same" if same else "keep", told if same else "covey has counted by itself"
        )

    # --- everything else ------------------------------------------------------------------------------

    def _rest(self, rooms: set[str]) -> Iterator[Step]:
        for group in self.source.groups():
            if group not in rooms:
                told = f'trusted keys of group "{group}": no peer of it is carried; name its --config'
                yield Step("", "trust", "skip", told)
        if self.source.unread is not None:
            yield Step("", "folder", "skip", f"{self.source.unread} is there too: name it with --from")
        strays = list(self.source.strays())
        for path in strays[:_LISTED]:
            why = (
                "a socket or a log belongs to a running peer"
                if path.suffix in (".sock", ".log")
                else "unknown"
            )
            yield Step("", "file", "skip", f"{path}: {why}")
        if len(strays) > _LISTED:
            yield Step("", "file", "skip", f"{len(strays) - _LISTED} more files that are not carried")
        if (self.source.mesh / "relay.env").exists():
            told = "put its token into COVEY_RELAY_TOKEN, its URL into [mesh] relay"
            yield Step("", "relay", "skip", f"{self.source.mesh / 'relay.env'}: {told}")


def _or_none(look: Callable[[str], OldKey | None], name: str) -> OldKey | None:
    """Return the key that is not taken; a damaged one is none, since nothing of it is carried."""
    try:
        return look(name)
    except Unusable:
        return None
