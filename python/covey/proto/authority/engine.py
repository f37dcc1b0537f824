"""Statements between peers, as an extension of the node engine (MMP 2.0 §6.6.8).

Rules: what is in force follows from the set and the pinned anchor alone; time only paces. Every statement a
peer delivers is paid from that peer's lane before it is checked; we ask only where the lane holds a full
answer's worst case, so no answer is dropped for it. One that does not hold is never stored and never relayed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from covey import _core, limits
from covey.proto.authority import signing, words
from covey.proto.authority.exchange import Ask, Exchange, Pending, Pull
from covey.proto.authority.keeping import Keeping
from covey.proto.authority.serving import Serving

if TYPE_CHECKING:
    from covey.proto.extension import ExtensionHost
    from covey.proto.link import Peer
    from covey.proto.turn import Turn

NAME: Final = "authority"
_WORST: Final = limits.AUTHORITY_PAGE * limits.AUTHORITY_STATEMENT_CHECKS
"""Checks of the dearest answer: a full page of the dearest statements."""


class AuthorityExtension:
    """The authority of one node, and its conversations about it.

    Args:
        identity: Signs what the operator wants signed.
        pin: The anchor; without one a node has no such extension (§6.6.1).
        capacity: Statements held at most, but for those that must never be dropped.
    """

    name = NAME
    token: str | None = None
    frames = frozenset({"authority-statement", "authority-digest", "authority-fetch", "authority-set"})

    def __init__(
        self,
        identity: _core.Identity,
        pin: _core.AnchorPin,
        *,
        capacity: int = limits.AUTHORITY_STATEMENTS,
    ) -> None:
        self.authority = _core.Authority(pin, capacity=capacity)
        self.pin = pin
        self._identity = identity
        self._exchanges: dict[str, Exchange] = {}
        self._origin: dict[str, str] = {}
        """Who delivered what is not settled yet."""
        self._keeping = Keeping()
        self._serving = Serving(self.authority)
        self._ready = False
        self._root, self._count = self.authority.root, 0
        self._asks = 0

    # --- the engine's calls ---------------------------------------------------------------------

    def attach(self, host: ExtensionHost) -> None:
        """Take what to act through."""
        self._host = host

    def started(self, turn: Turn) -> None:
        """Wait for what the disk kept; nothing is said before it is read."""

    def joined(self, peer: Peer, turn: Turn) -> None:
        """Say where we stand."""
        self._exchanges[peer.node_id] = Exchange()
        self._owe_digest(peer.node_id, turn)

    def left(self, peer: Peer, turn: Turn) -> None:
        """Let go of everything that was under way."""
        if self._exchanges.pop(peer.node_id, None) is not None:
            self._host.cancel(peer.node_id)

    def heard(self, peer: Peer, kind: str, frame: bytes, turn: Turn) -> None:
        """Read one of the four frames."""
        exchange = self._exchanges.get(peer.node_id)
        if exchange is None:
            return
        if not self._ready:
            turn.count("authority.early")  # a digest that differs brings it again
            return
        try:
            read = _core.AuthorityFrame.parse(kind, frame)
        except _core.CoreError as error:
            turn.count(f"authority.refused.{error.reason}")
            return
        if read.kind == "statement":
            for statement in read.statements:
                self._take(peer.node_id, exchange, statement, None, turn)
        elif read.kind == "digest":
            self._digest(peer.node_id, exchange, read.root or "", turn)
        elif read.kind == "fetch":
            self._serving.asked(exchange, read, turn)
            self._serve(peer.node_id, exchange, turn)
        else:
            self._answered(peer.node_id, exchange, read, turn)
        self._keeping.pump(self._host, self.authority, turn)

    def due(self, whom: str, turn: Turn) -> None:
        """Settle, or go on with a peer."""
        if whom == "":
            self._settle(turn)
            return
        exchange = self._exchanges.get(whom)
        if exchange is None:
            return
        now = turn.now.monotonic
        for what in sorted(what for what, at in exchange.due.items() if at <= now):
            del exchange.due[what]
            self._act(what, whom, exchange, turn)
        self._arm(whom, exchange)

    def told(self, what: object, turn: Turn) -> None:
        """Take what the disk kept or keeps, or what the operator wants."""
        if isinstance(what, words.Restored):
            self._restored(what, turn)
        elif isinstance(what, words.Kept):
            self._keeping.kept(what, self._host, self.authority, turn)
        elif isinstance(what, words.SignRequest | words.TakeRequest):
            self._operator(what, turn)
        self._keeping.pump(self._host, self.authority, turn)

    # --- what others ask of it ------------------------------------------------------------------

    def reach(self, node_id: str) -> str:
        """Return how far a node's authority reaches for blocks outside every scope (§3.5).

        A role belongs to a nodeId and a key together: it is judged under the key the node is bound to here.
        covey implements no scope's namespace, so a scoped grant confers nothing on any block (§6.6.2).
        """
        key = self._host.key_of(node_id)
        return "none" if key is None else self.authority.reach(node_id, key)

    def role(self) -> str:
        """Return the highest role this peer itself holds everywhere, "participant" where it holds none."""
        held = self.authority.roles(self._identity.node_id, self._identity.public_key)
        whole = {role for role, scope in held if scope is None}
        return next(
            (role for role in ("anchor", "admin", "validator", "issuer") if role in whole), "participant"
        )

    # --- statements -----------------------------------------------------------------------------

    def _take(
        self, node_id: str, exchange: Exchange, statement: _core.Statement, ask: Ask | None, turn: Turn
    ) -> None:
        """Judge one statement of a peer, once its lane has paid for it."""
        now = turn.now.monotonic
        if self.authority.get(statement.id) is not None or statement.id in exchange.pending:
            turn.count("authority.duplicate")
            return
        if exchange.muted(now):
            turn.count("authority.muted")
            return
        if statement.source != signing.ANCHOR and self.authority.get(statement.source) is None:
            self._wait(node_id, exchange, statement, turn)
            return
        cost = self.authority.price(statement)
        if not _pay(exchange, ask, cost, now):
            turn.count("authority.over_budget")
            return
        self._offer(node_id, exchange, statement, turn)

    def _offer(self, node_id: str, exchange: Exchange, statement: _core.Statement, turn: Turn) -> None:
        try:
            self.authority.offer(statement)
        except _core.CoreError as error:
            turn.count(f"authority.refused.{error.reason}")
            if error.reason == "too_large":
                return  # no room: nothing against it, or who brought it
            if exchange.failed(turn.now.monotonic):
                turn.log(
                    "warn",
                    "statement-refused",
                    id=statement.id,
                    node_id=node_id,
                    reason=error.reason,
                    detail=error.detail,
                )
            return
        self._hold(statement, node_id, turn)

    def _hold(self, statement: _core.Statement, node_id: str, turn: Turn) -> None:
        """Note a statement that holds: it is kept, settled, and frees what waited for it."""
        turn.count("authority.held")
        if node_id:
            self._origin[statement.id] = node_id
        self._keeping.add(statement)
        self._soon(turn)
        for whom, exchange in self._exchanges.items():
            freed = [each for each in exchange.pending.values() if each.missing == statement.id]
            for each in freed:
                del exchange.pending[each.statement.id]
            for each in freed:
                self._take(whom, exchange, each.statement, None, turn)

    def _wait(self, node_id: str, exchange: Exchange, statement: _core.Statement, turn: Turn) -> None:
        """Keep a statement whose grant is not held, for a while, and ask for the grant."""
        if len(exchange.pending) >= limits.AUTHORITY_PENDING:
            turn.count("authority.dropped.pending_full")
            return
        turn.count("authority.pending")
        until = turn.now.monotonic + limits.AUTHORITY_PENDING_SECONDS
        exchange.pending[statement.id] = Pending(statement, statement.source, until)
        self._want(node_id, exchange, "pending", until)
        self._ask(node_id, exchange, turn)

    # --- settling -------------------------------------------------------------------------------

    def _soon(self, turn: Turn) -> None:
        """Settle shortly: once for all that comes together, and the later the more there is to resolve."""
        if self._host.wanted("") is None:
            wait = (
                limits.AUTHORITY_SETTLE_SECONDS + len(self.authority) * limits.AUTHORITY_SETTLE_EACH_SECONDS
            )
            self._host.timer("", turn.now.monotonic + wait)

    def _settle(self, turn: Turn) -> None:
        """Resolve; pass on what came into force, once; say the new root."""
        news = self.authority.news()
        before, self._root, self._count = self._root, self.authority.root, self.authority.count
        if self._ready:
            self._relay(news[: limits.AUTHORITY_RELAYED], turn)
        self._origin.clear()
        if self._root != before:
            turn.count("authority.changed")
            turn.log("info", "authority-changed", root=self._root, in_force=self._count)
            self._host.want(words.Changed(), turn)
        for node_id, exchange in self._exchanges.items():
            if self._root != before:
                exchange.repull_seconds = limits.AUTHORITY_REPULL_FIRST_SECONDS
                self._owe_digest(node_id, turn)
            if exchange.pulled:
                exchange.pulled = False
                self._pulled(node_id, exchange, turn)

    def _relay(self, news: list[_core.Statement], turn: Turn) -> None:
        for statement in news:
            frame = b'{"type":"authority-statement","statement":' + statement.to_json() + b"}"
            origin = self._origin.get(statement.id)
            for peer in self._host.peers():
                if peer.node_id != origin:
                    self._host.send(peer.node_id, frame, turn)

    def _owe_digest(self, node_id: str, turn: Turn) -> None:
        """Tell a peer our root, at most once a second."""
        exchange = self._exchanges[node_id]
        if not self._ready:
            return
        now = turn.now.monotonic
        next_at = now if exchange.told_at is None else exchange.told_at + limits.AUTHORITY_DIGEST_SECONDS
        if next_at > now:
            self._want(node_id, exchange, "digest", next_at)
            return
        exchange.told_at = now
        frame = {"type": "authority-digest", "root": self._root, "count": self._count}
        self._host.send(node_id, json.dumps(frame).encode(), turn)

    # --- reading a peer's set -------------------------------------------------------------------

    def _digest(self, node_id: str, exchange: Exchange, root: str, turn: Turn) -> None:
        if root != exchange.root:
            exchange.repull_seconds = limits.AUTHORITY_REPULL_FIRST_SECONDS
        exchange.root = root
        if root == self._root:
            exchange.due.pop("repull", None)
        elif exchange.pull is not None:
            exchange.pull.again = True
        else:
            self._pull(node_id, exchange, turn)

    def _pull(self, node_id: str, exchange: Exchange, turn: Turn) -> None:
        exchange.due.pop("repull", None)
        exchange.pull = Pull()
        turn.count("authority.pulls")
        self._ask(node_id, exchange, turn)

    def _ask(self, node_id: str, exchange: Exchange, turn: Turn) -> None:
        """Ask a peer for the next thing: links that are missing, then a page. One question at a time."""
        missing = tuple(exchange.misses()[: limits.AUTHORITY_PAGE])
        if exchange.ask is not None or not (missing or exchange.pull):
            return
        now = turn.now.monotonic
        exchange.lane.refill(now)
        wait = exchange.seconds_until(_WORST)
        if wait > 0.0:
            self._want(node_id, exchange, "ask", now + wait)
            return
        self._asks += 1
        ask = Ask(f"a{self._asks}", _WORST, missing)
        frame: dict[str, object] = {"type": "authority-fetch", "reqId": ask.request}
        if missing:
            frame["ids"] = list(missing)
        elif exchange.pull is not None:
            frame["after"] = exchange.pull.after
        if not self._host.send(node_id, json.dumps(frame).encode(), turn):
            self._want(node_id, exchange, "ask", now + limits.AUTHORITY_DIGEST_SECONDS)
            return
        exchange.lane.tokens -= _WORST
        exchange.ask = ask
        self._want(node_id, exchange, "answer", now + limits.AUTHORITY_ANSWER_SECONDS)

    def _answered(self, node_id: str, exchange: Exchange, read: _core.AuthorityFrame, turn: Turn) -> None:
        ask = exchange.ask
        if ask is None or ask.request != read.request:
            turn.count("authority.unasked")
            return
        for statement in read.statements:
            self._take(node_id, exchange, statement, ask, turn)
        exchange.due.pop("answer", None)
        exchange.ask = None
        exchange.lane.tokens += ask.left
        if ask.ids:
            self._give_up(exchange, ask.ids, turn)
        elif exchange.pull is not None and read.cursor:
            exchange.pull.after, exchange.pull.tries = read.cursor, 0
        elif exchange.pull is not None:
            exchange.pulled = True  # whether the roots meet now shows when it is settled
            self._soon(turn)
        if not exchange.pulled:
            self._ask(node_id, exchange, turn)

    def _give_up(self, exchange: Exchange, ids: tuple[str, ...], turn: Turn) -> None:
        """Drop what waits for links that the peer was asked for and did not bring."""
        lost = [key for key, each in exchange.pending.items() if each.missing in ids]
        for key in lost:
            del exchange.pending[key]
        turn.count("authority.dropped.unlinked", len(lost))

    def _pulled(self, node_id: str, exchange: Exchange, turn: Turn) -> None:
        """End a pull: start over where the set changed meanwhile, or later where the roots stay apart."""
        pull, exchange.pull = exchange.pull, None
        if exchange.root is None or exchange.root == self._root:
            return
        if pull is not None and pull.again:
            self._pull(node_id, exchange, turn)
            return
        self._want(node_id, exchange, "repull", turn.now.monotonic + exchange.repull_seconds)
        doubled = exchange.repull_seconds * 2
        exchange.repull_seconds = min(doubled, limits.AUTHORITY_REPULL_LAST_SECONDS)

    # --- answering ------------------------------------------------------------------------------

    def _serve(self, node_id: str, exchange: Exchange, turn: Turn) -> None:
        """Answer what the pace allows; the rest waits its turn."""
        for frame in self._serving.answers(exchange, turn):
            self._host.send(node_id, frame, turn)
        if exchange.questions:
            self._want(node_id, exchange, "serve", turn.now.monotonic + exchange.serving.wait_seconds())

    # --- the disk and the operator --------------------------------------------------------------

    def _restored(self, what: words.Restored, turn: Turn) -> None:
        """Begin to speak: the disk is read, and judged again."""
        for statement_id, reason, detail in what.refused:
            turn.count(f"authority.restore_refused.{reason}")
            turn.log("warn", "stored-statement-refused", id=statement_id, reason=reason, detail=detail)
        self._keeping.restored(what.kept)
        self._ready = True
        self.authority.news()  # what was told in earlier runs is no news
        self._root, self._count = self.authority.root, self.authority.count
        for node_id in self._exchanges:
            self._owe_digest(node_id, turn)

    def _operator(self, request: words.SignRequest | words.TakeRequest, turn: Turn) -> None:
        """Sign or take a statement, and answer once it is durable."""
        token = request.token
        try:
            if isinstance(request, words.TakeRequest):
                statement = _core.Statement.parse(request.statement)
            else:
                statement = signing.signed(
                    request.wish,
                    self._identity,
                    self.authority,
                    self.pin,
                    nonce=turn.draw()[:16],
                    now_ms=turn.now.wall_ms,
                )
            if signing.missing_signatures(statement, self.pin):
                answer = words.Answer(token, statement.id, statement.to_json(), "incomplete")
                self._host.want(answer, turn)
                return
            told = signing.hold(statement, self.authority)
        except (signing.NoAuthorityError, _core.CoreError) as error:
            self._host.want(words.Answer(token, problem=signing.why(error)), turn)
            return
        if told == "new":
            self._hold(statement, "", turn)
        else:
            self._keeping.again(statement)
        self._keeping.owe(token, statement)

    # --- time -----------------------------------------------------------------------------------

    def _act(self, what: str, node_id: str, exchange: Exchange, turn: Turn) -> None:
        now = turn.now.monotonic
        if what == "digest":
            self._owe_digest(node_id, turn)
        elif what == "serve":
            self._serve(node_id, exchange, turn)
        elif what == "ask":
            self._ask(node_id, exchange, turn)
        elif what == "repull" and exchange.pull is None and exchange.root not in (None, self._root):
            self._pull(node_id, exchange, turn)
        elif what == "pending":
            late = [key for key, each in exchange.pending.items() if each.until <= now]
            for key in late:
                del exchange.pending[key]
            turn.count("authority.dropped.unlinked", len(late))
            if exchange.pending:
                self._want(
                    node_id, exchange, "pending", min(each.until for each in exchange.pending.values())
                )
        elif what == "answer" and exchange.ask is not None:
            self._unanswered(node_id, exchange, exchange.ask, turn)

    def _unanswered(self, node_id: str, exchange: Exchange, ask: Ask, turn: Turn) -> None:
        turn.count("authority.unanswered")
        exchange.ask = None
        exchange.lane.tokens += ask.left
        if ask.ids:
            self._give_up(exchange, ask.ids, turn)
        elif exchange.pull is not None:
            exchange.pull.tries += 1
            if exchange.pull.tries > limits.AUTHORITY_PULL_TRIES:
                exchange.pull.again = False
                self._pulled(node_id, exchange, turn)
        self._ask(node_id, exchange, turn)

    def _want(self, node_id: str, exchange: Exchange, what: str, at: float) -> None:
        exchange.due[what] = min(at, exchange.due.get(what, at)) if what == "pending" else at
        self._arm(node_id, exchange)

    def _arm(self, node_id: str, exchange: Exchange) -> None:
        if exchange.due:
            self._host.timer(node_id, min(exchange.due.values()))


def _pay(exchange: Exchange, ask: Ask | None, cost: int, now: float) -> bool:
    """Take what a statement costs: from the question it answers, else from the peer's lane."""
    if ask is not None:
        ask.left -= min(ask.left, cost)
        return True
    exchange.lane.refill(now)
    if exchange.lane.tokens < cost:
        return False
    exchange.lane.tokens -= cost
    return True
