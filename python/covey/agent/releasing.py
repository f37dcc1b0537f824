"""Quarantine at work: an answer goes in where a gate holds it, and comes out on a person's word, once.

Rules: functions over a desk. An approval is durable before anything is emitted, and an answer that was
approved before a crash is looked for among the own blocks first: approving is emitting once, whatever
happens between.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from covey.agent import effects as fx
from covey.agent.desk import Desk, Release, Wake
from covey.agent.guards import Objection
from covey.limits import RECALLED_OWN_BLOCKS
from covey.model import Duplicate, EmissionRefused, EmissionResult, Minted, Proposal, said
from covey.safety import Held, Refusal

if TYPE_CHECKING:
    from covey.proto.effects import Now


def hold_for_a_person(desk: Desk, wake: Wake, proposal: Proposal, objection: Objection, now: Now) -> None:
    """Put an answer where a person finds it, and end its wake."""
    entry = desk.guards.quarantine.hold(
        proposal,
        objection.hits,
        desk.guards.moment(now),
        thread=wake.root,
        asked_by=tuple(dict.fromkeys(block.author for block in wake.blocks)),
    )
    if isinstance(entry, Refusal):
        detail = f"{objection.detail}; not kept: {entry.detail}"
        desk.drop(wake, f"quarantine-{entry.reason}", detail, event="answer-held-back", facts=objection.facts)
    else:
        desk.guards.ledger.held()
        detail = f"{objection.detail}; covey gates approve {desk.persona.name} {entry.id}"
        facts = {**objection.facts, "id": entry.id, "until_ms": entry.until_ms}
        desk.drop(wake, objection.reason, detail, event="answer-quarantined", facts=facts)
    desk.save()


def decide(desk: Desk, event: fx.Decide) -> None:
    """Take a person's word on an answer."""
    if desk.stopping is not None:
        _refuse(desk, event, Refusal("stopping", "the peer is stopping: decide when it runs again"))
        return
    quarantine = desk.guards.quarantine
    entry = quarantine.approve(event.word) if event.approve else quarantine.deny(event.word, event.why)
    if isinstance(entry, Refusal):
        _refuse(desk, event, entry)
        return
    release = Release(entry.id, event.ref)
    if not event.approve:
        desk.note(
            "info", "quarantine-denied", reason="denied", detail=event.why, id=entry.id, thread=entry.thread
        )
        _conclude(desk, entry, "executed", "not answered: a person denied the answer")
    # Either word is durable before anybody is told of it.
    token = desk.token()
    desk.releasing[token] = release
    desk.want(fx.Secure(token))


def resume(desk: Desk) -> None:
    """Go on with what an earlier run approved and did not see through."""
    for entry in desk.guards.quarantine.approved():
        token = desk.token()
        desk.releasing[token] = Release(entry.id, None)
        desk.want(fx.Secure(token))


def secured(desk: Desk, token: int) -> None:
    """Emit what was approved, or answer that it was denied: a restart would know either."""
    release = desk.releasing[token]
    entry = next((e for e in desk.guards.quarantine.approved() if e.id == release.name), None)
    if entry is None:
        del desk.releasing[token]
        _answer(desk, release, {"result": "denied", "id": release.name})
        return
    if release.ref is None:
        key = _emitted_before(desk, entry)
        if key is not None:
            _finish(desk, token, entry, emitted=key)
            return
    objection = desk.guards.objection(token, entry.proposal, desk.threads.block, gates=False)
    if objection is not None:
        _finish(desk, token, entry, failed=f"{objection.reason}: {objection.detail}")
        return
    desk.note("info", "quarantine-approved", reason="approved", id=entry.id, thread=entry.thread)
    # A person read it and stands behind it: that is what is new in it (MMP 2.0 §15.7).
    desk.want(fx.Emit(token, replace(entry.proposal, fresh="person")))


def not_secured(desk: Desk, token: int, event: fx.NotSecured) -> None:
    """Take an approval back that would not survive a restart."""
    release = desk.releasing.pop(token)
    desk.guards.quarantine.put_back(release.name)
    _answer(desk, release, {"result": "refused", "reason": event.reason, "detail": event.detail})


def ended(desk: Desk, token: int, result: EmissionResult) -> None:
    """Take the typed end of an approved answer."""
    release = desk.releasing[token]
    entry = next(e for e in desk.guards.quarantine.approved() if e.id == release.name)
    match result:
        case Minted():
            _finish(desk, token, entry, emitted=result.block.key)
        case Duplicate(key):
            _finish(desk, token, entry, emitted=key)
        case EmissionRefused(reason, detail):
            _finish(desk, token, entry, failed=f"{reason}: {detail}")


def expire(desk: Desk, now: Now) -> None:
    """Discard what nobody decided in time, and say so."""
    gone = desk.guards.quarantine.expire(now.monotonic)
    for entry in gone:
        facts = {"reason": "expired", "detail": entry.outcome, "id": entry.id, "thread": entry.thread}
        desk.note("warn", "quarantine-expired", **facts)
        _conclude(desk, entry, "unexecuted", "not answered: no person decided in time")
    if gone:
        desk.save()


def _finish(desk: Desk, token: int, entry: Held, *, emitted: str = "", failed: str = "") -> None:
    release = desk.releasing.pop(token)
    if emitted:
        desk.guards.quarantine.emitted(entry.id, emitted)
        _conclude(desk, entry, "executed", f"replied: {emitted}")
        _answer(desk, release, {"result": "approved", "id": entry.id, "key": emitted})
    else:
        desk.guards.quarantine.failed(entry.id, failed)
        reason, _, detail = failed.partition(": ")
        desk.note("warn", "quarantine-failed", reason=reason, detail=detail, id=entry.id)
        _conclude(desk, entry, "unexecuted", f"its reply was refused: {reason}")
        _answer(desk, release, {"result": "refused", "id": entry.id, "reason": reason, "detail": detail})
    desk.save()


def _conclude(desk: Desk, entry: Held, how: str, why: str) -> None:
    """Tell whoever addressed the blocks that this answer is for how they ended."""
    asked = (desk.threads.block(key) for key in entry.proposal.parents)
    desk.conclude([block for block in asked if block is not None], how, why)


def _emitted_before(desk: Desk, entry: Held) -> str | None:
    """Return the key of the own block that this answer became before a crash, if it did."""
    wanted = said(entry.proposal.categories)
    for block in desk.memory.recent(RECALLED_OWN_BLOCKS, own=True, room=desk.persona.room):
        same = (block.parents, block.to, block.said()) == (entry.proposal.parents, entry.proposal.to, wanted)
        if same and block.created_ms >= entry.since_ms:
            return block.key
    return None


def _refuse(desk: Desk, event: fx.Decide, refusal: Refusal) -> None:
    facts = {"result": "refused", "reason": refusal.reason, "detail": refusal.detail}
    desk.want(fx.Decided(event.ref, facts))


def _answer(desk: Desk, release: Release, result: dict[str, str]) -> None:
    if release.ref is not None:
        desk.want(fx.Decided(release.ref, result))
