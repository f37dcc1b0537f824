"""What of the held statements is on the disk, and who waits to hear that it is.

Rules: one writing at a time, in the order of holding. What the ledger dropped for room leaves the disk too;
what does not count under this pin stays there, so that another pin finds it again (§6.6.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey import _core, limits
from covey.proto.authority import words

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.turn import Turn


class Keeping:
    """The way of statements to the disk."""

    def __init__(self) -> None:
        self._on_disk: set[str] = set()
        self._new: dict[str, bytes] = {}
        self._writing: words.Keep | None = None
        self._owed: list[tuple[int, _core.Statement]] = []
        self._tokens = 0

    def restored(self, kept: frozenset[str]) -> None:
        """Learn what the disk holds of what is held."""
        self._on_disk |= kept

    def add(self, statement: _core.Statement) -> None:
        """Note a statement that is newly held."""
        self._new[statement.id] = statement.to_json()

    def again(self, statement: _core.Statement) -> None:
        """Note a held statement that the operator hands in: the disk may have refused it before."""
        if statement.id not in self._on_disk:
            self.add(statement)

    def owe(self, token: int, statement: _core.Statement) -> None:
        """Owe an answer about a held statement, once it is durable."""
        self._owed.append((token, statement))

    def pump(self, host: ExtensionHost, authority: _core.Authority, turn: Turn) -> None:
        """Write what is new, if nothing is being written; answer what is owed."""
        if self._writing is None and self._new:
            batch = dict(list(self._new.items())[: limits.AUTHORITY_KEPT_AT_ONCE])
            dropped = self._dropped(authority)
            self._tokens += 1
            self._writing = words.Keep(self._tokens, tuple(batch.items()), dropped)
            host.want(self._writing, turn)
        waiting = [owed for owed in self._owed if owed[1].id in self._new]
        for token, statement in self._owed:
            if statement.id not in self._new:
                standing = authority.standing(statement.id) or "dropped"
                host.want(words.Answer(token, statement.id, statement.to_json(), standing), turn)
        self._owed = waiting

    def kept(self, what: words.Kept, host: ExtensionHost, authority: _core.Authority, turn: Turn) -> None:
        """Take the disk's answer. What could not be written is still held, until this peer stops."""
        writing = self._writing
        if writing is None or writing.token != what.token:
            return
        self._writing = None
        ids = [statement_id for statement_id, _ in writing.statements]
        if what.problem:
            turn.count("authority.not_kept", len(ids))
            turn.log("error", "statements-not-kept", count=len(ids), reason=what.problem)
            for token, statement in self._owed:
                if statement.id in ids:
                    problem = f"held until this peer stops, and not kept: {what.problem}"
                    host.want(words.Answer(token, statement.id, statement.to_json(), problem=problem), turn)
            self._owed = [owed for owed in self._owed if owed[1].id not in ids]
        else:
            self._on_disk.update(ids)
            self._on_disk.difference_update(writing.dropped)
        for statement_id in ids:
            self._new.pop(statement_id, None)
        self.pump(host, authority, turn)

    def _dropped(self, authority: _core.Authority) -> tuple[str, ...]:
        """Return what is on the disk and no longer held; looked for only when the numbers say so."""
        if len(self._on_disk) + len(self._new) <= len(authority):
            return ()
        held = {statement.id for statement in authority.statements()}
        for statement_id in [each for each in self._new if each not in held]:
            self._new.pop(statement_id)
        return tuple(sorted(self._on_disk - held))
