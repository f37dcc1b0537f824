"""Asking: one wake from its context to the model's answer, and from the answer to a proposal.

Rules: functions over a desk and a wake. A wake leaves here paused (`retry_at`), asked, proposed or dropped,
and each of these left a Note. Safety speaks twice: before money is spent, and before a block goes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey.agent import effects as fx
from covey.agent.context import Context, ContextTooSmall, assemble
from covey.agent.desk import Desk, Wake
from covey.agent.guards import Objection
from covey.agent.prompt import EMIT_TOOL, Standing
from covey.agent.reply import Answer, Silent, Unreadable, read
from covey.model import ModelRequest, Proposal, WakeFacts

if TYPE_CHECKING:
    from covey.proto.effects import Now


def ask(desk: Desk, wake: Wake, now: Now) -> None:
    """Build the question, reserve its cost, and call the model; or pause, or drop the wake."""
    wake.retry_at = None
    outlook = desk.guards.outlook(wake.blocks, desk.threads.block)
    if isinstance(outlook, Objection):
        facts = dict(outlook.facts)
        desk.drop(wake, outlook.reason, outlook.detail, event="call-spared", facts=facts)
        return
    try:
        context = _context(desk, wake, closing_only=outlook.closing_only)
    except ContextTooSmall as problem:
        desk.drop(wake, "context-too-small", str(problem), level="error")
        return
    request = _request(desk, wake, context)
    hold = desk.guards.reserve(wake.token, request, outlook, now)
    if hold is not None and hold.until is None:
        desk.spent = True
        desk.drop(wake, hold.reason, hold.detail)
        return
    if hold is not None:
        wake.retry_at = hold.until
        desk.note("warn", "call-deferred", reason=hold.reason, detail=hold.detail, keys=list(wake.keys))
        return
    wake.attempts += 1
    desk.tally.calls += 1
    desk.note(
        "info",
        "model-call",
        keys=list(wake.keys),
        attempt=wake.attempts,
        context_tokens=context.tokens,
        trimmed=list(context.trimmed),
        dropped=list(context.dropped),
    )
    desk.want(fx.Ask(wake.token, request))


def replied(desk: Desk, wake: Wake, event: fx.Replied, now: Now) -> None:
    """Book the reply, read it, let safety judge it, and propose it to the mesh."""
    usage = event.reply.usage
    desk.guards.answered(wake.token, usage, now)
    desk.tally.add_usage(usage)
    desk.note(
        "info",
        "model-replied",
        keys=list(wake.keys),
        model=event.reply.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=usage.cost_usd,
        stop_reason=event.reply.stop_reason,
        seconds=round(event.seconds, 3),
    )
    desk.save(now)
    answer = read(event.reply)
    if isinstance(answer, Silent):
        desk.tally.silent += 1
        desk.note("info", "no-answer", keys=list(wake.keys), text=answer.text)
        del desk.active[wake.token]
    elif isinstance(answer, Unreadable):
        desk.drop(wake, answer.reason, answer.detail, event="answer-unreadable")
    else:
        _propose(desk, wake, answer)


def _propose(desk: Desk, wake: Wake, answer: Answer) -> None:
    if answer.ignored:
        desk.note("info", "answer-part-ignored", parts=list(answer.ignored))
    objection = desk.guards.objection(answer.categories, wake.keys, desk.threads.block)
    if objection is not None:
        facts = dict(objection.facts)
        desk.drop(wake, objection.reason, objection.detail, event="answer-held-back", facts=facts)
        return
    desk.want(fx.Emit(wake.token, Proposal(answer.categories, wake.keys, _addressee(desk, wake))))


def call_failed(desk: Desk, wake: Wake, event: fx.CallFailed, now: Now, *, stopping: bool) -> None:
    """Book a failed call; pause for another try where one can help, else drop the wake."""
    error = event.error
    desk.tally.calls_failed += 1
    # After a timeout or half an answer nobody knows what the vendor charges; the reserve stays booked.
    charged = error.may_have_cost
    pause = desk.guards.failed(wake.token, now, charged=charged, retry_after=error.retry_after_s)
    tries_left = wake.attempts <= desk.options.max_retries and desk.calls_left() != 0
    again = error.transient and tries_left and not stopping
    desk.note(
        "warn" if again else "error",
        "model-failed",
        keys=list(wake.keys),
        kind=error.kind.value,
        message=error.message,
        hint=error.hint,
        attempt=wake.attempts,
        final=not again,
        retry_in_seconds=round(pause, 3) if again else None,
    )
    desk.save(now)
    if again:
        wake.retry_at = now.monotonic + pause
    else:
        desk.drop(wake, "model-failed", error.message, level="error")


def _context(desk: Desk, wake: Wake, *, closing_only: bool) -> Context:
    own = desk.persona.node_id
    closings = (desk.threads.block(key) for key in desk.threads.closed(wake.root).values())
    names = tuple(block.author for block in closings if block is not None and block.node_id != own)
    return assemble(
        desk.persona,
        wake.blocks,
        desk.memory,
        desk.options.context,
        standing=Standing(
            answered=desk.threads.answered(own, wake.root),
            answers_left=desk.calls_left(),
            closed=names,
            closing_only=closing_only,
        ),
        secret=desk.secret,
        request=desk.tally.calls,
    )


def _request(desk: Desk, wake: Wake, context: Context) -> ModelRequest:
    facts = WakeFacts(
        block=wake.blocks[-1],
        self_name=desk.persona.name,
        self_role=desk.persona.role,
        thread=wake.root,
        heard=desk.threads.authors(wake.root),
    )
    return ModelRequest(
        system=context.system,
        user=context.user,
        tools=(EMIT_TOOL,),
        max_tokens=desk.options.max_tokens,
        timeout_seconds=desk.options.timeout_seconds,
        metadata={"wake": facts},
        temperature=desk.options.temperature,
        first_token_seconds=desk.options.first_token_seconds,
    )


def _addressee(desk: Desk, wake: Wake) -> str | None:
    """Return whom the answer is for; None is the room (feature notes §4.2, routing)."""
    routing = desk.options.routing
    connected = {peer.node_id for peer in desk.peers()}
    if routing == "broadcast" or (routing == "auto" and len(connected) <= 2):
        return None
    asker = wake.blocks[-1].node_id
    return asker if asker in connected else None
