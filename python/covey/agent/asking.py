"""Asking: one wake from its context to the model's answer, and from the answer to a proposal.

Rules: functions over a desk and a wake. A wake leaves here paused (`retry_at`), asked, proposed or dropped,
and each of these left a Note. Safety speaks twice: before money is spent, and before a block goes out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from covey.agent import effects as fx
from covey.agent.context import Context, ContextTooSmall, assemble, fence_for
from covey.agent.desk import Desk, Wake
from covey.agent.guards import Hold, Objection, Outlook
from covey.agent.hands import Pending, Question, argument_text, quoted_result, refusal, repair_round, round_of
from covey.agent.prompt import ANSWER_SCHEMA, EMIT_TOOL, Standing
from covey.agent.releasing import hold_for_a_person
from covey.agent.reply import Answer, Silent, Uses, read
from covey.agent.routes import route
from covey.model import Fresh, ModelReply, ModelRequest, Proposal, Round, ToolSpec, WakeFacts

if TYPE_CHECKING:
    from covey.proto.effects import Now


def ask(desk: Desk, wake: Wake, now: Now) -> None:
    """Build the question, reserve its cost, and have the reserve made durable; or pause, or end the wake."""
    wake.retry_at, wake.for_calls = None, False
    outlook = _prepared(desk, wake, now)
    if outlook is None:
        return
    question = wake.hands.question
    if question is None:
        raise ValueError("a wake was asked before it had a question")
    if desk.calls_left() == 0:
        desk.spent = True
        desk.drop(wake, "call-budget", "the model calls of this run are used up")
        return
    request = _request(desk, wake, question)
    reserved = desk.guards.reserve(wake.token, request, outlook, now)
    if isinstance(reserved, Hold):
        _pause(desk, wake, reserved)
        return
    wake.request = request
    desk.want(fx.Secure(wake.token, reserved))


def secured(desk: Desk, wake: Wake) -> None:
    """Call the model: a restart would find its cost counted."""
    request, question = wake.request, wake.hands.question
    if request is None or question is None:
        raise ValueError(f"wake {wake.token} was secured without a question")
    wake.request, wake.waits_for = None, ""
    wake.attempts += 1
    desk.tally.calls += 1
    desk.note(
        "info",
        "model-call",
        keys=list(wake.keys),
        attempt=wake.attempts,
        round=len(wake.hands.rounds) + 1,
        **question.facts,
    )
    desk.want(fx.Ask(wake.token, request))


def not_secured(desk: Desk, wake: Wake, event: fx.NotSecured, now: Now) -> None:
    """Give the reserve back and let the wake wait: nothing was asked."""
    wake.request = None
    desk.guards.give_back(wake.token)
    until = None if event.retry_in_s is None else now.monotonic + event.retry_in_s
    _pause(desk, wake, Hold(event.reason, event.detail, until))
    resume_after_calls(desk, now)
    desk.save()


def _pause(desk: Desk, wake: Wake, hold: Hold) -> None:
    """Let a wake wait for its turn; where this run has none for it, for the next run's."""
    if hold.for_calls or hold.until is not None:
        wake.retry_at, wake.for_calls = (None if hold.for_calls else hold.until), hold.for_calls
        if hold.reason != wake.waits_for:  # a purse that is asked every other second is one decision
            desk.note("warn", "call-deferred", reason=hold.reason, detail=hold.detail, keys=list(wake.keys))
        wake.waits_for = hold.reason
        return
    desk.spent = True
    desk.keep(wake, hold.reason, hold.detail)


def resume_after_calls(desk: Desk, now: Now) -> None:
    """Let the wakes that waited for a call's end be asked again: its money or its probe is free."""
    for wake in desk.active.values():
        if wake.for_calls:
            wake.for_calls, wake.retry_at = False, now.monotonic


