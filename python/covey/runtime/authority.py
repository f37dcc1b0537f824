"""The shell of authority: its disk, what the operator asks of it, and what memory asks of it.

Also the same over a store whose peer does not run: signing and reading need no mesh.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from covey import _core, limits
from covey.errors import IpcError, RefusedArgumentError, StoreError
from covey.model import LifecycleMove, Reach, Ruling
from covey.proto.authority import rights, signing, words
from covey.proto.authority.engine import AuthorityExtension

if TYPE_CHECKING:
    from covey.ports import StoreTasks
    from covey.proto.extension import Extension
    from covey.runtime.plugin import Tell


class AuthorityPlugin:
    """The extension with what performs its wishes.

    Args:
        identity: Whose statements these are.
        pin: The anchor.
        store: Where statements are kept.
    """

    def __init__(self, identity: _core.Identity, pin: _core.AnchorPin, store: StoreTasks) -> None:
        self._engine = AuthorityExtension(identity, pin)
        self.extension: Extension = self._engine
        self._store = store
        self._answers: dict[int, asyncio.Future[words.Answer]] = {}
        self.changed: Callable[[], None] = lambda: None
        """Called when other statements are in force than before."""
        self._tokens = itertools.count(1)

    async def start(self, tell: Tell) -> None:
        """Read what the disk kept, judged again, before anybody is met.

        Raises:
            StoreError: The store cannot be read.
        """
        self._tell = tell
        read: asyncio.Future[words.Restored] = asyncio.get_running_loop().create_future()

        def done(value: object, problem: str) -> None:
            if problem:
                read.set_exception(StoreError(f"authority: {problem}"))
            else:
                read.set_result(cast("words.Restored", value))

        self._store.run(lambda store: restored(store, self._engine.authority), done)
        tell(await read)

    def perform(self, what: object) -> None:
        """Write statements, or hand an answer to who waits for it."""
        if isinstance(what, words.Keep):
            self._store.run(
                lambda store: store.statements_put(what.statements, what.dropped),
                lambda _, problem: self._tell(words.Kept(what.token, problem)),
            )
        elif isinstance(what, words.Answer):
            waiting = self._answers.pop(what.token, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(what)
        elif isinstance(what, words.Changed):
            self.changed()

    async def stop(self) -> None:
        """Let go of whoever still waits."""
        for waiting in self._answers.values():
            waiting.cancel()

    # --- what memory asks (ports.LifecycleAuthority) --------------------------------------------

    def may(self, move: LifecycleMove, node_id: str) -> Ruling:
        """Say whether a node may make a move, by what is in force now."""
        return rights.ruling(move, cast("Reach", self._engine.reach(node_id)), anchored=True)

    def validators(self) -> tuple[str, ...]:
        """Return the nodes that may validate now: of the anchor, and those with a grant in force."""
        anchor = (node_id for _, node_id in self._engine.pin.members if node_id is not None)
        named = sorted({*anchor, *(node_id for node_id, _, _ in self._engine.authority.holders())})
        return tuple(node_id for node_id in named if self.may("validate", node_id).allowed)

    def role(self) -> str:
        """Return the highest role this peer itself holds everywhere."""
        return self._engine.role()

    # --- what the operator asks -----------------------------------------------------------------

    async def handle(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the verb `authority` of the control socket: `action` is list, sign, take or export.

        Raises:
            IpcError: An argument is wrong, or it was not done.
        """
        action = arguments.get("action")
        if action == "list":
            return listing(self._engine.authority, self._engine.pin)
        if action == "export":
            return exported(self._engine.authority, arguments)
        token = next(self._tokens)
        request: object
        if action == "sign":
            request = words.SignRequest(token, wish_of(arguments))
        elif action == "take":
            request = words.TakeRequest(token, json.dumps(arguments.get("statement")).encode())
        else:
            raise RefusedArgumentError("action: expected list, sign, take or export")
        self._answers[token] = asyncio.get_running_loop().create_future()
        self._tell(request)
        answer = await self._answers[token]
        if answer.problem:
            raise IpcError(answer.problem, code="authority")
        return told(answer)


def restored(store: _core.Store, authority: _core.Authority) -> words.Restored:
    """Fill a ledger with what a store kept; each statement is judged as if a peer had brought it."""
    rows = store.statements()
    refused = authority.restore(rows)
    gone = {at for at, _, _ in refused}
    kept = frozenset(row[0] for at, row in enumerate(rows) if at not in gone)
    return words.Restored(kept, tuple((rows[at][0], reason, detail) for at, reason, detail in refused))


