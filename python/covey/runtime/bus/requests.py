"""Requests: a question with a deadline, its one answer, and a word to the other side when nobody waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from covey import limits
from covey.fleet import arguments as args
from covey.fleet.message import Message, MessageType
from covey.runtime.bus.port import Bus, Cancel
from covey.runtime.bus.values import Fate, NoSuchAgentError, RequestFailedError, RequestTimeoutError

Answer = Callable[[Message], Awaitable[Mapping[str, Any]]]
_REPLIES: Final = {
    MessageType.REQUEST: MessageType.RESPONSE,
    MessageType.IDENTITY_REQUEST: MessageType.IDENTITY_RESPONSE,
    MessageType.PREDICT_REQUEST: MessageType.PREDICT_RESPONSE,
    MessageType.INFERENCE_REQUEST: MessageType.INFERENCE_RESPONSE,
    MessageType.TASK_REQUEST: MessageType.TASK_RESULT,
}
"""What answers what; a type that is not here is no question."""
_ANSWERED: Final = frozenset({*_REPLIES.values(), MessageType.ERROR})


class Requests:
    """One agent's questions and answers on a bus. Make it where its loop runs.

    Args:
        bus: Carries the messages.
        nickname: Who asks and answers. Registered here; further handlers may be registered beside.
    """

    def __init__(self, bus: Bus, nickname: str) -> None:
        self._bus = bus
        self._nickname = nickname
        self._loop = asyncio.get_running_loop()
        self._pending: dict[str, asyncio.Future[Message]] = {}
        self._over: OrderedDict[str, None] = OrderedDict()
        self._running: dict[str, tuple[tuple[str, str], asyncio.Task[None]]] = {}
        """By question: who asked (a name, and the peer that brought it), and the answer under way."""
        self._answers: dict[str, Answer] = {}
        self.late = 0
        self.foreign = 0
        """How many CANCELs came from another than who had asked, and stopped nothing."""
        self._end: Cancel = bus.register(nickname, self._heard)
        self._unwatch: Cancel = bus.watch(self._lost)
        self._elsewhere: dict[str, int] = {}
        """By question: how many peers may still answer it, where nobody here can."""

    def close(self) -> None:
        """End the registration; questions that still wait are cancelled, answers under way too."""
        self._end()
        self._unwatch()
        for future in self._pending.values():
            future.cancel()
        for _, task in self._running.values():
            task.cancel()

    def serve(self, answer: Answer, kind: str = MessageType.REQUEST) -> None:
        """Answer every question of one type with what `answer` returns; what it raises goes back as an ERROR.

        Raises:
            ValueError: The type asks nothing: nothing answers it.
        """
        self._answers[_question(kind)] = answer

    async def ask(
        self,
        recipient: str,
        payload: Mapping[str, Any],
        *,
        timeout_seconds: float = limits.REQUEST_SECONDS,
        kind: str = MessageType.REQUEST,
    ) -> Message:
        """Ask one agent and wait for its reply.

        Args:
            recipient: A nickname, or `nickname@peer`.
            payload: A JSON object.
            timeout_seconds: The deadline, more than 0 and a day at most: no question waits for ever.
            kind: What is asked.

        Returns:
            The message of the type that answers `kind`: a RESPONSE to a REQUEST.

        Raises:
            ValueError: The type asks nothing: nothing answers it.
            UsageError: The deadline is none.
            NoSuchAgentError: Nobody has that nickname; at once, or as soon as its peer says so.
            RequestTimeoutError: No reply in time. The other side hears CANCEL, also when this is cancelled.
            RequestFailedError: The other side answered with an ERROR.
        """
        most, usual = limits.REQUEST_SECONDS_MOST, limits.REQUEST_SECONDS
        timeout_seconds = args.seconds("request", "timeout_seconds", timeout_seconds, most, usual=usual)
        message = self._bus.make(
            self._nickname, recipient, _question(kind), payload, ttl_seconds=timeout_seconds
        )
        future: asyncio.Future[Message] = self._loop.create_future()
        self._pending[message.id] = future
        try:
            receipt = self._bus.send(message)
            if receipt.carried and receipt.carried == receipt.reached:
                self._elsewhere[message.id] = receipt.carried
            if not receipt.reached:
                raise NoSuchAgentError(
                    f"request: nobody answers to {recipient!r} ({receipt.dead or 'refused'})",
                    hint="check the nickname, or wait until it has joined",
                )
            try:
                reply = await asyncio.wait_for(future, timeout_seconds)
            except TimeoutError as error:
                self._call_off(message)
                raise RequestTimeoutError(
                    f"request: no reply from {recipient!r} within {timeout_seconds:g} s",
                    hint="it was told to stop; a reply that still comes is counted and dropped",
                ) from error
            except asyncio.CancelledError:
                self._call_off(message)
                raise
        finally:
            del self._pending[message.id]
            self._elsewhere.pop(message.id, None)
        if reply.type == MessageType.ERROR:
            said = str(reply.payload.get("error", "no reason given"))[: limits.PROFILE_TEXT_CHARS]
            raise RequestFailedError(f"request: {recipient!r} answered with an error: {said}")
        return reply

    def _call_off(self, message: Message) -> None:
        self._over[message.id] = None
        if len(self._over) > limits.BUS_SEEN:
            self._over.popitem(last=False)
        self._bus.send(
            self._bus.make(self._nickname, message.recipient, MessageType.CANCEL, {}, answers=message)
        )

    def _lost(self, fate: Fate) -> None:
        """Wait no longer for a reply that cannot come: every peer that was asked has turned it away."""
        future, left = self._pending.get(fate.message_id), self._elsewhere.get(fate.message_id)
        if future is None or left is None or not fate.lost:
            return
        self._elsewhere[fate.message_id] = left - 1
        if left == 1 and not future.done():
            future.set_exception(
                NoSuchAgentError(
                    f"request: nobody took it ({fate.reason})",
                    hint="the peer of that agent is gone, busy, or does not listen to this one",
                )
            )

    async def _heard(self, message: Message) -> None:
        future = self._pending.get(message.in_reply_to)
        answer = self._answers.get(message.type)
        if message.type in _ANSWERED:
            if future is not None and not future.done():
                future.set_result(message)
            elif message.in_reply_to in self._over or future is not None:
                self.late += 1
        elif message.type == MessageType.CANCEL:
            asker, task = self._running.get(message.in_reply_to, (None, None))
            if task is not None and asker == _whose(message):
                task.cancel()
            elif task is not None:  # nobody calls off what another has asked: a name alone proves nothing
                self.foreign += 1
        elif answer is not None:
            if len(self._running) >= limits.REQUESTS_RUNNING:
                self._refuse(message, "busy: too many requests are under way")
                return
            work = self._loop.create_task(self._answer(answer, message))
            self._running[message.id] = (_whose(message), work)
            work.add_done_callback(lambda _: self._running.pop(message.id, None))

    async def _answer(self, answer: Answer, message: Message) -> None:
        left = (message.deadline_ms - message.timestamp_ms) / 1000 if message.deadline_ms else None
        left = limits.REQUEST_SECONDS if left is None else min(left, limits.REQUEST_SECONDS_MOST)
        with contextlib.suppress(asyncio.CancelledError):
            try:
                said = await asyncio.wait_for(answer(message), left)
                reply = self._bus.make(
                    self._nickname, message.sender, _REPLIES[MessageType(message.type)], said, answers=message
                )
            except Exception as error:  # contained: whoever asked hears what went wrong
                self._refuse(message, f"{type(error).__name__}: {error}")
            else:
                self._bus.send(reply)

    def _refuse(self, message: Message, why: str) -> None:
        reply = {"error": why[: limits.PROFILE_TEXT_CHARS]}
        self._bus.send(
            self._bus.make(self._nickname, message.sender, MessageType.ERROR, reply, answers=message)
        )


def _whose(message: Message) -> tuple[str, str]:
    return message.sender, message.origin


def _question(kind: str) -> str:
    if kind not in _REPLIES:
        raise ValueError(f"{kind} asks nothing: questions are {', '.join(sorted(_REPLIES))}")
    return kind