def _prepared(desk: Desk, wake: Wake, now: Now) -> Outlook | None:
    """Have a question ready; None when the wake ended instead.

    A wake that goes on after a round keeps its question: its threads were counted with the first call.
    """
    if wake.hands.rounds:
        return Outlook((), closing_only=False)
    outlook = desk.guards.outlook(wake.blocks, desk.threads.block, now)
    if isinstance(outlook, Objection):
        facts = dict(outlook.facts)
        desk.drop(wake, outlook.reason, outlook.detail, event="call-spared", facts=facts)
        return None
    try:
        context = _context(desk, wake, closing_only=outlook.closing_only)
    except ContextTooSmall as problem:
        desk.drop(wake, "context-too-small", str(problem), level="error")
        return None
    facts = {
        "context_tokens": context.tokens,
        "trimmed": list(context.trimmed),
        "dropped": list(context.dropped),
    }
    wake.hands.question = Question(context.system, context.user, facts)
    return outlook


def replied(desk: Desk, wake: Wake, event: fx.Replied, now: Now) -> None:
    """Book the reply, read it, let safety judge it, and propose it to the mesh."""
    usage = event.reply.usage
    booked = desk.guards.answered(wake.token, usage, now)
    desk.want(fx.Book(wake.token, booked, usage))
    desk.tally.add_usage(usage)
    desk.note(
        "info",
        "model-replied",
        keys=list(wake.keys),
        model=event.reply.model,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cost_usd=usage.cost_usd,
        stop_reason=event.reply.stop_reason,
        seconds=round(event.seconds, 3),
    )
    desk.save()
    resume_after_calls(desk, now)
    wake.attempts = 0
    _follow(desk, wake, event.reply, now)


def _follow(desk: Desk, wake: Wake, reply: ModelReply, now: Now) -> None:
    """Do what a reply asks for: put a block out, use tools, nothing; or ask once more for a usable one."""
    persona = desk.persona
    answer = read(reply, tools=len(_tools(desk, wake)) > 1, as_json=persona.as_json)
    if isinstance(answer, Silent):
        desk.tally.silent += 1
        desk.note("info", "no-answer", keys=list(wake.keys), text=answer.text)
        desk.conclude(wake.blocks, "executed", "not answered: the model had nothing to say")
        del desk.active[wake.token]
    elif isinstance(answer, Uses):
        _take_up(desk, wake, reply, now)
    elif isinstance(answer, Answer):
        _propose(desk, wake, answer, now)
    elif wake.hands.repaired:
        desk.drop(wake, answer.reason, answer.detail, event="answer-unreadable", repaired=True)
    else:
        wake.hands.repaired = True
        desk.tally.repairs += 1
        desk.note("warn", "answer-repair", keys=list(wake.keys), reason=answer.reason, detail=answer.detail)
        _next_round(desk, wake, repair_round(reply, answer.reason, as_json=persona.as_json), now)


def _take_up(desk: Desk, wake: Wake, reply: ModelReply, now: Now) -> None:
    """Judge each call of a reply; have the permitted ones made, and tell the model of the others."""
    hands, tools, uses, refused = wake.hands, desk.tools or {}, list[fx.ToolUse](), list[str | None]()
    for call in reply.tool_calls:
        no = refusal(call, tools, desk.options.max_tool_calls - hands.calls)
        hands.calls += 1
        refused.append(None if no is None else no.sentence)
        if no is not None:
            desk.tally.tool_refusals += 1
            desk.note("warn", "tool-refused", keys=list(wake.keys), tool=call.name[:80], reason=no.reason)
            continue
        gate = desk.guards.call_objection(call.name, argument_text(call))
        ask = gate or ("permission" if tools[call.name].permission == "ask" else None)
        uses.append(fx.ToolUse(call, ask))
    hands.pending = Pending(reply, tuple(refused))
    if uses:
        desk.tally.tool_calls += len(uses)
        desk.want(fx.Use(wake.token, tuple(uses)))
    else:
        used(desk, wake, fx.Used(wake.token, ()), now)


def used(desk: Desk, wake: Wake, event: fx.Used, now: Now) -> None:
    """Quote what the calls came to, and ask the model again."""
    pending, wake.hands.pending = wake.hands.pending, None
    if pending is None:
        raise ValueError("tools were used that nobody asked for")
    told = []
    for call, outcome in zip(pending.to_make, event.outcomes, strict=True):
        desk.tally.tool_failures += outcome.failed
        desk.note(
            "warn" if outcome.failed else "info",
            "tool-used",
            keys=list(wake.keys),
            tool=call.name,
            failed=outcome.failed,
            reason=outcome.reason,
            bytes=len(outcome.text.encode("utf-8", "replace")),
            cut_bytes=outcome.cut_bytes,
        )
        fence = fence_for(desk.secret, desk.next_fence(), [outcome.text, call.name])
        told.append(quoted_result(call, outcome, fence))
    failed = [outcome.failed for outcome in event.outcomes]
    _next_round(desk, wake, round_of(pending, told, failed), now)


