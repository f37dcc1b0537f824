"""Directed sends in the native store: each wish of `proto/mail` as one operation, and its answer.

Rules: runs on the writer's thread, in order with everything else that is written.
"""

from __future__ import annotations

from covey import _core, limits
from covey.model import SendState
from covey.proto import mail


class Mailbox:
    """What `proto/mail` wants, done on one store.

    Args:
        store: The peer's store.
        identity: Whose own records are verified again before they leave the disk's word.
    """

    def __init__(self, store: _core.Store, identity: _core.Identity) -> None:
        self._mail = store.mail
        self._identity = identity

    def perform(self, wish: mail.Effect, now_ms: int, problems: list[_core.CoreError]) -> mail.Event | None:
        """Do one thing; return its answer, or None where there is none.

        Args:
            wish: What is wanted.
            now_ms: Wall time for what is stamped.
            problems: Gets what could not be read, beside the answer.

        Raises:
            CoreError: The store could not do it. Nothing was changed.
        """
        store = self._mail
        match wish:
            case mail.LoadOutbox(node_id, after):
                return self._outbox(node_id, after, problems)
            case mail.SettleSends(node_id, said):
                ends = [(assertion, state.value, reason, closed) for assertion, state, reason, closed in said]
                return mail.SendsSettled(node_id, _ends(store.settle(node_id, ends, now_ms)))
            case mail.ExpireSends(at_ms):
                rows, next_ms = store.expire(at_ms)
                return mail.SendsExpired(_ends(rows), next_ms)
            case mail.LoadStream(node_id):
                held = store.stream_in(node_id, limits.NUMBERS_EXPECTED)
                stream, cursor, beyond = held or (None, 0, [])
                return mail.StreamLoaded(node_id, stream, cursor, tuple(beyond))
            case mail.StreamMoved(node_id, stream, cursor):
                store.put_stream_in(node_id, stream, cursor)
            case mail.KeepGap(node_id, stream, first, last, late, reason):
                store.put_gap(node_id, stream, first, last, late=late, reason=reason, now_ms=now_ms)
            case mail.LoadEndings(node_id, asked):
                return mail.EndingsLoaded(node_id, asked, tuple(store.endings(node_id, asked)))
            case mail.KeepEnding(assertion_id, how, why):
                sender = store.finish(assertion_id, how, why)
                return None if sender is None else mail.EndingKept(sender, assertion_id, how, why)
        return None

    def _outbox(self, node_id: str, after: int, problems: list[_core.CoreError]) -> mail.OutboxLoaded:
        page = self._mail.outbox_page(node_id, after, limits.STORE_OUTBOX_PAGE)
        records: list[tuple[_core.Record, int, int]] = []
        unreadable: list[tuple[str, int]] = []
        for row in page.rows:
            try:
                record = _core.verify(_core.Unverified.parse(row.json), self._identity.public_key)
            except _core.CoreError as error:
                problems.append(error)
                unreadable.append((row.assertion_id, row.number))
            else:
                records.append((record, row.number, row.deadline_ms))
        return mail.OutboxLoaded(
            node_id,
            tuple(records),
            after,
            page.stream,
            page.base,
            page.more,
            tuple(page.unfinished),
            tuple(page.given_up),
            tuple(unreadable),
        )


def _ends(rows: list[_core.SendRow]) -> tuple[mail.SendEnd, ...]:
    return tuple(
        mail.SendEnd(
            row.node_id,
            row.assertion_id,
            row.key,
            row.number,
            SendState(row.state),
            row.reason,
            row.closed,
        )
        for row in rows
    )