def listing(authority: _core.Authority, pin: _core.AnchorPin) -> dict[str, Any]:
    """Return what is held and who holds what, as plain values."""
    statements = []
    for statement in itertools.islice(_by_order(authority), limits.AUTHORITY_LISTED):
        subject = statement.subject
        entry: dict[str, Any] = {
            "id": statement.id,
            "kind": statement.kind,
            "source": statement.source,
            "standing": authority.standing(statement.id),
        }
        if subject is not None:
            entry |= {"node_id": subject[0], "key": _b64(subject[1]), "role": subject[2], "scope": subject[3]}
        else:
            entry["targets"] = list(statement.targets)
        statements.append(entry)
    holders = [
        {
            "node_id": node_id,
            "key": _b64(key),
            "roles": [{"role": role, "scope": scope} for role, scope in roles],
        }
        for node_id, key, roles in authority.holders()
    ]
    return {
        "pin": pin.digest,
        "threshold": pin.threshold,
        "anchor": [{"key": _b64(key), "node_id": node_id} for key, node_id in pin.members],
        "root": authority.root,
        "in_force": authority.count,
        "held": len(authority),
        "holders": holders,
        "statements": statements,
    }


def exported(authority: _core.Authority, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return held statements as JSON, what others hang from first: those after a position, and the next one.

    Raises:
        IpcError: The position is none.
    """
    after = arguments.get("after", 0)
    if type(after) is not int or after < 0:
        raise RefusedArgumentError("after: expected a position")
    ordered = list(_by_order(authority))
    page = ordered[after : after + limits.AUTHORITY_EXPORTED]
    end = after + len(page)
    following = end if end < len(ordered) else None
    return {"statements": [json.loads(each.to_json()) for each in page], "next": following}


def told(answer: words.Answer) -> dict[str, Any]:
    """Return an answer as plain values."""
    return {"id": answer.id, "standing": answer.standing, "statement": json.loads(answer.statement)}


def wish_of(arguments: Mapping[str, Any]) -> signing.Wish:
    """Read what is to be signed.

    Raises:
        IpcError: It names the argument that is wrong.
    """
    kind, targets = arguments.get("kind"), arguments.get("targets", [])
    texts = {name: arguments.get(name) for name in ("node_id", "key", "role", "scope")}
    if kind not in ("grant", "revoke", "endorse"):
        raise RefusedArgumentError("kind: expected grant, revoke or endorse")
    if any(text is not None and not isinstance(text, str) for text in texts.values()):
        raise RefusedArgumentError("node_id, key, role, scope: expected texts")
    if not isinstance(targets, list) or not all(isinstance(each, str) for each in targets):
        raise RefusedArgumentError("targets: expected a list of ids")
    try:
        key = base64.urlsafe_b64decode((texts["key"] or "") + "=") if texts["key"] else b""
    except ValueError as error:
        raise RefusedArgumentError("key: expected a public key as base64url") from error
    return signing.Wish(
        kind,
        node_id=texts["node_id"] or "",
        public_key=key,
        role=texts["role"] or "",
        scope=texts["scope"],
        targets=tuple(targets),
        as_anchor=arguments.get("as_anchor") is True,
    )


class StoppedAuthority:
    """The authority of a peer that does not run, over its store.

    Args:
        store: The peer's store; the caller holds its lock.
        pin: The anchor.
        identity: The peer, where something is to be signed.
        nonce: Gives 16 unpredictable bytes.
        now_ms: Gives the wall time.
    """

    def __init__(
        self,
        store: _core.Store,
        pin: _core.AnchorPin,
        *,
        identity: Callable[[], _core.Identity],
        nonce: Callable[[], bytes],
        now_ms: Callable[[], int],
    ) -> None:
        self.authority = _core.Authority(pin, capacity=limits.AUTHORITY_STATEMENTS)
        self.pin = pin
        self.refused = restored(store, self.authority).refused
        self._store = store
        self._identity = identity
        self._nonce = nonce
        self._now_ms = now_ms

    def handle(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Answer as a running peer would.

        Raises:
            IpcError: As there.
        """
        if arguments["action"] == "list":
            return listing(self.authority, self.pin)
        if arguments["action"] == "export":
            return exported(self.authority, arguments)
        try:
            if arguments["action"] == "sign":
                statement = signing.signed(
                    wish_of(arguments),
                    self._identity(),
                    self.authority,
                    self.pin,
                    nonce=self._nonce(),
                    now_ms=self._now_ms(),
                )
            else:
                statement = _core.Statement.parse(json.dumps(arguments["statement"]).encode())
            if signing.missing_signatures(statement, self.pin):
                return told(words.Answer(0, statement.id, statement.to_json(), "incomplete"))
            signing.hold(statement, self.authority)
        except (signing.NoAuthorityError, _core.CoreError) as error:
            raise IpcError(signing.why(error), code="authority") from error
        self._store.statements_put([(statement.id, statement.to_json())])
        standing = self.authority.standing(statement.id) or "dropped"
        return told(words.Answer(0, statement.id, statement.to_json(), standing))


def _by_order(authority: _core.Authority) -> Iterable[_core.Statement]:
    """Return held statements so that each comes after what it hangs from."""
    held = {statement.id: statement for statement in authority.statements()}

    def depth(statement: _core.Statement) -> int:
        above, steps = held.get(statement.source), 1
        while above is not None:
            above, steps = held.get(above.source), steps + 1
        return steps

    return sorted(held.values(), key=lambda statement: (depth(statement), statement.id))


def _b64(key: bytes) -> str:
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()