def _next_round(desk: Desk, wake: Wake, ended: Round, now: Now) -> None:
    wake.hands.rounds += (ended,)
    ask(desk, wake, now)


def _propose(desk: Desk, wake: Wake, answer: Answer, now: Now) -> None:
    if answer.ignored:
        desk.note("info", "answer-part-ignored", parts=list(answer.ignored))
    # A model's own output is an observation of this agent's, as a tool's result is (MMP 2.0 §15.7).
    fresh: Fresh = "tool" if wake.hands.calls else "model"
    proposal = Proposal(answer.categories, wake.keys, _addressee(desk, wake), fresh=fresh)
    objection = desk.guards.objection(wake.token, proposal, desk.threads.block)
    if objection is None:
        desk.want(fx.Emit(wake.token, proposal))
    elif objection.hits:
        hold_for_a_person(desk, wake, proposal, objection, now)
    else:
        facts = dict(objection.facts)
        desk.drop(wake, objection.reason, objection.detail, event="answer-held-back", facts=facts)


def call_failed(desk: Desk, wake: Wake, event: fx.CallFailed, now: Now, *, stopping: bool) -> None:
    """Book a failed call; pause for another try where one can help, else drop the wake."""
    error = event.error
    desk.tally.calls_failed += 1
    # After a timeout or half an answer nobody knows what the vendor charges; the reserve stays booked.
    charged = error.may_have_cost
    pause, booked = desk.guards.failed(
        wake.token, now, charged=charged, retry_after=error.retry_after_s, chance=desk.chance()
    )
    desk.want(fx.Book(wake.token, booked))
    resume_after_calls(desk, now)
    tries_left = wake.attempts <= desk.options.max_retries and desk.calls_left() != 0
    again = error.transient and tries_left and not stopping
    desk.note(
        "warn" if again else "error",
        "model-failed",
        keys=list(wake.keys),
        kind=error.kind.value,
        reason=error.kind.value,
        message=error.message,
        hint=error.hint,
        attempt=wake.attempts,
        final=not again,
        retry_in_seconds=round(pause, 3) if again else None,
    )
    desk.save()
    if again:
        desk.tally.retries += 1
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
        request=desk.next_fence(),
        tools=_tools(desk, wake),
    )


def _tools(desk: Desk, wake: Wake) -> tuple[ToolSpec, ...]:
    """Return what is offered: the answer itself, and the operator's tools while there are calls left."""
    if desk.persona.as_json:
        return ()
    spent = wake.hands.calls >= desk.options.max_tool_calls
    return (EMIT_TOOL, *(() if spent else (tool.spec for tool in (desk.tools or {}).values())))


def _request(desk: Desk, wake: Wake, question: Question) -> ModelRequest:
    facts = WakeFacts(
        block=wake.blocks[-1],
        self_name=desk.persona.name,
        self_role=desk.persona.role,
        thread=wake.root,
        heard=desk.threads.authors(wake.root),
    )
    return ModelRequest(
        system=question.system,
        user=question.user,
        tools=_tools(desk, wake),
        rounds=wake.hands.rounds,
        json_schema=ANSWER_SCHEMA if desk.persona.as_json else None,
        max_tokens=desk.options.max_tokens,
        timeout_seconds=desk.options.timeout_seconds,
        metadata={"wake": facts},
        temperature=desk.options.temperature,
        first_token_seconds=desk.options.first_token_seconds,
    )


def _addressee(desk: Desk, wake: Wake) -> str | None:
    """Return whom the answer is for; None is the room. Where the one it is meant for is away, say so."""
    asker = wake.blocks[-1]
    way = route(desk.options.routing, asker, {peer.node_id for peer in desk.peers()})
    if way.absent:
        desk.note(
            "warn",
            "addressee-absent",
            reason="not-connected",
            detail=f"{asker.author} asked and is not connected: the answer goes to the room",
            node_id=asker.node_id,
            keys=list(wake.keys),
        )
    return way.to
