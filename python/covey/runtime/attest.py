"""The shell of attestations: their disk, and what the operator sees of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from covey import _core, limits
from covey.errors import RefusedArgumentError, StoreError
from covey.proto.attest import words
from covey.proto.attest.engine import AttestExtension
from covey.runtime.attest_book import KINDS, Book, Entry, entries, keys_of, page

if TYPE_CHECKING:
    from covey.ports import StoreTasks
    from covey.proto.extension import Extension
    from covey.runtime.plugin import Tell


class AttestPlugin:
    """The extension with what performs its wishes.

    Args:
        identity: Who attests.
        room: The room.
        store: Where frames and the head of the own chain are kept, in order with everything else.
        log: The same store, read by the operator's questions on worker threads.
        role: Gives the role this peer claims.
    """

    def __init__(
        self,
        identity: _core.Identity,
        room: str,
        store: StoreTasks,
        log: _core.Store,
        *,
        role: Callable[[], str],
    ) -> None:
        self._engine = AttestExtension(identity, room, role=role)
        self.extension: Extension = self._engine
        self._who = (identity.node_id, identity.public_key)
        self._store = store
        self._log = log

    async def start(self, tell: Tell) -> None:
        """Read what the disk kept, before anybody is met.

        Raises:
            StoreError: The store cannot be read.
        """
        self._tell = tell
        read: asyncio.Future[words.Restored] = asyncio.get_running_loop().create_future()

        def done(value: object, problem: str) -> None:
            if problem:
                read.set_exception(StoreError(f"attestations: {problem}"))
            else:
                read.set_result(cast("words.Restored", value))

        self._store.run(lambda store: restored(store, self._who), done)
        tell(await read)

    def perform(self, what: object) -> None:
        """Write frames, or count records."""
        if isinstance(what, words.Keep):
            rows = [(row.kind, row.signer, row.frame) for row in what.rows]
            self._store.run(
                lambda store: store.attest_put(rows, what.now_ms, chain=what.chain),
                lambda _, problem: self._tell(words.Kept(what.token, problem)),
            )
        elif isinstance(what, words.Count):
            self._store.run(lambda store: store.stats(), self._counted)

    async def stop(self) -> None:
        """Leave nothing behind: what was told is on the disk."""

    async def handle(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the verb `attest` of the control socket: `action` is list, verify or rows.

        Raises:
            IpcError: An argument is wrong.
        """
        found = await asyncio.to_thread(asked, self._log, self._who, arguments)
        return found | self._engine.status() if arguments.get("action") == "list" else found

    def _counted(self, value: object, problem: str) -> None:
        if not problem:
            figures = cast("dict[str, int]", value)
            own, all_ = figures["own"], figures["records"]
            self._tell(words.Counted(own, all_ - own, all_))


def asked(store: _core.Store, who: tuple[str, bytes], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a question about a log of attestations; of a running peer or of one that does not run.

    Raises:
        IpcError: An argument is wrong.
    """
    action, kind, after = (arguments.get(name) for name in ("action", "kind", "after"))
    keys = keys_of(store, who)
    if action == "list":
        return {"attesters": Book(store, keys).summary()}
    if action == "verify":
        return Book(store, keys).verified()
    if action != "rows" or kind not in KINDS or type(after) is not int or after < 0:
        raise RefusedArgumentError("expected the action list, verify, or rows with kind and after")
    return page(store, keys, kind, after)


def restored(store: _core.Store, who: tuple[str, bytes]) -> words.Restored:
    """Read what a store kept of attestations. What can convict somebody is verified again."""
    keys = keys_of(store, who)
    refused: list[tuple[int, str]] = []

    def read(kind: str, most: int) -> tuple[_core.AttestFrame, ...]:
        found = []
        for number, signer, stored_ms, frame in store.attest_rows(kind, most):
            try:
                parsed = Entry(number, kind, signer, stored_ms, frame, None).parsed()
                if parsed.kind == "checkpoint":
                    if signer not in keys:
                        continue
                    parsed.verify(keys[signer])
                found.append(parsed)
            except _core.CoreError as error:
                refused.append((number, error.reason))
        return tuple(found)

    chain = store.attest_chain()
    begun = chain is None and any(each.signer == who[0] for each in entries(store, {}, "attestation"))
    return words.Restored(
        chain,
        begun,
        read("attestation", limits.ATTEST_RESTORED),
        read("checkpoint", limits.ATTEST_RESTORED),
        read("witness", limits.ATTEST_RESTORED),
        read("evidence", limits.ATTEST_RESTORED),
        tuple(refused),
    )
